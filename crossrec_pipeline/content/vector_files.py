"""Vectors with columns of text, and what made them, in; one Parquet file out, and back."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.errors import ContentError

_ENCODER = b"crossrec_encoder"
_VECTOR = "vector"


def write_vectors(
    path: Path, texts: Mapping[str, Sequence[str]], vectors: np.ndarray, encoder: str
) -> None:
    """Write columns of text and a column `vector`, whole or not at all.

    Parameters
    ----------
    path
        The file.
    texts
        Columns by name, N values each.
    vectors
        float32 [N, D].
    encoder
        Name of what made them; it is kept in the file's metadata.
    """
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1))
    columns: dict[str, pa.Array] = {name: pa.array(v, pa.string()) for name, v in texts.items()}
    columns[_VECTOR] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    table = pa.table(columns, metadata={_ENCODER: json.dumps(encoder).encode()})
    # Vectors do not repeat, nor can they be made much smaller.
    options: dict[str, Any] = {
        "use_dictionary": list(texts),
        "compression": {**dict.fromkeys(texts, "zstd"), f"{_VECTOR}.list.element": "none"},
    }
    with atomic_file(path) as partial:
        pq.write_table(table, partial, **options)


def read_vectors(path: Path, names: Sequence[str]) -> tuple[dict[str, list[str]], np.ndarray, str]:
    """Read what `write_vectors` wrote: columns of text, vectors and the encoder's name.

    Raises
    ------
    ContentError
        If there is no such file, it has not these columns, or it is damaged.
    """
    try:
        table = pq.read_table(path, columns=[*names, _VECTOR])
        encoder = _encoder_of(table.schema)
        width = table.schema.field(_VECTOR).type.list_size
        flat = table[_VECTOR].combine_chunks().flatten().to_numpy()
        texts = {name: table[name].to_pylist() for name in names}
        return texts, flat.reshape(table.num_rows, width), encoder
    except (OSError, pa.ArrowException, KeyError, AttributeError, ValueError) as error:
        raise _unreadable(path, error) from error


def encoder_of(path: Path) -> str:
    """Read the encoder's name from the end of a file of vectors, which a torn one lacks.

    Raises
    ------
    ContentError
        If there is no such file, or it is damaged.
    """
    try:
        return _encoder_of(pq.read_schema(path))
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        raise _unreadable(path, error) from error


def _encoder_of(schema: pa.Schema) -> str:
    return json.loads((schema.metadata or {})[_ENCODER])


def _unreadable(path: Path, error: Exception) -> ContentError:
    if isinstance(error, FileNotFoundError):
        return ContentError(
            f"There are no embeddings at {path} yet. Materialise content/embeddings, or run: "
            "crossrec run."
        )
    return ContentError(
        f"{path} cannot be read as embeddings ({error}). Delete it: `crossrec run` makes it again."
    )
