from typing import Any

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer

from crossrec_pipeline.content.encoders.hashed_counts import WORD, Columns, count_parts

COLUMNS = Columns(words=2**12, characters=2**11, shortest=3, longest=4)
TEXTS = ["Creed III: the creed.", "", "Éric Rohmer's été, ÉTÉ", "a b c", "日本 film"]
AS_WORDS: dict[str, Any] = {"strip_accents": "unicode", "token_pattern": WORD}


def counted(texts: list[str], n_columns: int, **options: Any) -> np.ndarray:
    plain: dict[str, Any] = {"norm": None, "alternate_sign": False, "n_features": n_columns}
    found: Any = HashingVectorizer(**plain, **options).transform(texts)
    return found.toarray()


def test_counts_are_those_of_counting_text_by_text():
    split = HashingVectorizer(**AS_WORDS).build_analyzer()
    only_words = [" ".join(split(text)) for text in TEXTS]
    words = counted(TEXTS, COLUMNS.words, **AS_WORDS)
    runs = counted(only_words, COLUMNS.characters, analyzer="char_wb", ngram_range=(3, 4))
    counts = count_parts(TEXTS, COLUMNS).toarray()
    np.testing.assert_array_equal(counts, np.concatenate([words, runs], axis=1))


def test_texts_without_words_have_no_counts():
    counts = count_parts(["", "!"], COLUMNS)
    assert counts.shape == (2, COLUMNS.total)
    assert counts.nnz == 0
    assert count_parts([], COLUMNS).shape == (0, COLUMNS.total)
