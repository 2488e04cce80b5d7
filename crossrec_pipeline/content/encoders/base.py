"""What every encoder does: texts in; one vector each out."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

Progress = Callable[[str], None]
"""Receives a line of text now and then."""


class TextEncoder(Protocol):
    """Maps texts to vectors: texts of like meaning, or like words, to near ones."""

    @property
    def name(self) -> str:
        """Identity: what the vectors of any text depend on, with model and version."""
        ...

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of texts, float32 [N, D].

        Each has length 1, or is zero where the encoder finds nothing in the text.
        """
        ...


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Return vectors, float [N, D], as float32 of length 1; zero ones stay zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0).astype(
        np.float32
    )
