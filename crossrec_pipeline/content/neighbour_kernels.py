"""Blocks of scores in; the largest of each row so far, kept in order, out (compiled)."""

import numpy as np

from crossrec_pipeline.kernels import kernel


@kernel(nogil=True)
def keep_largest(
    scores: np.ndarray, first: int, hidden: np.ndarray, rows: np.ndarray, largest: np.ndarray
) -> None:
    """Put the scores of some columns among the largest ones of their rows.

    Blocks must come in the order of their columns: of equal scores the first one stays before.

    Parameters
    ----------
    scores
        float32 [Q, C].
    first
        Number of the first column.
    hidden
        Number of the column that does not count for each row, int64 [Q].
    rows, largest
        Columns of the largest scores so far and these, best first, int64 [Q, k] and float32 [Q, k];
        both are changed.
    """
    k = rows.shape[1]
    for query in range(len(scores)):
        least = largest[query, k - 1]
        for column in range(scores.shape[1]):
            score = scores[query, column]
            if score > least and first + column != hidden[query]:
                place = k - 1
                while place > 0 and largest[query, place - 1] < score:
                    largest[query, place] = largest[query, place - 1]
                    rows[query, place] = rows[query, place - 1]
                    place -= 1
                largest[query, place] = score
                rows[query, place] = first + column
                least = largest[query, k - 1]
