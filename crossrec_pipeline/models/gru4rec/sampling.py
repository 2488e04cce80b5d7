"""Item support in; the candidates that one training step's predictions are contrasted with out."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Candidates:
    """A set of items: all targets of a step, and its sampled negatives.

    Attributes
    ----------
    items
        Each candidate once, increasing, int64 [C].
    target_column
        Which candidate each prediction's target is, int64 [N].
    log_inclusion
        Log of the probability that the item comes into the set for a prediction whose target it
        is not, float32 [C].
    """

    items: np.ndarray
    target_column: np.ndarray
    log_inclusion: np.ndarray


class NegativeSampler:
    """Draws negatives shared by all predictions of a step, in proportion to support ** alpha.

    Other predictions' targets are negatives too (Hidasi et al. 2016, section 3.2). Candidates are
    a set: an item drawn twice, or drawn and also a target, is one candidate. So a prediction's own
    target, drawn as a negative, cannot count against it.

    Parameters
    ----------
    support
        How often each item is a target in train, int64 [n_items]; items without support are
        taken to have 1, so that every item can be drawn.
    alpha
        0 draws uniformly, 1 by popularity.
    n_negatives
        Draws a step, with replacement.
    rng
        Source of the draws.
    """

    def __init__(
        self, support: np.ndarray, alpha: float, n_negatives: int, rng: np.random.Generator
    ) -> None:
        weight = np.maximum(support, 1).astype(np.float64)
        self.target_probability = weight / weight.sum()
        self.negative_probability = weight**alpha / (weight**alpha).sum()
        self.n_negatives = n_negatives
        self._rng = rng
        self._cumulative = np.cumsum(self.negative_probability)
        self._cumulative[-1] = 1.0  # whatever rounding made of it
        # A lone item has probability 1, whose logarithm below would not be finite.
        self._log_not_target = np.log1p(-np.minimum(self.target_probability, 1 - 1e-9))
        self._log_not_negative = np.log1p(-np.minimum(self.negative_probability, 1 - 1e-9))

    def draw(self) -> np.ndarray:
        """Draw `n_negatives` items with replacement, int64."""
        return np.searchsorted(self._cumulative, self._rng.random(self.n_negatives), side="right")

    def log_inclusion(self, items: np.ndarray, n_predictions: int) -> np.ndarray:
        """Log probability that an item is among the other targets or the negatives of a step.

        Parameters
        ----------
        items
            Item indexes, int64 [C].
        n_predictions
            Predictions of the step; each has one target fewer beside its own.

        Returns
        -------
        np.ndarray
            log(1 - (1 - p)^(n_predictions - 1) (1 - q)^n_negatives), p and q being the item's
            probability as a target and as a negative, float32 [C].
        """
        log_absent = (n_predictions - 1) * self._log_not_target[items]
        log_absent += self.n_negatives * self._log_not_negative[items]
        return np.log(-np.expm1(log_absent)).astype(np.float32)

    def candidates(self, targets: np.ndarray) -> Candidates:
        """Draw the candidates of a step with these targets, int64 [N]."""
        items, column = np.unique(np.concatenate([targets, self.draw()]), return_inverse=True)
        return Candidates(
            items, column[: len(targets)], self.log_inclusion(items, n_predictions=len(targets))
        )
