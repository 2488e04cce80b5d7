"""Texts of items and an encoder in; the items' vectors, of which only new ones are made, out."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from crossrec_pipeline.content.encoders.base import Progress, TextEncoder
from crossrec_pipeline.content.unfinished import UnfinishedVectors
from crossrec_pipeline.content.vector_files import read_vectors, write_vectors
from crossrec_pipeline.digests import frame_digest, text_digest
from crossrec_pipeline.errors import ContentError

EMBEDDINGS_FILE = "embeddings.parquet"

_COLUMNS = ("item_id", "item_type", "digest")
_BLOCK = 512
"""Texts that are encoded before somebody may be told, or anything is kept."""
_SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True, eq=False)
class ItemEmbeddings:
    """Vectors of items.

    Attributes
    ----------
    item_ids, item_types
        Of the items, row by row; an id is there once.
    digests
        Of what was embedded: the encoder's name and the item's text.
    vectors
        float32 [N, D], of length 1, or zero where there was nothing to embed.
    encoder
        Name of what embedded them.
    """

    item_ids: Sequence[str]
    item_types: Sequence[str]
    digests: Sequence[str]
    vectors: np.ndarray
    encoder: str

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.item_ids)

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self.vectors.shape[1]

    @cached_property
    def version(self) -> str:
        """Digest of what was embedded, by what; equal where vectors differ in rounding only."""
        about = pl.DataFrame(self._texts(), schema=dict.fromkeys(_COLUMNS, pl.String()))
        return text_digest(self.encoder, frame_digest(about))

    def rows(self, item_ids: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Look up the vectors of items.

        Parameters
        ----------
        item_ids
            M ids, in any order, also repeated or unknown.

        Returns
        -------
        vectors, found
            float32 [M, D], zero where an id is unknown; bool [M].
        """
        row_of = self._row_of
        places = np.array([row_of.get(item_id, -1) for item_id in item_ids], dtype=np.int64)
        found = places >= 0
        vectors = np.zeros((len(places), self.dimension), dtype=np.float32)
        vectors[found] = self.vectors[places[found]]
        return vectors, found

    def save(self, path: Path) -> None:
        """Write them, whole or not at all: columns item_id, item_type, digest, vector."""
        write_vectors(path, self._texts(), self.vectors, self.encoder)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ContentError
            If there is none, or it is damaged.
        """
        texts, vectors, encoder = read_vectors(path, _COLUMNS)
        return cls(*(texts[name] for name in _COLUMNS), vectors=vectors, encoder=encoder)

    def _texts(self) -> dict[str, Sequence[str]]:
        return dict(zip(_COLUMNS, (self.item_ids, self.item_types, self.digests), strict=True))

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {item_id: row for row, item_id in enumerate(self.item_ids)}


@dataclass(frozen=True)
class Embedded:
    """What was embedded.

    Attributes
    ----------
    embeddings
        Of all items.
    n_encoded
        Items whose text is new, or another than the time before.
    n_gone
        Items of the time before that are no more.
    n_empty
        Items without a text; their vectors are zero.
    seconds
        That encoding took.
    """

    embeddings: ItemEmbeddings
    n_encoded: int
    n_gone: int
    n_empty: int
    seconds: float


def embed_items(texts: pl.DataFrame, encoder: TextEncoder, path: Path, say: Progress) -> Embedded:
    """Bring the embeddings that lie at a path up to date.

    Only texts that this encoder has not embedded before are encoded, each once, however many items
    have it. What was encoded is kept beside the path when this is broken off, and the next call
    goes on from there; a process that is killed loses a minute of it.

    Parameters
    ----------
    texts
        Columns of `content.texts.TEXTS`, an id once.
    encoder
        Embeds them.
    path
        Where the embeddings lie, if there are any yet; replaced as a whole.
    say
        Receives a line now and then.
    """
    digests = [text_digest(encoder.name, text) for text in texts["text"]]
    is_empty = (texts["text"] == "").to_numpy()
    vectors = np.zeros((texts.height, encoder.dimension), dtype=np.float32)
    is_done = is_empty.copy()
    before = _previous(path, say)
    if before is not None and before.encoder == encoder.name:
        _fill_in(before.digests, before.vectors, digests, vectors, is_done)
    unfinished = UnfinishedVectors(path, encoder.name)
    kept, kept_vectors = unfinished.read(say)
    if kept:
        _fill_in(kept, np.concatenate(kept_vectors), digests, vectors, is_done)

    item_ids, item_types = texts["item_id"].to_list(), texts["item_type"].to_list()
    embeddings = ItemEmbeddings(item_ids, item_types, digests, vectors, encoder.name)
    missing: list[int] = np.flatnonzero(~is_done).tolist()
    began = time.perf_counter()
    with unfinished.removed_when_done():
        _encode(missing, texts["text"], encoder, embeddings, unfinished, say)
        seconds = time.perf_counter() - began
        embeddings.save(path)
    n_gone = 0 if before is None else len(set(before.item_ids).difference(item_ids))
    return Embedded(embeddings, len(missing), n_gone, int(is_empty.sum()), seconds)


def _previous(path: Path, say: Progress) -> ItemEmbeddings | None:
    if not path.exists():
        return None
    try:
        return ItemEmbeddings.open(path)
    except ContentError as error:
        say(f"{error} All items are embedded anew.")
        return None


def _fill_in(
    known: Sequence[str],
    known_vectors: np.ndarray,
    digests: Sequence[str],
    vectors: np.ndarray,
    is_done: np.ndarray,
) -> None:
    """Copy the vectors of digests that are known, and mark them as done."""
    row_of = {digest: row for row, digest in enumerate(known)}
    rows = np.array([row_of.get(digest, -1) for digest in digests], dtype=np.int64)
    found = ~is_done & (rows >= 0)
    vectors[found] = known_vectors[rows[found]]
    is_done |= found


def _encode(
    missing: Sequence[int],
    texts: pl.Series,
    encoder: TextEncoder,
    embeddings: ItemEmbeddings,
    unfinished: UnfinishedVectors,
    say: Progress,
) -> None:
    """Encode the texts of some rows, block by block, and put their vectors in place."""
    digests, vectors = embeddings.digests, embeddings.vectors
    first_row: dict[str, int] = {}
    for row in missing:
        first_row.setdefault(digests[row], row)
    rows = list(first_row.values())
    began = told = time.perf_counter()
    for begin in range(0, len(rows), _BLOCK):
        block = rows[begin : begin + _BLOCK]
        vectors[block] = encoder.encode(texts.gather(block).to_list())
        unfinished.add([digests[row] for row in block], vectors[block])
        now = time.perf_counter()
        if now - told > _SECONDS_BETWEEN_LINES:
            told = now
            say(_progress(begin + len(block), len(rows), now - began))
    # Items of one text have one vector.
    vectors[missing] = vectors[[first_row[digests[row]] for row in missing]]


def _progress(n_done: int, n_all: int, seconds: float) -> str:
    left = seconds / n_done * (n_all - n_done)
    time_left = f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
    return f"{n_done:,} of {n_all:,} texts embedded, {n_done / seconds:,.0f}/s, {time_left} left"
