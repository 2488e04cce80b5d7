"""Ranks and lists of two models go in; a few predictions to be read one by one come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.top_lists import TopLists
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

N_SHOWN = 5
"""Items shown of each list, and of the end of each session."""


@dataclass(frozen=True)
class Title:
    """One item as it is shown; `is_next` marks the one that really came next."""

    item_type: str
    title: str
    is_next: bool


@dataclass(frozen=True)
class Suggestion:
    """What one model made of a session: its first `N_SHOWN` items and the true item's rank."""

    model: str
    titles: Sequence[Title]
    rank: int


@dataclass(frozen=True)
class Example:
    """One prediction of the test sessions.

    Attributes
    ----------
    outcome
        What it is an example of, in words.
    share
        Share of the sampled predictions with this outcome.
    n_earlier
        Items of the session so far that are not shown.
    seen
        The last items of the session so far, oldest first.
    target
        What came next.
    suggestions
        What each model would have shown.
    """

    outcome: str
    share: float
    n_earlier: int
    seen: Sequence[Title]
    target: Title
    suggestions: Sequence[Suggestion]


def pick_examples(
    ranks: Mapping[str, pl.DataFrame],
    lists: Mapping[str, TopLists],
    store: SessionStore,
    vocabulary: Vocabulary,
    seed: int = 0,
) -> list[Example]:
    """Draw one prediction of each outcome, each from another session.

    Outcomes are hits and misses of either model, within and across types. Those that do not occur
    have no example. The draw prefers sessions with two items or more so far.

    Parameters
    ----------
    ranks, lists
        Of the model that the examples are about, and of one to compare it with: RANKS frames and
        lists of at least `N_SHOWN` items, made of the same predictions.
    store
        The sessions that were predicted.
    vocabulary
        Titles and types.
    seed
        Of the draw.
    """
    (main, other), sample = ranks, next(iter(lists.values())).prediction
    frame = ranks[main][sample]
    rank_of = {model: ranks[model]["rank"].to_numpy()[sample] for model in ranks}
    crosses = (frame["source_type"] != frame["target_type"]).to_numpy()
    hit = {model: rank <= N_SHOWN for model, rank in rank_of.items()}
    miss = {model: rank > HEADLINE_CUTOFF for model, rank in rank_of.items()}
    outcomes = {
        f"Both name it among their first {N_SHOWN}": hit[main] & hit[other],
        f"{main} names it, {other} does not": hit[main] & miss[other],
        f"{other} names it, {main} does not": miss[main] & hit[other],
        f"{main} names it, and it is of another type than the last item": hit[main] & crosses,
        f"Neither names it among {HEADLINE_CUTOFF}": miss[main] & miss[other],
        f"{main} misses it, and it is of another type than the last item": miss[main] & crosses,
    }
    session, position = (frame[name].to_numpy() for name in ("session", "position"))
    generator = np.random.default_rng(seed)
    free = np.ones(len(sample), dtype=bool)
    examples = []
    for outcome, fits in outcomes.items():
        candidates = np.flatnonzero(fits & free)
        if not len(candidates):
            continue
        longer = candidates[position[candidates] > 1]
        at = int(generator.choice(longer if len(longer) else candidates))
        free &= session != session[at]
        seen = store[int(session[at])][: position[at]]
        target = int(frame["target_index"][at])
        examples.append(
            Example(
                outcome=outcome,
                share=float(fits.mean()),
                n_earlier=max(0, len(seen) - N_SHOWN),
                seen=_titles(seen[-N_SHOWN:], target, vocabulary),
                target=_titles([target], target, vocabulary)[0],
                suggestions=[
                    Suggestion(
                        model,
                        _titles(lists[model].items[at, :N_SHOWN], target, vocabulary),
                        int(rank_of[model][at]),
                    )
                    for model in ranks
                ],
            )
        )
    return examples


def _titles(items: Sequence[int] | np.ndarray, target: int, vocabulary: Vocabulary) -> list[Title]:
    frame = vocabulary.frame[[int(item) for item in items]]
    return [
        Title(item_type, title or item_id, item == target)
        for item, item_id, item_type, title in frame.select(
            "item_index", "item_id", "item_type", "title"
        ).iter_rows()
    ]
