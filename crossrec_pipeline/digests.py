"""Content versions: equal content gives an equal digest, whatever its path, time or row order."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

_LENGTH = 16


def text_digest(*parts: str) -> str:
    """Digest a sequence of texts (16 hexadecimal characters of SHA-256)."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:_LENGTH]


def arrays_digest(*arrays: np.ndarray) -> str:
    """Digest the types, shapes and values of arrays, in their order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:_LENGTH]


def json_digest(value: Any) -> str:
    """Digest a JSON-like value; the order of keys does not matter."""
    return text_digest(json.dumps(value, sort_keys=True, default=str))


def file_sha256(path: Path) -> str:
    """Return the whole SHA-256 of one file, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def files_digest(paths: Iterable[Path]) -> str:
    """Digest the bytes of several files, ordered by name; directories do not matter."""
    ordered = sorted(paths, key=lambda path: path.name)
    return text_digest(*(part for path in ordered for part in (path.name, file_sha256(path))))


def frame_digest(frame: pl.DataFrame) -> str:
    """Digest a frame's content, whatever the order of its rows and columns.

    Row digests are made by polars' seeded 64-bit row hash and combined by sum and by
    exclusive-or, which do not depend on order and do notice repeated rows.
    """
    return frames_digest([frame])


def frames_digest(frames: Iterable[pl.DataFrame]) -> str:
    """Digest what several frames of equal columns hold together, one frame at a time.

    It is the `frame_digest` of all their rows, however these are divided.

    Raises
    ------
    ValueError
        If there are no frames.
    """
    schema: str | None = None
    n_rows = total = mixed = 0
    for frame in frames:
        columns = sorted(frame.columns)
        schema = ",".join(f"{name}:{frame.schema[name]}" for name in columns)
        if frame.height:
            hashes = frame.select(columns).hash_rows(seed=20_230_302).to_numpy()
            n_rows += frame.height
            total = (total + int(hashes.sum(dtype=np.uint64))) % 2**64
            mixed ^= int(np.bitwise_xor.reduce(hashes))
    if schema is None:
        raise ValueError("no frames were given")
    return text_digest(schema, *([str(n_rows), str(total), str(mixed)] if n_rows else ["0"]))
