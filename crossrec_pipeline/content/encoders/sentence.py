"""Texts in; vectors of their meaning by a sentence model, out (extra `text`).

Models of sentence-transformers: a language model reads the text, and the vectors of its tokens are
averaged (Reimers & Gurevych, 2019).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from crossrec_pipeline.content.encoders.base import normalised
from crossrec_pipeline.content.encoders.sentence_models import library_missing
from crossrec_pipeline.content.encoders.torch_threads import each_in_one_thread
from crossrec_pipeline.digests import file_sha256, json_digest
from crossrec_pipeline.errors import ContentError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]

_WEIGHTS = ("*.safetensors", "*.bin")
_DESCRIBING = ("*.json", "*.txt", "*.model")


class SentenceEncoder:
    """Embeds texts by a sentence model of this machine.

    Parameters
    ----------
    folder
        Holds the model.
    model
        What it is called.
    max_tokens
        Of a text that are read; fewer where the model reads fewer.
    batch_size
        Texts that are taken at once. Those of like length are taken together.
    device
        `auto` is CUDA where there is one.

    Raises
    ------
    ContentError
        If sentence-transformers is not installed, or the model cannot be loaded.
    """

    def __init__(
        self,
        folder: Path,
        model: str,
        *,
        max_tokens: int = 128,
        batch_size: int = 32,
        device: Literal["auto", "cpu", "cuda"] = "auto",
    ) -> None:
        self._model = _loaded(folder, model, device)
        self._model.max_seq_length = min(max_tokens, self._model.max_seq_length or max_tokens)
        # Sets the tokeniser up once, after which several threads may use it.
        self._model.encode(["warm up"], show_progress_bar=False)
        self._batch_size = batch_size
        tokens = self._model.max_seq_length
        self._name = f"{Path(model).name}@{_fingerprint(folder)[:8]}/{tokens}"

    @property
    def name(self) -> str:
        """Identity: the model, a digest of its files, and how many tokens it reads."""
        return self._name

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        dimension = self._model.get_embedding_dimension()
        assert dimension is not None
        return dimension

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of texts, float32 [N, D]."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        # A batch is padded to its longest text.
        rows = np.argsort([-len(text) for text in texts], kind="stable")
        batches = [
            rows[begin : begin + self._batch_size]
            for begin in range(0, len(rows), self._batch_size)
        ]

        def encode_batch(batch: np.ndarray) -> None:
            vectors[batch] = self._model.encode(
                [texts[int(row)] for row in batch],
                batch_size=len(batch),
                show_progress_bar=False,
                convert_to_numpy=True,
            )

        if self._model.device.type == "cpu":
            each_in_one_thread(encode_batch, batches)
        else:
            for batch in batches:
                encode_batch(batch)
        return normalised(vectors)


def _loaded(folder: Path, model: str, device: str) -> "SentenceTransformer":
    try:
        import torch
        from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise library_missing(str(error)) from error
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return SentenceTransformer(str(folder), device=device, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise ContentError(
            f"CROSSREC_CONTENT__MODEL={model!r}: {folder} holds no sentence model that can be "
            f"loaded on {device} ({error}). Fetch it again, or name another."
        ) from error


def _fingerprint(folder: Path) -> str:
    """Digest the files that decide what the model makes of a text."""
    patterns = (*_WEIGHTS, *_DESCRIBING)
    files = sorted({path for pattern in patterns for path in folder.rglob(pattern)})
    return json_digest({path.relative_to(folder).as_posix(): file_sha256(path) for path in files})
