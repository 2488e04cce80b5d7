"""A GRU4Rec's tables and rows of items that came later in; one table of both, mapped, out."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from crossrec_pipeline.models.additions import Additions
from crossrec_pipeline.serving.engine.item_table import map_array

_ROWS = {"input_embedding": "vectors", "output_weight": "weight", "output_bias": "bias"}


def write_whole_tables(
    folder: Path, tensors: Mapping[str, np.ndarray], additions: Additions
) -> None:
    """Write what `map_whole_tables` maps.

    Parameters
    ----------
    folder
        Where; an empty directory.
    tensors
        Of the model, by name; one table is there by both names where input and output share it.
    additions
        What comes after its items.
    """
    for name in _names(tensors):
        table, rows = tensors[name], getattr(additions, _ROWS[name])
        whole = np.lib.format.open_memmap(
            _path(folder, name),
            mode="w+",
            dtype=np.float32,
            shape=(len(table) + len(rows), *table.shape[1:]),
        )
        whole[: len(table)], whole[len(table) :] = table, rows
        whole.flush()


def map_whole_tables(
    folder: Path, tensors: Mapping[str, np.ndarray], n_added: int
) -> dict[str, np.ndarray]:
    """Return a model's tensors with the tables that `write_whole_tables` wrote in place of its own.

    Parameters
    ----------
    folder
        Where they were written.
    tensors
        As they were given.
    n_added
        Items that were added.

    Raises
    ------
    BundleError
        If a table is missing, or of another size.
    """
    whole = {
        name: map_array(
            _path(folder, name), [len(tensors[name]) + n_added, *tensors[name].shape[1:]]
        )
        for name in _names(tensors)
    }
    whole.setdefault("output_weight", whole["input_embedding"])
    return {**tensors, **whole}


def _names(tensors: Mapping[str, np.ndarray]) -> list[str]:
    tied = tensors["output_weight"] is tensors["input_embedding"]
    return [name for name in _ROWS if not (tied and name == "output_weight")]


def _path(folder: Path, name: str) -> Path:
    return folder / f"whole_{name}.npy"
