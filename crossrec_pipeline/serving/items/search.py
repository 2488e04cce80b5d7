"""What a person has typed so far in; rows of the items that may be meant, best first, out."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import tantivy
from rapidfuzz.distance.OSA import normalized_similarity
from tantivy import Occur, Query

from crossrec_pipeline.serving.items.search_index import (
    ALL_WORDS,
    FIRST,
    ROW,
    TYPE,
    WHOLE,
    WORD_FIELDS,
    whole_title,
)
from crossrec_pipeline.words import words

MOST_WORDS = 8
"""Words of a query that count; what follows them is not looked for."""
LEAST_LETTERS_FOR_ONE_TYPO = 4
LEAST_LETTERS_FOR_TWO_TYPOS = 8

# Sums over the words of a query. How a word is found counts first, where it is found second, and
# whether the title begins with what was typed third.
_EXACT, _PREFIX = (90.0, 80.0, 70.0), (60.0, 50.0, 40.0)
_BEGINS = 5.0
_IS_WHOLE_TITLE = 1000.0
_FUZZY_EXACT, _FUZZY_PREFIX = 60.0, 40.0
_TYPOS = {1: (30.0, 20.0), 2: (10.0, 5.0)}
_FUZZY_POOL = 100
_BEGINNING_WEIGHT = 0.98
_LEAST_LIKENESS = 0.6
"""Titles that are less like what was typed (0 to 1) are not told apart by it."""


class SearchIndex:
    """Finds items by words of their titles, creators and genres, forgiving typos.

    Every word must be found in one of the three; the last one may be the beginning of a word.
    What is found as it was typed comes before what is found by a beginning, and both before
    what is found by forgiving typos; titles before creators before genres.

    Parameters
    ----------
    folder
        What `write_index` wrote. It is memory-mapped.

    Raises
    ------
    ValueError
        If there is no index, or it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        try:
            index = _opened(folder)
        except ValueError:
            # Even a reader writes a lock file, which some folders do not allow. A copy will do,
            # for as long as it takes: what was opened outlives its name.
            with TemporaryDirectory(prefix="crossrec-search-") as own:
                without_locks = shutil.ignore_patterns("*.lock")
                shutil.copytree(folder, own, ignore=without_locks, dirs_exist_ok=True)
                index = _opened(Path(own))
        self._schema = index.schema
        self._searcher = index.searcher()

    def rows(self, query: str, limit: int, item_type: str | None = None) -> list[int]:
        """Return the rows of the best items.

        Parameters
        ----------
        query
            Anything: nothing in it has a meaning but its words. Without any, nothing is found.
        limit
            How many rows at most.
        item_type
            Find items of this type only.
        """
        typed = words(query)[:MOST_WORDS]
        if not typed or limit < 1:
            return []
        found = self._rows(self._search(self._as_typed(typed), limit, item_type))
        if len(found) < limit and any(_typos(word) for word in typed):
            near = self._search(self._forgiving(typed), limit + _FUZZY_POOL, item_type)
            found += self._rows(self._likest_first(near, whole_title(typed)))
        return list(dict.fromkeys(found))[:limit]

    def _search(self, query: Query, limit: int, item_type: str | None) -> list[tantivy.DocAddress]:
        if item_type is not None:
            only = _scored(self._term(TYPE, item_type), 0.0)
            query = Query.boolean_query([(Occur.Must, query), (Occur.Must, only)])
        return [address for _, address in self._searcher.search(query, limit, count=False).hits]

    def _rows(self, addresses: list[tantivy.DocAddress]) -> list[int]:
        rows = self._searcher.fast_field_values(ROW, addresses)
        return [int(row) for row in rows if row is not None]

    def _likest_first(
        self, addresses: list[tantivy.DocAddress], typed: str
    ) -> list[tantivy.DocAddress]:
        """Order by how much the title, or its beginning, is like what was typed."""

        def likeness(address: tantivy.DocAddress) -> float:
            title = str(self._searcher.doc(address).get_first(WHOLE) or "")
            of_beginning = _BEGINNING_WEIGHT * normalized_similarity(typed, title[: len(typed)])
            return max(normalized_similarity(typed, title), of_beginning, _LEAST_LIKENESS)

        return sorted(addresses, key=likeness, reverse=True)

    def _as_typed(self, typed: list[str]) -> Query:
        """Look for every word as it stands, and for words that begin with the last one."""
        *complete, last = typed
        parts = [(Occur.Must, _best(self._in_fields(word))) for word in complete]
        beginnings = [
            _scored(self._prefix(field, last), score)
            for field, score in zip(WORD_FIELDS, _PREFIX, strict=True)
        ]
        parts.append((Occur.Must, _best([*self._in_fields(last), *beginnings])))
        text = whole_title(typed)
        begins = self._prefix(FIRST if len(typed) == 1 else WHOLE, text)
        parts.append((Occur.Should, _scored(begins, _BEGINS)))
        parts.append((Occur.Should, _scored(self._term(WHOLE, text), _IS_WHOLE_TITLE)))
        return Query.boolean_query(parts)

    def _in_fields(self, word: str) -> list[Query]:
        return [
            _scored(self._term(field, word), score)
            for field, score in zip(WORD_FIELDS, _EXACT, strict=True)
        ]

    def _forgiving(self, typed: list[str]) -> Query:
        """Look for every word with as many typos as its length allows."""
        parts = []
        for place, word in enumerate(typed):
            ways = [_scored(self._term(ALL_WORDS, word), _FUZZY_EXACT)]
            is_last = place == len(typed) - 1
            if is_last:
                ways.append(_scored(self._prefix(ALL_WORDS, word), _FUZZY_PREFIX))
            for typos in range(1, _typos(word) + 1):
                of_word, of_beginning = _TYPOS[typos]
                ways.append(_scored(self._fuzzy(word, typos), of_word))
                if is_last:
                    ways.append(_scored(self._fuzzy_prefix(word, typos), of_beginning))
            parts.append((Occur.Must, _best(ways)))
        return Query.boolean_query(parts)

    def _term(self, field: str, text: str) -> Query:
        return Query.term_query(self._schema, field, text, "basic")

    def _prefix(self, field: str, text: str) -> Query:
        return Query.fuzzy_term_query(self._schema, field, text, 0, prefix=True)

    def _fuzzy(self, word: str, typos: int) -> Query:
        return Query.fuzzy_term_query(self._schema, ALL_WORDS, word, typos)

    def _fuzzy_prefix(self, word: str, typos: int) -> Query:
        return Query.fuzzy_term_query(self._schema, ALL_WORDS, word, typos, prefix=True)


def _opened(folder: Path) -> tantivy.Index:
    index = tantivy.Index.open(str(folder))
    index.config_reader("manual")  # nobody writes to it: no thread has to watch
    return index


def _typos(word: str) -> int:
    if len(word) >= LEAST_LETTERS_FOR_TWO_TYPOS:
        return 2
    return 1 if len(word) >= LEAST_LETTERS_FOR_ONE_TYPO else 0


def _scored(query: Query, score: float) -> Query:
    return Query.const_score_query(query, score)


def _best(queries: list[Query]) -> Query:
    return Query.disjunction_max_query(queries)
