"""A safetensors file in; its tensors out, mapped into memory instead of read.

Processes that map the same file share its pages, and a page nobody looks at is never read.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

_TYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
_HEADER_SIZE = 8


def map_tensors(path: Path) -> dict[str, np.ndarray]:
    """Map a safetensors file.

    Parameters
    ----------
    path
        Must not change while the tensors are in use.

    Returns
    -------
    dict
        Tensors by name. What is written to one stays in this process.

    Raises
    ------
    ValueError
        If it is no such file, or a tensor is of a type that NumPy lacks.
    """
    file: Any = np.memmap(path, dtype=np.uint8, mode="c")
    header_end = _HEADER_SIZE + int.from_bytes(bytes(file[:_HEADER_SIZE]), "little")
    if header_end > len(file):
        raise ValueError(f"{path} is no safetensors file: its header is not whole")
    header = json.loads(bytes(file[_HEADER_SIZE:header_end]))
    return {
        name: _tensor(path, file, header_end, name, entry)
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _tensor(
    path: Path, file: np.ndarray, header_end: int, name: str, entry: dict[str, Any]
) -> np.ndarray:
    dtype, shape = np.dtype(_TYPES.get(entry["dtype"])), tuple(entry["shape"])
    begin, end = (header_end + offset for offset in entry["data_offsets"])
    known = entry["dtype"] in _TYPES
    if not known or end > len(file) or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{path} does not hold {name} as {entry['dtype']} {list(shape)}")
    return np.asarray(file[begin:end]).view(dtype).reshape(shape)
