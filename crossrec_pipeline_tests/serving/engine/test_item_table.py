import json
from pathlib import Path

import numpy as np
import pytest

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.inner_product.tiles import PANEL
from crossrec_pipeline.serving.engine.item_table import (
    NOTES,
    open_item_table,
    write_item_table,
    write_n_seen,
)
from crossrec_pipeline_tests.serving.engine.tables import table_of

WEIGHT = np.array([[1, 0], [3, 4], [0, 2], [6, 8], [0, 0]], dtype=np.float32)
BIAS = np.array([0.1, 0.2, 0.3, 0.4, 0.5], dtype=np.float32)
TYPES = np.array([0, 1, 0, 1, 0])


def _write(folder: Path) -> None:
    write_item_table(folder, WEIGHT, BIAS, TYPES, np.zeros(5, dtype=np.int64), "model a")


def test_items_lie_by_type_and_falling_norm() -> None:
    table = table_of(WEIGHT, BIAS, TYPES)
    # Norms 1, 5, 2, 10, 0.
    assert table.items[:6].tolist() == [2, 0, 4, 3, 1, -1]
    assert table.types[:5].tolist() == [0, 0, 0, 1, 1]
    assert table.segments.tolist() == [[0, 3, 5]]
    np.testing.assert_array_equal(table.bias[:5], BIAS[[2, 0, 4, 3, 1]])
    assert np.isneginf(table.bias[5:]).all()


def test_no_norm_or_bias_is_above_its_panels() -> None:
    table = table_of(WEIGHT, BIAS, TYPES)
    assert 10 <= table.longest[0] < 10.001
    assert table.highest_bias[0] == np.float32(0.5)


def test_cluster_begins_with_a_panel() -> None:
    table = table_of(WEIGHT, BIAS, TYPES, np.array([2, 0, 0, 2, 2]))  # there is no cluster 1
    assert table.segments.tolist() == [[0, 1, 2], [PANEL, PANEL + 2, PANEL + 3]]
    assert table.items[:3].tolist() == [2, 1, -1]
    assert table.items[PANEL : PANEL + 4].tolist() == [0, 4, 3, -1]
    # Of items 2 and 1: ((0 + 3) / 2, (2 + 4) / 2), bias (0.3 + 0.2) / 2.
    np.testing.assert_allclose(table.centroids[0], [1.5, 3.0, 0.25])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("of_bias", [True, False])
def test_weight_that_is_no_number_is_refused(value: float, of_bias: bool, tmp_path: Path) -> None:
    weight, bias = WEIGHT.copy(), BIAS.copy()
    (bias if of_bias else weight[1])[1] = value
    with pytest.raises(BundleError, match="Train the model again with a"):
        write_item_table(tmp_path, weight, bias, TYPES, TYPES, "model a")


def test_table_of_another_model_is_refused(tmp_path: Path) -> None:
    _write(tmp_path)
    with pytest.raises(BundleError, match=r"model model a, not of .* model b\. Delete"):
        open_item_table(tmp_path, WEIGHT, BIAS, "model b")


def test_missing_folder_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"engine\.json cannot be read .* made anew"):
        open_item_table(tmp_path / "none", WEIGHT, BIAS, "model a")


def test_missing_array_is_named(tmp_path: Path) -> None:
    _write(tmp_path)
    (tmp_path / "byte_cells.npy").unlink()
    with pytest.raises(BundleError, match=r"byte_cells\.npy cannot be read"):
        open_item_table(tmp_path, WEIGHT, BIAS, "model a")


def test_truncated_array_is_named(tmp_path: Path) -> None:
    _write(tmp_path)
    path = tmp_path / "float_cells.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"float_cells\.npy cannot be read"):
        open_item_table(tmp_path, WEIGHT, BIAS, "model a")


def test_array_of_another_shape_is_named(tmp_path: Path) -> None:
    _write(tmp_path)
    np.save(tmp_path / "items.npy", np.zeros(3, dtype=np.int32))
    with pytest.raises(BundleError, match=r"items\.npy has the shape \(3,\) instead of \[64\]"):
        open_item_table(tmp_path, WEIGHT, BIAS, "model a")


def test_items_to_look_at_are_noted(tmp_path: Path) -> None:
    _write(tmp_path)
    assert open_item_table(tmp_path, WEIGHT, BIAS, "model a").n_seen == 5
    write_n_seen(tmp_path, 3, 0.995)
    table = open_item_table(tmp_path, WEIGHT, BIAS, "model a")
    assert (table.n_seen, table.recall) == (3, 0.995)
    assert json.loads((tmp_path / NOTES).read_text())["data_version"] == "model a"
