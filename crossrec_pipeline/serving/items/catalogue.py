"""A folder with the details of all items in; the details of one, by id or index, or found, out."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

import orjson
import polars as pl
import pyarrow as pa

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.serving.api.schemas import (
    FoundItem,
    ItemDetail,
    ItemSummary,
    SimilarItems,
)
from crossrec_pipeline.serving.items.details import DETAILS, common_genres
from crossrec_pipeline.serving.items.search import SearchIndex
from crossrec_pipeline.serving.items.search_index import write_index

ITEMS = "items.arrow"
SEARCH = "search"

_COMMON_GENRES = b"common_genres"
"""Where the file keeps the genres that tell nothing of an item of their type."""

_CACHED_ITEMS = 20_000
_SUMMARY = ("item_id", "item_type", "title", "creators", "genres")


@dataclass(frozen=True)
class Credits:
    """What an item can have in common with others, by the casefolded name.

    Attributes
    ----------
    creators
        Names as they are written.
    genres
        The same; those that too many of the item's type have are left out.
    """

    creators: dict[str, str]
    genres: dict[str, str]


@dataclass(frozen=True)
class LinkedItems:
    """Ids of the items that belong with an item.

    Attributes
    ----------
    same_story
        Items of other types that tell its story.
    same_work
        Other editions of it.
    """

    same_story: frozenset[str]
    same_work: frozenset[str]


class ItemCatalogue:
    """Details of all items, memory-mapped: processes share them, and read only what is asked for.

    Parameters
    ----------
    details
        Columns of `DETAILS`: row `i` is the item of index `i`, those without one come last.
    search_index
        Over the same rows.
    """

    def __init__(self, details: pa.RecordBatch, search_index: SearchIndex) -> None:
        self._columns = {name: details.column(name) for name in DETAILS}
        self._n_known = details.num_rows - details.column("item_index").null_count
        self._rows = {item_id: row for row, item_id in enumerate(details["item_id"].to_pylist())}
        self._search_index = search_index
        common = orjson.loads(details.schema.metadata[_COMMON_GENRES])
        self._common_genres = {item_type: frozenset(genres) for item_type, genres in common.items()}
        self._cached_summary = lru_cache(_CACHED_ITEMS)(self._read_summary)
        self._cached_credits = lru_cache(_CACHED_ITEMS)(self._read_credits)
        self._cached_links = lru_cache(_CACHED_ITEMS)(self._read_links)
        self._cached_fragment = lru_cache(_CACHED_ITEMS)(self._encode_summary)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open what `write_items` wrote.

        Raises
        ------
        BundleError
            If it is not whole.
        """
        try:
            with pa.memory_map(str(folder / ITEMS)) as source:
                details = pa.ipc.open_file(source).get_batch(0)
            return cls(details, SearchIndex(folder / SEARCH))
        except (OSError, ValueError, KeyError) as error:
            raise BundleError(
                f"The items of {folder} cannot be read ({error}). Delete the folder: it is made "
                "again when the service starts, or by `crossrec run`."
            ) from error

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def n_known(self) -> int:
        """How many of the items the model knows."""
        return self._n_known

    def index_of(self, item_id: str) -> int | None:
        """Return the model's index of an item, or None where the model does not know it."""
        row = self._rows.get(item_id)
        return row if row is not None and row < self._n_known else None

    def detail(self, item_id: str) -> ItemDetail | None:
        """Return all that is known of an item, or None of an id that is nobody's."""
        row = self._rows.get(item_id)
        if row is None:
            return None
        values = self._read(row, DETAILS)
        released = values["release_date"]
        return ItemDetail(
            **{name: values[name] for name in _SUMMARY},
            recommendable=row < self._n_known,
            description=values["description"],
            release_date=None if released is None else released.isoformat(),
            popularity=values["popularity"],
            train_events=values["train_events"],
            similar=self._similar(values["similar"]),
        )

    def summary(self, item_index: int) -> ItemSummary:
        """Return an item of the model in short."""
        return self._cached_summary(item_index)

    def credits(self, item_index: int) -> Credits:
        """Return what an item of the model can have in common with others."""
        return self._cached_credits(item_index)

    def links(self, item_index: int) -> LinkedItems:
        """Return the items that an item of the model belongs with."""
        return self._cached_links(item_index)

    def json_fragment(self, item_index: int) -> bytes:
        """Return the members of an item's `ItemSummary` as JSON, without the braces around them."""
        return self._cached_fragment(item_index)

    @property
    def n_cached(self) -> int:
        """How many times `json_fragment` had its answer at hand."""
        return self._cached_fragment.cache_info().hits

    def search(
        self, query: str, *, item_type: str | None = None, limit: int = 10
    ) -> list[FoundItem]:
        """Find items by what a person has typed so far, best first; see `SearchIndex`."""
        rows = self._search_index.rows(query, limit, item_type)
        return [
            FoundItem(**self._read(row, _SUMMARY), recommendable=row < self._n_known)
            for row in rows
        ]

    def _read(self, row: int, names: Iterable[str]) -> dict:
        return {name: self._columns[name][row].as_py() for name in names}

    def _similar(self, rows: list[int]) -> list[SimilarItems]:
        """Show the items of some rows, those of one type together."""
        by_type: dict[str, list[ItemSummary]] = {}
        for row in rows:
            summary = ItemSummary(**self._read(row, _SUMMARY))
            by_type.setdefault(summary.item_type, []).append(summary)
        return [SimilarItems(item_type=name, items=items) for name, items in by_type.items()]

    def _read_summary(self, item_index: int) -> ItemSummary:
        return ItemSummary(**self._read(item_index, _SUMMARY))

    def _read_credits(self, item_index: int) -> Credits:
        item = self.summary(item_index)
        genres = {genre.casefold(): genre for genre in item.genres}
        common = self._common_genres.get(item.item_type, frozenset())
        return Credits(
            creators={name.casefold(): name for name in item.creators},
            genres={key: genre for key, genre in genres.items() if key not in common},
        )

    def _read_links(self, item_index: int) -> LinkedItems:
        found = self._read(item_index, ("same_story", "same_work"))
        return LinkedItems(frozenset(found["same_story"]), frozenset(found["same_work"]))

    def _encode_summary(self, item_index: int) -> bytes:
        return orjson.dumps(self._read(item_index, _SUMMARY))[1:-1]


def write_items(details: pl.DataFrame, folder: Path) -> None:
    """Write details and their search index into a folder.

    Parameters
    ----------
    details
        Columns of `DETAILS`.
    folder
        Exists and has neither.
    """
    # One uncompressed batch can be read in place. What polars hands over keeps text behind nulls,
    # which taking every row leaves behind.
    table = details.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    table = table.take(pa.array(range(table.num_rows), pa.int64()))
    common = orjson.dumps(common_genres(details))
    batch = pa.RecordBatch.from_arrays(
        [column.combine_chunks() for column in table.columns],
        schema=table.schema.with_metadata({_COMMON_GENRES: common}),
    )
    with pa.ipc.new_file(folder / ITEMS, batch.schema) as file:
        file.write_batch(batch)
    search = folder / SEARCH
    search.mkdir()
    write_index(details, search)
