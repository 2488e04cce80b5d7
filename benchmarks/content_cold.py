"""A GRU4Rec that reads content and test sessions in; how well it ranks unknown items out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from content_logs import Log

from crossrec_pipeline.content.embeddings import ItemEmbeddings
from crossrec_pipeline.models.gru4rec.model import GRU4Rec

K = 20
DECAY = 0.8
"""Of the text neighbours: an item weighs this much of the one after it."""
_AT_ONCE = 256


@dataclass(frozen=True)
class ColdFigures:
    """Of the predictions whose target train does not know.

    Attributes
    ----------
    group
        Which of them: never seen in train, or too seldom.
    model
        What ranked.
    recall, mrr
        At 20, among all items, ties against the target.
    chance
        Recall of a random order.
    n
        Predictions.
    """

    group: str
    model: str
    recall: float
    mrr: float
    chance: float
    n: int


def measure_cold(model: GRU4Rec, log: Log, embeddings: ItemEmbeddings) -> Iterator[ColdFigures]:
    """Give the model the items it does not know, and rank all of them after test's sessions.

    Beside it stand the nearest texts of the session (cosine with the mean of its items' vectors,
    the later ones weighing more), which need no training. A model of ids alone finds none.
    """
    head, vocabulary = model.head, log.dataset.vocabulary
    if head is None:
        return
    new = log.items.filter(~pl.col("item_id").is_in(vocabulary.frame["item_id"].implode()))
    rows = head.rows(head.content_of(new.select("item_id", "item_type"), log.items, embeddings))
    grown = model.grown(rows)
    item_ids = [*vocabulary.item_ids, *new["item_id"].to_list()]
    index = {item_id: number for number, item_id in enumerate(item_ids)}
    text, _ = embeddings.rows(item_ids)
    contexts, targets = [], []
    for session in log.later:
        known = [index[item_id] for item_id in session if item_id in index]
        for place in range(1, len(known)):
            if known[place] >= vocabulary.n_items:
                contexts.append(np.array(known[:place], dtype=np.int32))
                targets.append(known[place])
    target = np.array(targets, dtype=np.int64)
    if not len(target):
        return
    never = np.array([item_ids[item] not in log.in_train for item in targets])
    ranks = {
        "gru4rec, content alone": _ranks(contexts, target, grown.score),
        "nearest texts": _ranks(contexts, target, lambda some: _text_scores(some, text)),
    }
    for group, chosen in (("never seen before test", never), ("too seldom in train", ~never)):
        for name, found in ranks.items():
            if chosen.any():
                rank = found[chosen]
                hit = rank <= K
                yield ColdFigures(
                    group,
                    name,
                    float(hit.mean()),
                    float((hit / rank).mean()),
                    K / len(item_ids),
                    int(chosen.sum()),
                )


def _ranks(
    contexts: Sequence[np.ndarray],
    target: np.ndarray,
    score: Callable[[Sequence[np.ndarray]], np.ndarray],
) -> np.ndarray:
    """Rank the targets, ties against them, int64 [P]."""
    ranks = np.empty(len(target), dtype=np.int64)
    for begin in range(0, len(target), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        scores = score(contexts[part])
        own = np.take_along_axis(scores, target[part, None], axis=1)
        ranks[part] = (scores >= own).sum(axis=1)
    return ranks


def _text_scores(contexts: Sequence[np.ndarray], text: np.ndarray) -> np.ndarray:
    """Return the cosine of every item with the session's mean text, float32 [S, n_items]."""
    means = np.stack(
        [
            (DECAY ** np.arange(len(items) - 1, -1, -1, dtype=np.float32))[None] @ text[items]
            for items in contexts
        ]
    )[:, 0]
    return means @ text.T
