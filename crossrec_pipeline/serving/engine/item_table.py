"""Items' vectors in; arrays on disk that they are searched by out, and those mapped again."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.inner_product.tiles import PANEL
from crossrec_pipeline.serving.engine.panels import (
    Panels,
    byte_panels,
    float_panels,
    rounding_of_sums,
)

FORMAT_VERSION = 1
NOTES = "engine.json"
MOST_WEIGHT = 1e9
"""Larger weights are those of a model that has diverged; sums of their products may overflow."""

_REMEDY = "Delete the serving export: it is made anew from the model bundle."


@dataclass(frozen=True)
class ItemTable:
    """Items in the order they are searched in, in panels of `PANEL`.

    The order is by cluster, by type and by falling norm. A cluster begins with a panel; places that
    this leaves open have no item.

    Attributes
    ----------
    items, types, bias
        Item of each place, or -1, its type and its bias, or -inf, int32, int8 and float32
        [n × PANEL].
    longest, highest_bias
        Of each panel, not less than any item's norm and bias, float32 [n].
    segments
        First place of each type in each cluster, and the one after the cluster's last item, int64
        [C, T + 1].
    centroids
        Mean of each cluster's vectors, their biases as the last column, float32 [C, H + 1].
    panels
        Of several kinds, by name.
    weight, item_bias
        By item index, float32 [n_items, H] and [n_items].
    n_seen
        How many items a search of clusters must look at; all where there is one cluster.
    recall
        Share of the exact top 20 that it finds of these, as measured when the table was written.
    """

    items: np.ndarray
    types: np.ndarray
    bias: np.ndarray
    longest: np.ndarray
    highest_bias: np.ndarray
    segments: np.ndarray
    centroids: np.ndarray
    panels: dict[str, Panels]
    weight: np.ndarray
    item_bias: np.ndarray
    n_seen: int
    recall: float

    @property
    def n_types(self) -> int:
        """Types there are."""
        return self.segments.shape[1] - 1


def write_item_table(
    folder: Path,
    weight: np.ndarray,
    bias: np.ndarray,
    type_codes: np.ndarray,
    cluster: np.ndarray,
    data_version: str,
) -> None:
    """Write what `open_item_table` maps.

    Parameters
    ----------
    folder
        An empty directory.
    weight, bias
        float32 [n_items, H] and [n_items].
    type_codes, cluster
        Of each item, int [n_items].
    data_version
        Of the bundle.

    Raises
    ------
    BundleError
        If a weight is not finite.
    """
    check_finite(weight, bias)
    norm = np.linalg.norm(weight, axis=1)
    items, segments = _order(norm, type_codes, cluster)
    is_item = items >= 0
    of_places = np.where(is_item, bias[items], -np.inf).astype(np.float32)
    longest = np.where(is_item, norm[items], 0).reshape(-1, PANEL).max(axis=1)
    centroids = np.zeros((len(segments), weight.shape[1] + 1), dtype=np.float32)
    for number, (begin, end) in enumerate(segments[:, [0, -1]]):
        members = items[begin:end]
        centroids[number, :-1] = weight[members].mean(axis=0)
        centroids[number, -1] = bias[members].mean()
    as_bytes, as_floats = byte_panels(weight, items), float_panels(weight, items)
    arrays = {
        "items": items,
        "types": np.where(is_item, type_codes[items], 0).astype(np.int8),
        "bias": of_places,
        "longest": (longest * (1 + rounding_of_sums(weight.shape[1]))).astype(np.float32),
        "highest_bias": of_places.reshape(-1, PANEL).max(axis=1),
        "segments": segments,
        "centroids": centroids,
        "byte_cells": as_bytes.cells,
        "byte_scale": as_bytes.scale,
        "float_cells": as_floats.cells,
        "float_size": as_floats.size,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    notes = {
        "format_version": FORMAT_VERSION,
        "data_version": data_version,
        "shapes": {name: list(array.shape) for name, array in arrays.items()},
        "loss": as_bytes.loss,
        "reach": as_bytes.reach,
        "n_seen": len(norm),
        "recall": 1.0,
    }
    _write_notes(folder, notes)


def write_n_seen(folder: Path, n_seen: int, recall: float) -> None:
    """Note how many items a search of clusters must look at, and what it finds."""
    _write_notes(folder, {**_read_notes(folder), "n_seen": n_seen, "recall": recall})


def open_item_table(
    folder: Path, weight: np.ndarray, bias: np.ndarray, data_version: str
) -> ItemTable:
    """Map what `write_item_table` wrote; processes share its pages.

    Parameters
    ----------
    folder
        Where it was written.
    weight, bias
        float32 [n_items, H] and [n_items].
    data_version
        Of the bundle.

    Raises
    ------
    BundleError
        If something is missing, or was made of another bundle or by another version.
    """
    path, notes = folder / NOTES, _read_notes(folder)
    found = notes.get("format_version"), notes.get("data_version")
    if found != (FORMAT_VERSION, data_version):
        raise BundleError(
            f"{path} is of format {found[0]} and model {found[1]}, not of format "
            f"{FORMAT_VERSION} and model {data_version}. {_REMEDY}"
        )
    arrays = {
        name: map_array(folder / f"{name}.npy", shape) for name, shape in notes["shapes"].items()
    }
    panels = {
        "bytes": Panels(
            arrays["byte_cells"],
            arrays["byte_scale"],
            arrays["byte_scale"],
            notes["loss"],
            notes["reach"],
        ),
        "floats": Panels(
            arrays["float_cells"],
            np.ones_like(arrays["float_size"]),
            arrays["float_size"],
            0.0,
            1.0,
        ),
    }
    return ItemTable(
        *(arrays[name] for name in _OF_TABLE),
        panels=panels,
        weight=weight,
        item_bias=bias,
        n_seen=notes["n_seen"],
        recall=notes["recall"],
    )


_OF_TABLE = ("items", "types", "bias", "longest", "highest_bias", "segments", "centroids")


def check_finite(weight: np.ndarray, bias: np.ndarray) -> None:
    """Refuse weights that give no scores.

    Raises
    ------
    BundleError
        If one is not finite, or so large that scores may not be.
    """
    for name, values in (("vector", weight), ("bias", bias)):
        highest = np.abs(values).max(initial=0)
        if not highest <= MOST_WEIGHT:  # nor is it if one is not a number
            raise BundleError(
                f"An item's {name} holds {highest}, which gives no scores that items could be "
                f"ranked by: at most {MOST_WEIGHT:g} is expected. Train the model again with a "
                "lower learning rate."
            )


def _order(
    norm: np.ndarray, type_codes: np.ndarray, cluster: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Order items by cluster, type and falling norm: places and segments of `ItemTable`."""
    n_types = int(type_codes.max(initial=0)) + 1
    order = np.lexsort((-norm, type_codes, cluster)).astype(np.int32)
    of_segment = cluster[order].astype(np.int64) * n_types + type_codes[order]
    n_clusters = int(cluster.max(initial=0)) + 1
    counts = np.bincount(of_segment, minlength=n_clusters * n_types).reshape(-1, n_types)
    counts = counts[counts.sum(axis=1) > 0]
    n_places = -(-counts.sum(axis=1) // PANEL) * PANEL
    begins = np.cumsum(n_places) - n_places
    segments = begins[:, None] + np.pad(np.cumsum(counts, axis=1), ((0, 0), (1, 0)))
    items = np.full(n_places.sum(), -1, dtype=np.int32)
    n_before = np.cumsum(counts.sum(axis=1)) - counts.sum(axis=1)
    moved = np.repeat(begins - n_before, counts.sum(axis=1))
    items[np.arange(len(order)) + moved] = order
    return items, segments


def _read_notes(folder: Path) -> dict[str, Any]:
    path = folder / NOTES
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read ({error}). {_REMEDY}") from error


def _write_notes(folder: Path, notes: dict[str, Any]) -> None:
    (folder / NOTES).write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")


def map_array(path: Path, shape: list[int]) -> np.ndarray:
    """Map an array that `numpy.save` wrote; processes share its pages.

    Raises
    ------
    BundleError
        If there is none, or it is of another shape.
    """
    try:
        # Copy-on-write, since compiled code would be compiled again for arrays that are read-only.
        array = np.asarray(np.load(path, mmap_mode="c"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read ({error}). {_REMEDY}") from error
    if list(array.shape) != shape:
        raise BundleError(f"{path} has the shape {array.shape} instead of {shape}. {_REMEDY}")
    return array
