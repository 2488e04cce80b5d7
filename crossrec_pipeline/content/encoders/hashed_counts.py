"""Texts in; how often each word and each part of a word is in them, by hashed columns, out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

WORD = r"(?u)\b\w\w+\b"


@dataclass(frozen=True)
class Columns:
    """How many columns there are, and of which parts of words.

    Attributes
    ----------
    words, characters
        Columns that words, and runs of characters, are hashed into.
    shortest, longest
        Characters in a run. Word boundaries count as one.
    """

    words: int
    characters: int
    shortest: int
    longest: int

    @property
    def total(self) -> int:
        """Columns of the counts, those of words first."""
        return self.words + self.characters


def count_parts(texts: Sequence[str], columns: Columns) -> sparse.csr_matrix:
    """Count words and runs of characters.

    Runs do not cross words, so those of each distinct word are looked up once, and the counts of
    texts are a product of matrices: the same as counting them text by text, at a fraction of the
    time.

    Returns
    -------
    sparse.csr_matrix
        float32 [N, columns.total], without negative values.
    """
    words = CountVectorizer(strip_accents="unicode", token_pattern=WORD)
    try:
        counts = cast("sparse.csr_matrix", words.fit_transform(texts)).astype(np.float32)
    except ValueError:  # there is no word in any of them
        return sparse.csr_matrix((len(texts), columns.total), dtype=np.float32)
    vocabulary = words.get_feature_names_out()
    whole = _hashed(vocabulary, columns.words, analyzer=_itself)
    ngram_range = (columns.shortest, columns.longest)
    runs = _hashed(vocabulary, columns.characters, analyzer="char_wb", ngram_range=ngram_range)
    parts = sparse.hstack([whole, runs], format="csr", dtype=np.float32)
    return cast("sparse.csr_matrix", counts @ parts)


def _hashed(words: np.ndarray, n_columns: int, **options: Any) -> sparse.csr_matrix:
    """Count the parts of each word in hashed columns [W, n_columns]."""
    vectorizer = HashingVectorizer(
        n_features=n_columns, norm=cast("Any", None), alternate_sign=False, **options
    )
    return cast("sparse.csr_matrix", vectorizer.transform(words))


def _itself(word: str) -> list[str]:
    return [word]
