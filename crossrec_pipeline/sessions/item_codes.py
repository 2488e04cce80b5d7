"""From item ids to one code each for the whole log, whatever the order they are met in."""

from itertools import count

import numpy as np
import polars as pl
import pyarrow as pa

from crossrec_pipeline.kernels import kernel

_SEED = 20_230_302
_EMPTY = -1


class ItemCodes:
    """Codes of items: those of the catalogue in the order of their ids, then others as met.

    Parameters
    ----------
    catalogue_ids
        Item ids of the catalogue, in any order, repeats allowed.
    """

    def __init__(self, catalogue_ids: pl.Series) -> None:
        self._catalogue = catalogue_ids.drop_nulls().unique().sort()
        self._others: dict[str, int] = {}
        for self._seed in count(_SEED):
            hashes = self._hash(self._catalogue)
            self._slots, is_unique = fill_slots(hashes)
            self._hashes = hashes
            if is_unique:
                break

    def __len__(self) -> int:
        return self.n_in_catalogue + len(self._others)

    @property
    def n_in_catalogue(self) -> int:
        """Codes below this are of items of the catalogue."""
        return len(self._catalogue)

    def encode(self, item_ids: pa.Array) -> np.ndarray:
        """Return the code of each id, int32 [n_ids]; ids never met before get the next codes."""
        ids = pl.Series(item_ids, dtype=pl.String)
        codes = find_in_slots(self._hash(ids), self._slots, self._hashes)
        is_known = codes != _EMPTY
        # Ids of the same hash may differ.
        known = pl.Series(is_known)
        is_known[is_known] = (
            self._catalogue.gather(codes[is_known]) == ids.filter(known)
        ).to_numpy()
        for place in np.flatnonzero(~is_known):
            codes[place] = self._others.setdefault(ids[int(place)], len(self))
        return codes

    def decode(self, codes: np.ndarray) -> pl.Series:
        """Return the ids of codes."""
        ids = pl.concat([self._catalogue, pl.Series(list(self._others), dtype=pl.String)])
        return ids.gather(codes)

    def _hash(self, ids: pl.Series) -> np.ndarray:
        return ids.hash(seed=self._seed).to_numpy()


@kernel(nogil=True)
def fill_slots(hashes: np.ndarray) -> tuple[np.ndarray, bool]:
    """Put the position of each hash into a table, by open addressing.

    Parameters
    ----------
    hashes
        uint64 [n].

    Returns
    -------
    slots
        Positions in `hashes`, -1 in empty slots, int32 [a power of two above 2 n].
    is_unique
        Whether all hashes differ; if not, the table is not whole.
    """
    size = 2
    while size < 2 * len(hashes):
        size *= 2
    mask = np.uint64(size - 1)
    slots = np.full(size, _EMPTY, dtype=np.int32)
    for place in range(len(hashes)):
        slot = hashes[place] & mask
        while slots[slot] != _EMPTY:
            if hashes[slots[slot]] == hashes[place]:
                return slots, False
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = place
    return slots, True


@kernel(nogil=True)
def find_in_slots(wanted: np.ndarray, slots: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Return the position of each wanted hash, -1 where there is none, int32 [n_wanted].

    Parameters
    ----------
    wanted
        uint64 [n_wanted].
    slots, hashes
        As `fill_slots` returned and was given.
    """
    found = np.empty(len(wanted), dtype=np.int32)
    mask = np.uint64(len(slots) - 1)
    for place in range(len(wanted)):
        slot = wanted[place] & mask
        while slots[slot] != _EMPTY and hashes[slots[slot]] != wanted[place]:
            slot = (slot + np.uint64(1)) & mask
        found[place] = slots[slot]
    return found
