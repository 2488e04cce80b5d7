"""Vectors of an embedding under way: kept beside its target, for the next run to go on from."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from crossrec_pipeline.content.encoders.base import Progress
from crossrec_pipeline.content.vector_files import encoder_of, read_vectors, write_vectors
from crossrec_pipeline.errors import ContentError

_SECONDS_AT_STAKE = 60.0
"""Work that a killed process may lose."""


class UnfinishedVectors:
    """Keeps what was encoded, file after file, in a folder ``<target>.unfinished``.

    Parameters
    ----------
    target
        What the vectors are for.
    encoder
        Name of what makes them. Vectors of another one are of no use, and are deleted.
    """

    def __init__(self, target: Path, encoder: str) -> None:
        self._folder = target.with_name(f"{target.stem}.unfinished")
        self._encoder = encoder
        self._digests: list[str] = []
        self._vectors: list[np.ndarray] = []
        self._kept_at = time.monotonic()

    def read(self, say: Progress) -> tuple[list[str], list[np.ndarray]]:
        """Return what an earlier run kept: digests of what was encoded, and blocks of vectors.

        Parameters
        ----------
        say
            Receives a line where there is any.

        Returns
        -------
        digests, vectors
            N digests, and float32 [n, D] that have N rows together.
        """
        digests: list[str] = []
        vectors: list[np.ndarray] = []
        for path in sorted(self._folder.glob("[!.]*.parquet")):
            if not self._is_ours(path):
                path.unlink()
                continue
            texts, found, _ = read_vectors(path, ["digest"])
            digests += texts["digest"]
            vectors.append(found)
        if digests:
            say(f"{len(digests):,} texts were embedded by a run that was broken off.")
        return digests, vectors

    def add(self, digests: Sequence[str], vectors: np.ndarray) -> None:
        """Take vectors, float32 [n, D], and keep them when enough work is at stake."""
        self._digests += digests
        self._vectors.append(vectors)
        if time.monotonic() - self._kept_at > _SECONDS_AT_STAKE:
            self._keep()

    @contextmanager
    def removed_when_done(self) -> Iterator[None]:
        """Delete all of it after a block that made the target; keep it if that is broken off."""
        try:
            yield
        except BaseException:
            self._keep()
            raise
        shutil.rmtree(self._folder, ignore_errors=True)

    def _is_ours(self, path: Path) -> bool:
        try:
            return encoder_of(path) == self._encoder
        except ContentError:
            return False

    def _keep(self) -> None:
        """Write what was taken since the last time."""
        if self._digests:
            number = sum(1 for _ in self._folder.glob("[!.]*.parquet"))
            path = self._folder / f"{number:05d}-{self._digests[0]}.parquet"
            vectors = np.concatenate(self._vectors)
            write_vectors(path, {"digest": self._digests}, vectors, self._encoder)
            self._digests, self._vectors = [], []
        self._kept_at = time.monotonic()
