"""Texts in; vectors of their words and parts of words, out: no model is needed, nor a network.

Words and runs of characters are counted in hashed columns, weighted by tf-idf, and projected on the
directions in which the texts of the catalogue differ most (latent semantic analysis; Deerwester et
al., 1990). The map is fitted once and kept: later texts are projected by the same one.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from threadpoolctl import threadpool_limits

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.content.encoders.base import Progress, normalised
from crossrec_pipeline.content.encoders.hashed_counts import Columns, count_parts
from crossrec_pipeline.digests import arrays_digest, json_digest
from crossrec_pipeline.errors import ContentError

FORMAT_VERSION = 1

_BLOCK = 4096
_LEAST_TEXTS = 2
"""A column that fewer texts have says nothing of what is like what."""
_METADATA = "crossrec_hashed"


@dataclass(frozen=True)
class HashedConfig:
    """What a map is made by.

    Attributes
    ----------
    dimension
        Numbers in a vector; fewer where the texts differ in fewer ways.
    columns
        Hashed columns.
    character_weight
        Of runs of characters beside words, which have 1.
    most_fitted
        Texts that the map is fitted on; of more, so many are drawn.
    n_iterations
        Of the randomised decomposition.
    seed
        Of the draw and of the decomposition.
    """

    dimension: int = 128
    columns: Columns = field(default_factory=lambda: Columns(2**16, 2**15, 3, 4))
    character_weight: float = 0.5
    most_fitted: int = 20_000
    n_iterations: int = 4
    seed: int = 0


@dataclass(frozen=True, eq=False)
class HashedEncoder:
    """A fitted map.

    Attributes
    ----------
    config
        What it was made by.
    n_texts
        Texts of the catalogue that it was fitted for.
    kept
        The hashed columns that count, ascending, int32 [K].
    idf
        Their weights, float32 [K].
    directions
        float32 [D, K].
    """

    config: HashedConfig
    n_texts: int
    kept: np.ndarray
    idf: np.ndarray
    directions: np.ndarray

    @property
    def name(self) -> str:
        """Identity, with a digest of what was fitted."""
        return f"hashed-svd-{self.dimension}@{self._digest[:8]}"

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return len(self.directions)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return the vectors of texts, float32 [N, D]; zero where no word is known."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for begin in range(0, len(texts), _BLOCK):
            counts = count_parts(texts[begin : begin + _BLOCK], self.config.columns)[:, self.kept]
            weighted = _weighted(counts, self.kept, self.idf, self.config)
            vectors[begin : begin + _BLOCK] = normalised(weighted @ self.directions.T)
        return vectors

    @cached_property
    def _digest(self) -> str:
        fitted = arrays_digest(self.kept, self.idf, self.directions)
        return json_digest([asdict(self.config), fitted])

    def save(self, path: Path) -> None:
        """Write it as one safetensors file, whole or not at all."""
        about = {"format": FORMAT_VERSION, "n_texts": self.n_texts, "config": asdict(self.config)}
        arrays = {"kept": self.kept, "idf": self.idf, "directions": self.directions}
        with atomic_file(path) as partial:
            save_file(arrays, partial, metadata={_METADATA: json.dumps(about)})

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ContentError
            If it is damaged, or of another format.
        """
        try:
            with safe_open(path, framework="numpy") as file:
                about = json.loads((file.metadata() or {})[_METADATA])
                if about["format"] != FORMAT_VERSION:
                    raise ValueError(f"its format is {about['format']}, not {FORMAT_VERSION}")
                columns = Columns(**about["config"].pop("columns"))
                config = HashedConfig(**about["config"], columns=columns)
                arrays = {name: file.get_tensor(name) for name in ("kept", "idf", "directions")}
                return cls(config, about["n_texts"], **arrays)
        except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
            raise ContentError(
                f"{path} cannot be read ({error}). Delete it: it is fitted again, and all items "
                "are embedded anew."
            ) from error


def fit(texts: Sequence[str], config: HashedConfig | None = None) -> HashedEncoder:
    """Fit a map on the texts of a catalogue.

    Where no two texts share a word or a part of one, the map leads all of them to zero.
    """
    config = config or HashedConfig()
    rng = np.random.default_rng(config.seed)
    drawn = list(texts)
    if len(drawn) > config.most_fitted:
        rows = np.sort(rng.choice(len(drawn), config.most_fitted, replace=False))
        drawn = [texts[int(row)] for row in rows]
    blocks = [
        count_parts(drawn[begin : begin + _BLOCK], config.columns)
        for begin in range(0, max(len(drawn), 1), _BLOCK)
    ]
    counts = _joined(sparse.vstack, blocks)
    kept = np.flatnonzero(counts.getnnz(axis=0) >= _LEAST_TEXTS).astype(np.int32)
    counts = cast("sparse.csr_matrix", counts[:, kept])
    rank = min(config.dimension, len(drawn) - 1, len(kept) - 1)
    if rank < 1:
        nothing = np.zeros((1, 0), dtype=np.float32)
        return HashedEncoder(config, len(texts), kept[:0], nothing[0], nothing)
    idf = np.asarray(TfidfTransformer().fit(counts).idf_, dtype=np.float32)
    weighted = _weighted(counts, kept, idf, config)
    # Its dense products are small: several threads take longer, and much longer beside others.
    with threadpool_limits(1, user_api="blas"):
        svd = TruncatedSVD(rank, n_iter=config.n_iterations, random_state=config.seed)
        svd.fit(weighted)
    directions = np.ascontiguousarray(svd.components_, dtype=np.float32)
    return HashedEncoder(config, len(texts), kept, idf, directions)


def open_or_fit(
    texts: Sequence[str], path: Path, say: Progress, config: HashedConfig | None = None
) -> HashedEncoder:
    """Take the map that lies at a path, or fit and keep one.

    It is fitted anew where there is none, it cannot be read, it was made otherwise, or there are
    more than twice as many texts as it was fitted for.

    Parameters
    ----------
    texts
        Of the whole catalogue, without empty ones.
    path
        Where the map is kept.
    say
        Receives a line where one is fitted.
    config
        What it is made by.
    """
    config = config or HashedConfig()
    why = "there is none yet"
    if path.exists():
        try:
            encoder = HashedEncoder.open(path)
        except ContentError as error:
            why = str(error)
        else:
            if encoder.config == config and len(texts) <= 2 * encoder.n_texts:
                return encoder
            why = "it was made otherwise"
            if encoder.config == config:
                why = f"the catalogue had {encoder.n_texts:,} items then"
    say(f"Fitting the map of hashed words on {len(texts):,} items: {why}.")
    encoder = fit(texts, config)
    encoder.save(path)
    return encoder


def _weighted(
    counts: sparse.csr_matrix, kept: np.ndarray, idf: np.ndarray, config: HashedConfig
) -> sparse.csr_matrix:
    """Weight counts [N, K] by tf-idf; words, and runs of characters, each have the same length."""
    n_words = int(np.searchsorted(kept, config.columns.words))
    parts = [cast("sparse.csr_matrix", counts[:, :0])]
    for columns, weight in (
        (slice(None, n_words), 1.0),
        (slice(n_words, None), config.character_weight),
    ):
        if idf[columns].size:
            tfidf = TfidfTransformer(sublinear_tf=True)
            tfidf.idf_ = idf[columns]
            part = cast("sparse.csr_matrix", tfidf.transform(counts[:, columns]))
            parts.append(part.multiply(np.float32(weight)))
    return _joined(sparse.hstack, parts)


def _joined(join: Callable[..., Any], parts: Sequence[sparse.csr_matrix]) -> sparse.csr_matrix:
    return join(parts, format="csr", dtype=np.float32)
