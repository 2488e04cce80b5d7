"""An encoder whose vectors can be told by hand, and that counts what it was given."""

from collections.abc import Sequence

import numpy as np

from crossrec_pipeline.content.encoders.base import normalised

LETTERS = "abcdefghijklmnopqrstuvwxyz"


class LetterEncoder:
    """Counts letters; breaks off, as Ctrl-C would, when it has had its fill."""

    dimension = len(LETTERS)

    def __init__(self, name: str = "letters@1", breaks_after: int | None = None) -> None:
        self.name = name
        self.encoded: list[str] = []
        self._breaks_after = breaks_after

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        if self._breaks_after is not None and len(self.encoded) >= self._breaks_after:
            raise KeyboardInterrupt
        self.encoded += texts
        counts = [[text.lower().count(letter) for letter in LETTERS] for text in texts]
        return normalised(np.array(counts, dtype=np.float32).reshape(len(texts), len(LETTERS)))
