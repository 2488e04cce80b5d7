"""Item support in; the candidates that one training step's predictions are contrasted with out."""

from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.sampling_kernels import (
    alias_table,
    columns_of_own_session,
    draw_from_alias_table,
    number_items,
)
from crossrec_pipeline.models.gru4rec.state import State, generator_state, load_generator_state


@dataclass(frozen=True)
class Candidates:
    """A set of items: all targets of a step, and its sampled negatives.

    Attributes
    ----------
    items
        Each candidate once, those that are targets first, int64 [C].
    target_column
        Which candidate each prediction's target is, int64 [N].
    log_weight
        What the softmax of cross-entropy adds to each candidate's score, float32 [C].
    loss_shift
        What cross-entropy has more, in the mean, where a target's score has another weight above
        the fraction bar than below. It moves the loss, not its gradient.
    copies
        How many negatives (and targets) the candidate stands for, float32 [C].
    own_row, own_column
        Predictions and candidates that do not compete: the candidate is one for nothing but other
        targets of the prediction's own session, int64 [M] each.
    """

    items: np.ndarray
    target_column: np.ndarray
    log_weight: np.ndarray
    loss_shift: float
    copies: np.ndarray
    own_row: np.ndarray
    own_column: np.ndarray


@dataclass(frozen=True)
class StepItems:
    """The items whose rows a step reads.

    Attributes
    ----------
    candidates
        What its predictions are contrasted with.
    rows
        Each item once: the candidates, then the inputs that are none, int64 [R].
    input_row
        Place of each input in `rows`, int64 [N].
    """

    candidates: Candidates
    rows: np.ndarray
    input_row: np.ndarray


class NegativeSampler:
    """Draws negatives shared by all predictions of a step, in proportion to support ** alpha.

    Targets of other sessions are negatives too (Hidasi et al. 2016, section 3.2). Those of the same
    session are not: they are like what came before, so that as negatives they would teach that
    what is like it does not come.

    Parameters
    ----------
    support
        How often each item is a target in train, int64 [n_items]; items without support are
        taken to have 1, so that every item can be drawn.
    config
        `alpha`, `n_negatives` (draws a step, with replacement), `candidates`, `logq`.
    rng
        Source of the draws.
    types
        Type of each item, int [n_items]; needed for `balance_negatives`.
    """

    def __init__(
        self,
        support: np.ndarray,
        config: GRU4RecConfig,
        rng: np.random.Generator,
        types: np.ndarray | None = None,
    ) -> None:
        if config.n_negatives is None:
            raise ValueError("n_negatives=None contrasts all items; nothing is drawn then")
        weight = np.maximum(support, 1).astype(np.float64)
        self.target_probability = weight / weight.sum()
        drawn = weight**config.alpha
        if config.balance_negatives:
            if types is None:
                raise ValueError("balance_negatives needs the types of the items")
            drawn = drawn * np.bincount(types, weights=drawn)[types] ** -config.balance_negatives
        self.negative_probability = drawn / drawn.sum()
        self.n_negatives = config.n_negatives
        self._counts_copies = config.candidates == "draws"
        self._logq = config.logq
        self._rng = rng
        self._keep, self._alias = alias_table(self.negative_probability)
        self._number = np.full(len(weight), -1, dtype=np.int32)  # scratch of `number_items`
        self._log_support = np.log(weight)
        self._alpha = config.alpha
        # A lone item has probability 1, whose logarithm below would not be finite.
        self._log_not_target = np.log1p(-np.minimum(self.target_probability, 1 - 1e-9))
        self._log_not_negative = np.log1p(-np.minimum(self.negative_probability, 1 - 1e-9))
        self._of_last_step: tuple[int, np.ndarray] = (-1, np.empty(0, dtype=np.float32))

    def draw(self) -> np.ndarray:
        """Draw `n_negatives` items with replacement, int64."""
        return draw_from_alias_table(self._keep, self._alias, self._rng.random(self.n_negatives))

    def state(self) -> State:
        """Return what the next draws depend on."""
        return generator_state(self._rng)

    def load_state(self, state: State) -> None:
        """Draw from here on as the sampler would have whose `state` this is."""
        load_generator_state(self._rng, state)

    def log_inclusion(self, items: np.ndarray, n_others: int) -> np.ndarray:
        """Log probability that an item is among the other targets or the negatives of a step.

        Parameters
        ----------
        items
            Item indexes, int64 [C].
        n_others
            Targets of a step that compete with a prediction's own.

        Returns
        -------
        np.ndarray
            log(1 - (1 - p)^n_others (1 - q)^n_negatives), p and q being the item's probability as
            a target and as a negative, float32 [C].
        """
        # Most steps have as many predictions as the one before: then all items' are at hand.
        if n_others != self._of_last_step[0]:
            log_absent = n_others * self._log_not_target
            log_absent += self.n_negatives * self._log_not_negative
            # A lone prediction without negatives has an empty contrast; any finite number will do.
            log_inclusion = np.log(np.maximum(-np.expm1(log_absent), 1e-30)).astype(np.float32)
            self._of_last_step = n_others, log_inclusion
        return self._of_last_step[1][items]

    def step_items(
        self, inputs: np.ndarray, targets: np.ndarray, batch_sizes: np.ndarray
    ) -> StepItems:
        """Draw the candidates of a step.

        Parameters
        ----------
        inputs, targets
            Items in packed order, int64 [N]; `inputs` may be empty.
        batch_sizes
            Sessions at each time step, int64 [T]; see `Window`.
        """
        read = np.concatenate([targets, self.draw(), inputs])
        n_drawn_from = len(read) - len(inputs)
        rows, row_of, n_candidates = number_items(read, n_drawn_from, self._number)
        items, target_column = rows[:n_candidates], row_of[: len(targets)]
        own = columns_of_own_session(batch_sizes, target_column, row_of[:n_drawn_from])
        if self._counts_copies:
            candidates = self._as_drawn(items, targets, target_column, row_of[:n_drawn_from], own)
        else:
            # As many of its own session's as the longest has, for each: nearly always so.
            n_others = len(targets) - len(batch_sizes)
            log_weight = -self._logq * self.log_inclusion(items, n_others)
            copies = np.ones(n_candidates, dtype=np.float32)
            candidates = Candidates(items, target_column, log_weight, 0.0, copies, *own)
        return StepItems(candidates, rows, row_of[n_drawn_from:])

    def candidates(self, targets: np.ndarray, batch_sizes: np.ndarray) -> Candidates:
        """Draw the candidates of a step with these targets; see `step_items`.

        Given a set of candidates of which one is the target and the others came in with known
        probabilities, the posterior of which one it is, is the softmax of score - log(inclusion
        probability), for the target as for the rest (Jean et al. 2015, arXiv:1412.2007; Bengio
        and Senécal 2008). So with `logq` = 1 the scores learnt are those of the full softmax, not
        scores that popular items have to make up for being drawn often. With less, that share of
        the correction is made.

        Where each draw counts, a target's column is corrected by `logq` × log(support), and a
        draw's by `logq` × `alpha` × log(support), as in the authors' code. Columns of the same
        item have the same score s, and Σ exp(s - c) = exp(s + log Σ exp(-c)): so one column with
        that sum for a weight does for all of them.
        """
        return self.step_items(np.empty(0, dtype=np.int64), targets, batch_sizes).candidates

    def _as_drawn(
        self,
        items: np.ndarray,
        targets: np.ndarray,
        target_column: np.ndarray,
        column: np.ndarray,
        own: tuple[np.ndarray, np.ndarray],
    ) -> Candidates:
        as_target = np.bincount(target_column, minlength=len(items))
        copies = np.bincount(column, minlength=len(items))
        correction = self._logq * self._log_support[items]
        weight = as_target * np.exp(-correction)
        weight += (copies - as_target) * np.exp(-self._alpha * correction)
        log_weight = np.log(weight)
        target_log_weight = -self._logq * self._log_support[targets]
        return Candidates(
            items,
            target_column,
            log_weight.astype(np.float32),
            float((log_weight[target_column] - target_log_weight).mean()),
            copies.astype(np.float32),
            *own,
        )
