"""A symmetric positive definite matrix in; its inverse in the same place out."""

import numpy as np
from scipy.linalg import get_lapack_funcs
from threadpoolctl import threadpool_limits

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.kernels import kernel
from crossrec_pipeline.models.base import Progress

_TILE = 64


def invert_in_place(matrix: np.ndarray, progress: Progress | None = None) -> None:
    """Replace a matrix by its inverse (Cholesky), with no second one beside it.

    Takes some ``n ** 3`` multiplications and additions.

    Parameters
    ----------
    matrix
        float32 or float64 [n, n] in Fortran's order; what is above the diagonal is not looked at.
    progress
        Hears of the steps.

    Raises
    ------
    TrainingError
        If it is not positive definite to the precision of its numbers.
    """
    tell = progress or (lambda _: None)
    if len(matrix) == 0:
        return
    # OpenBLAS crashes with several threads on some 43,000 rows.
    with threadpool_limits(limits=1, user_api="blas"):
        _factor_and_invert(matrix, tell)
    _mirror(matrix.T, _TILE)


def _factor_and_invert(matrix: np.ndarray, tell: Progress) -> None:
    factor, inverse = get_lapack_funcs(("potrf", "potri"), (matrix,))
    tell(f"factoring a matrix of {len(matrix):,} rows")
    _, failed = factor(matrix, lower=True, clean=False, overwrite_a=True)
    if failed:
        raise TrainingError(
            f"The matrix of {len(matrix):,} rows is not positive definite to {matrix.dtype} "
            f"(row {failed}). Take a larger regularisation."
        )
    tell("inverting it")
    inverse(matrix, lower=True, overwrite_c=True)


@kernel()
def _mirror(matrix: np.ndarray, tile: int) -> None:
    """Copy the upper triangle of a matrix in C's order to the lower one, a tile at a time."""
    n = len(matrix)
    for first in range(0, n, tile):
        for second in range(first, n, tile):
            for row in range(first, min(first + tile, n)):
                for column in range(max(second, row + 1), min(second + tile, n)):
                    matrix[column, row] = matrix[row, column]
