"""Items' descriptions in; how common each word is, and which telling words two items share, out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from crossrec_pipeline.catalogue.links.titles import Title

MOST_COMMON_SHARE = 0.01
"""A word that a larger share of the texts has tells nothing of a story. "London" is in 2 % of the
descriptions of films, "Gandalf" in a few."""
LEAST_COMMON_LIMIT = 5
"""In a small catalogue a word may be in this many texts in any case."""
NAME_SHARE = 0.9
"""What is written with a capital so often is a name: "Panem", but not "Armed", with which
sentences begin too."""
SHORTEST_NAME = 3

_MARKS = r"\p{M}+"
_POSSESSIVE = r"['’ʼ`´][sS]\b"
_APOSTROPHE = r"['’ʼ`´]"
_WORD = r"[\p{L}\p{N}]+"
_CAPITAL = r"^\p{Lu}"
_PAIRS_AT_ONCE = 50_000
_TEXTS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Shared:
    """What two descriptions have in common beside the words that are known.

    Attributes
    ----------
    cosine
        Of the tf-idf vectors of their telling words, 0 to 1.
    names, others
        Telling words of both, the rarest first: those that are names, and those that are not.
    names_rarity, others_rarity
        Sum of the rarities of each.
    """

    cosine: float
    names: tuple[str, ...]
    others: tuple[str, ...]
    names_rarity: float
    others_rarity: float


class Descriptions:
    """The words of all items' texts: titles, descriptions, and the creators of described items.

    Parameters
    ----------
    items
        Columns of `catalogue.schema.ITEMS`, without what was filled in (see `as_delivered`).
    titles
        Of the same items.
    known
        Words of each item by which pairs were found: that two texts share them says nothing new.
    """

    def __init__(
        self, items: pl.DataFrame, titles: Sequence[Title], known: Sequence[Iterable[str]]
    ) -> None:
        self._n_texts = max(items.height, 1)
        counts = _count(items, titles)
        self._rarity = {
            word: float(np.log(self._n_texts / n))
            for word, n in counts.select("word", "n_texts").iter_rows()
        }
        self._telling = _telling(counts, self._n_texts)
        self._matrix = self._weigh(_slices(items))
        self._known = self._weigh([_rows_of_words(known)])

    def rarity(self, word: str) -> float:
        """Return ln(N / n) of a word that n of the N texts have; ln N of an unknown one."""
        return self._rarity.get(word, float(np.log(self._n_texts)))

    def shared(self, left: np.ndarray, right: np.ndarray) -> Iterator[Shared]:
        """Compare the texts of pairs of rows, int [n] each; one result a pair."""
        squares = self._matrix.multiply(self._matrix).sum(axis=1)
        lengths = np.sqrt(np.asarray(squares).ravel())
        words = self._telling["word"].to_list()
        is_name = self._telling["is_name"].to_numpy()
        rarity = self._telling["rarity"].to_numpy()
        for start in range(0, len(left), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            a, b = left[part], right[part]
            common = self._matrix[a].multiply(self._matrix[b])
            known = self._known[a] + self._known[b]
            common = sparse.csr_matrix(common - common.multiply(known > 0))
            common.eliminate_zeros()
            norms = np.maximum(lengths[a] * lengths[b], 1e-9)
            cosines = np.asarray(common.sum(axis=1)).ravel() / norms
            for row, cosine in enumerate(cosines.tolist()):
                places = common.indices[common.indptr[row] : common.indptr[row + 1]]
                # Of equally rare words the one that comes first in the alphabet.
                ordered = places[np.lexsort((places, -rarity[places]))]
                names = ordered[is_name[ordered]]
                others = ordered[~is_name[ordered]]
                yield Shared(
                    cosine,
                    tuple(words[place].capitalize() for place in names),
                    tuple(words[place] for place in others),
                    float(rarity[names].sum()),
                    float(rarity[others].sum()),
                )

    def _weigh(self, slices: Iterable[pl.DataFrame]) -> sparse.csr_matrix:
        """Put the telling words into a matrix [N, words], each weighing its rarity."""
        chosen = self._telling.select("word", "place", "rarity")
        empty = pl.DataFrame(schema={"row": pl.UInt32, "word": pl.String})
        found = [each.select("row", "word").join(chosen, on="word") for each in [empty, *slices]]
        # In one order: sums of floats depend on it.
        entries = pl.concat(found).select("row", "place", "rarity").unique().sort("row", "place")
        at = entries["row"].to_numpy(), entries["place"].to_numpy()
        shape = self._n_texts, self._telling.height
        return sparse.csr_matrix((entries["rarity"].to_numpy(), at), shape=shape)


def _slices(items: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Split the texts of some items after others: the words of all would fill the memory."""
    numbered = items.select("description", "creators").with_row_index("row")
    for part in numbered.iter_slices(_TEXTS_AT_ONCE):
        yield _words_of_texts(part)


def _words_of_texts(numbered: pl.DataFrame) -> pl.DataFrame:
    """Split descriptions and names of creators into words: `row`, `word`, and its `capital`."""
    # Null where there is no description: creators alone would make all works of one alike.
    text = pl.concat_str("description", pl.col("creators").list.join(" "), separator=" ")
    folded = (
        text.str.normalize("NFKD")
        .str.replace_all(_MARKS, "")
        .str.replace_all(_POSSESSIVE, "")
        .str.replace_all(_APOSTROPHE, "")
    )
    return (
        numbered.select("row", folded.str.extract_all(_WORD).alias("token"))
        .explode("token")
        .drop_nulls()
        .select(
            "row",
            pl.col("token").str.to_lowercase().alias("word"),
            pl.col("token").str.contains(_CAPITAL).alias("capital"),
        )
    )


def _rows_of_words(words: Sequence[Iterable[str]]) -> pl.DataFrame:
    found = [(row, word) for row, of_row in enumerate(words) for word in of_row]
    return pl.DataFrame(found, schema={"row": pl.UInt32, "word": pl.String}, orient="row")


def _count(items: pl.DataFrame, titles: Sequence[Title]) -> pl.DataFrame:
    """Count each word: in texts with their titles, in texts alone, there in all, with a capital."""
    numbers = ("n_texts", "n", "n_in_all", "n_capital")
    schema = pl.Schema({"word": pl.String(), **dict.fromkeys(numbers, pl.UInt32())})
    counted = [pl.DataFrame(schema=schema)]
    begin = 0
    for found in _slices(items):
        part = titles[begin : begin + _TEXTS_AT_ONCE]
        in_titles = _rows_of_words([title.said for title in part]).with_columns(
            pl.col("row") + begin
        )
        begin += _TEXTS_AT_ONCE
        with_titles = (
            pl.concat([found.select("row", "word"), in_titles])
            .group_by("word")
            .agg(pl.col("row").n_unique().alias("n_texts"))
        )
        alone = found.group_by("word").agg(
            pl.col("row").n_unique().alias("n"),
            pl.len().alias("n_in_all"),
            pl.col("capital").sum().alias("n_capital"),
        )
        counted.append(with_titles.join(alone, on="word", how="left").fill_null(0).cast(schema))
    return pl.concat(counted).group_by("word").sum().sort("word")


def _telling(counts: pl.DataFrame, n_texts: int) -> pl.DataFrame:
    """Choose words that two texts or more have, but not many, and number them."""
    limit = max(LEAST_COMMON_LIMIT, MOST_COMMON_SHARE * n_texts)
    is_name = (pl.col("n_capital") >= NAME_SHARE * pl.col("n_in_all")) & (
        pl.col("word").str.len_chars() >= SHORTEST_NAME
    )
    return (
        counts.filter(pl.col("n").is_between(2, limit))
        .with_row_index("place")
        .select(
            "word",
            "place",
            is_name.alias("is_name"),
            (n_texts / pl.col("n_texts")).log().alias("rarity"),
        )
    )
