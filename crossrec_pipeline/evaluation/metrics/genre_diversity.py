"""Genre diversity@K: how little the genres of two items of one list have in common."""

from collections.abc import Sequence

import numpy as np

from crossrec_pipeline.domains import UNKNOWN_GENRE
from crossrec_pipeline.evaluation.metrics.relevant import mean_or_nan

_BITS = 64
_LISTS_AT_ONCE = 1 << 14


def genre_words(genres: Sequence[Sequence[str]]) -> np.ndarray:
    """Write each item's set of genres as bits, uint64 [n_items, n_words].

    Parameters
    ----------
    genres
        Genres of each item, by item index. `UNKNOWN_GENRE` is none: two items whose genres nobody
        knows have nothing in common.
    """
    known = sorted({name for names in genres for name in names} - {UNKNOWN_GENRE})
    bit = {name: number for number, name in enumerate(known)}
    words = np.zeros((len(genres), -(-len(known) // _BITS)), dtype=np.uint64)
    for item, names in enumerate(genres):
        for number in {bit[name] for name in names if name in bit}:
            words[item, number // _BITS] |= np.uint64(1 << (number % _BITS))
    return words


def per_prediction(lists: np.ndarray, words: np.ndarray) -> np.ndarray:
    r"""Return the mean Jaccard distance of the genres of each list's pairs, float64 [P].

    .. math:: \frac{1}{|\mathrm{pairs}|} \sum_{i < j} 1 - \frac{|G_i \cap G_j|}{|G_i \cup G_j|}

    Range 0 (all of the same genres) to 1 (no genre twice); intra-list diversity (Ziegler et al.,
    2005) by the genres. Pairs in which an item has no known genre are left out; NaN for a list
    without any other pair.

    Parameters
    ----------
    lists
        Recommended items, int [P, K].
    words
        What `genre_words` returns.
    """
    parts = [
        _of_some(lists[begin : begin + _LISTS_AT_ONCE], words)
        for begin in range(0, len(lists), _LISTS_AT_ONCE)
    ]
    return np.concatenate([np.zeros(0), *parts])


def calc(lists: np.ndarray, words: np.ndarray) -> float:
    """Return the mean over predictions that have a value; NaN when there are none."""
    values = per_prediction(lists, words)
    return mean_or_nan(values[~np.isnan(values)])


def _of_some(lists: np.ndarray, words: np.ndarray) -> np.ndarray:
    sets = words[lists]
    known = (_count_bits(words) > 0)[lists]
    distance = np.zeros(len(lists))
    n_pairs = np.zeros(len(lists), dtype=np.int64)
    for apart in range(1, lists.shape[1]):
        pair = known[:, apart:] & known[:, :-apart]
        common = _count_bits(sets[:, apart:] & sets[:, :-apart])
        either = _count_bits(sets[:, apart:] | sets[:, :-apart])
        # Where a set is empty the distance is not read; 1 keeps 0 / 0 away.
        distance += np.where(pair, 1 - common / np.maximum(either, 1), 0.0).sum(axis=1)
        n_pairs += pair.sum(axis=1)
    return np.divide(distance, n_pairs, out=np.full(len(lists), np.nan), where=n_pairs > 0)


def _count_bits(sets: np.ndarray) -> np.ndarray:
    return np.bitwise_count(sets).sum(axis=-1, dtype=np.int64)
