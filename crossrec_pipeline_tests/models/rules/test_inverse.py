import numpy as np
import pytest

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.rules.inverse import invert_in_place


def definite(n: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(2 * n, n))
    return np.asfortranarray(rows.T @ rows + np.eye(n))


@pytest.mark.parametrize("n", [1, 5, 64, 150])
def test_inverse_stands_where_the_matrix_stood(n: int) -> None:
    matrix = definite(n)
    wanted = np.linalg.inv(matrix)
    matrix[np.triu_indices(n, k=1)] = 99.0  # is not looked at
    invert_in_place(matrix)
    assert np.allclose(matrix, wanted)


def test_precision_stays_that_of_the_matrix() -> None:
    matrix = np.asfortranarray(definite(20).astype(np.float32))
    wanted = np.linalg.inv(matrix)
    invert_in_place(matrix)
    assert matrix.dtype == np.float32
    assert np.allclose(matrix, wanted, atol=1e-4)


def test_empty_matrix_stays_empty() -> None:
    matrix = np.zeros((0, 0), order="F")
    invert_in_place(matrix)
    assert matrix.shape == (0, 0)


def test_matrix_that_is_not_positive_definite_is_refused() -> None:
    matrix = np.asfortranarray([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(TrainingError, match=r"2 rows is not positive definite.*regularisation"):
        invert_in_place(matrix)
