"""A GRU4Rec that reads content and test sessions in; how well it ranks unknown items out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from content_logs import Log

from crossrec_pipeline.content.embeddings import ItemEmbeddings
from crossrec_pipeline.models.growth import find_new_items, grow
from crossrec_pipeline.models.gru4rec.model import GRU4Rec

K = 20
DECAY = 0.8
"""Of the text neighbours: an item weighs this much of the one after it."""
BOOSTS = (0.0, 0.7, 1.4)
"""Added to the scores of new items: they are taken for once, twice and four times as likely."""
NEVER, SELDOM, KNOWN = "never seen before test", "too seldom in train", "known"
_AT_ONCE = 256

Score = Callable[[Sequence[np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class ColdFigures:
    """Of test's predictions, known and unknown items being ranked together.

    Attributes
    ----------
    group
        What train knows of the target.
    model
        What ranked.
    recall, mrr
        At 20, among all items, ties against the target.
    among_new
        Recall at 20 where only new items are ranked; None of known ones.
    places
        Share of the first 20 places that new items take.
    chance, chance_among_new
        Recall of a random order.
    n
        Predictions.
    """

    group: str
    model: str
    recall: float
    mrr: float
    among_new: float | None
    places: float
    chance: float
    chance_among_new: float
    n: int


@dataclass(frozen=True)
class _Ranked:
    """Ranks of targets, int64 [P], and how many new items stand in the first 20 places, [P]."""

    rank: np.ndarray
    rank_among_new: np.ndarray
    n_new: np.ndarray


def measure_cold(
    model: GRU4Rec, log: Log, embeddings: ItemEmbeddings, boosts: Sequence[float] = BOOSTS
) -> Iterator[ColdFigures]:
    """Give the model the items it does not know, and rank all of them after test's sessions.

    It takes up what it could be served with: items that have something to go by of what it reads.
    Others are passed over, as context and as targets. Beside it stand the nearest texts of the
    session (cosine with the mean of its items' vectors, the later ones weighing more), which need
    no training. A model of ids alone finds none. What new items win of the first places, known ones
    lose: the more they are boosted, the more.
    """
    vocabulary = log.dataset.vocabulary
    new = find_new_items(model, vocabulary, log.items, embeddings).additions
    item_ids = [*vocabulary.item_ids, *new.items["item_id"].to_list()]
    contexts, target = predictions(log.later, item_ids)
    if not (target >= vocabulary.n_items).any():
        return
    text, _ = embeddings.rows(item_ids)
    scores: dict[str, Score] = {}
    for boost in boosts:
        boosted = replace(new, bias=new.bias + np.float32(boost))
        scores[f"content alone, boost {boost:g}"] = grow(model, vocabulary, boosted)[0].score
    scores["nearest texts"] = lambda some: _text_scores(some, text)
    in_train = np.array([item_id in log.in_train for item_id in item_ids])
    groups = {
        NEVER: ~in_train[target],
        SELDOM: in_train[target] & (target >= vocabulary.n_items),
        KNOWN: target < vocabulary.n_items,
    }
    for name, score in scores.items():
        found = _ranked(contexts, target, vocabulary.n_items, score)
        for group, chosen in groups.items():
            if chosen.any():
                rank = found.rank[chosen]
                hit = rank <= K
                yield ColdFigures(
                    group,
                    name,
                    float(hit.mean()),
                    float((hit / rank).mean()),
                    None if group == KNOWN else float((found.rank_among_new[chosen] <= K).mean()),
                    float(found.n_new.mean() / min(K, len(item_ids))),
                    min(1.0, K / len(item_ids)),
                    min(1.0, K / new.n_items),
                    int(chosen.sum()),
                )


def predictions(
    sessions: Sequence[Sequence[str]], item_ids: Sequence[str]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return what comes before each event but the first, and its item, by place among the items.

    Items that are not among them are passed over.
    """
    index = {item_id: number for number, item_id in enumerate(item_ids)}
    contexts, targets = [], []
    for session in sessions:
        known = np.array([index[item_id] for item_id in session if item_id in index], np.int32)
        contexts += [known[:place] for place in range(1, len(known))]
        targets += known[1:].tolist()
    return contexts, np.array(targets, dtype=np.int64)


def _ranked(
    contexts: Sequence[np.ndarray], target: np.ndarray, n_known: int, score: Score
) -> _Ranked:
    """Rank the targets, ties against them."""
    ranks = np.empty((3, len(target)), dtype=np.int64)
    for begin in range(0, len(target), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        scores = score(contexts[part])
        own = np.take_along_axis(scores, target[part, None], axis=1)
        first = np.argpartition(-scores, min(K, scores.shape[1]) - 1, axis=1)[:, :K]
        ranks[0, part] = (scores >= own).sum(axis=1)
        ranks[1, part] = (scores[:, n_known:] >= own).sum(axis=1)
        ranks[2, part] = (first >= n_known).sum(axis=1)
    return _Ranked(*ranks)


def _text_scores(contexts: Sequence[np.ndarray], text: np.ndarray) -> np.ndarray:
    """Return the cosine of every item with the session's mean text, float32 [S, n_items]."""
    means = np.stack(
        [
            (DECAY ** np.arange(len(items) - 1, -1, -1, dtype=np.float32))[None] @ text[items]
            for items in contexts
        ]
    )[:, 0]
    return means @ text.T
