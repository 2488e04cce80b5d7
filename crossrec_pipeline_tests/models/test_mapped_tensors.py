from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from crossrec_pipeline.models.mapped_tensors import map_tensors

TENSORS = {
    "table": np.arange(6, dtype=np.float32).reshape(2, 3),
    "counts": np.array([1, -2], dtype=np.int64),
    "text": np.frombuffer(b"abc", dtype=np.uint8),
    "none": np.zeros((0, 4), dtype=np.float32),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_file(TENSORS, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def test_tensors_are_those_that_reading_gives(path: Path) -> None:
    mapped, read = map_tensors(path), load_file(path)
    assert mapped.keys() == read.keys()
    for name, tensor in read.items():
        assert mapped[name].dtype == tensor.dtype
        np.testing.assert_array_equal(mapped[name], tensor)


def test_what_is_written_to_a_tensor_does_not_reach_the_file(path: Path) -> None:
    map_tensors(path)["table"][:] = 9
    np.testing.assert_array_equal(map_tensors(path)["table"], TENSORS["table"])


def test_truncated_file_is_refused_with_its_name(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match=r"weights\.safetensors does not hold"):
        map_tensors(path)


def test_file_that_ends_in_its_header_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match="header is not whole"):
        map_tensors(path)
