"""What a domain is: a catalogue's columns, how each is read, and what happens where it is empty.

Adding a domain is one `DomainSpec`, named in the setting ``CROSSREC_DOMAINS``.
"""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from crossrec_pipeline import parsers
from crossrec_pipeline.digests import json_digest
from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.parsers import Parser

NO_DESCRIPTION = "No Description Available"
UNKNOWN_GENRE = "Unknown"
NO_CREATOR = "Not Available"


@dataclass(frozen=True)
class Fill:
    """Missing-value policy: put `value` in, and name the column in the row's `imputed`."""

    value: str | tuple[str, ...] | float


DEFAULT_FILLS: dict[str, Fill] = {
    "description": Fill(NO_DESCRIPTION),
    "genres": Fill((UNKNOWN_GENRE,)),
    "creators": Fill((NO_CREATOR,)),
}
"""What item columns hold that no source column fills, or whose column declares no policy."""


@dataclass(frozen=True)
class Reject:
    """Missing-value policy: the row is no item; it goes to the rejected rows with `reason`."""

    reason: str


@dataclass(frozen=True)
class SourceColumn:
    """One column of a source.

    Attributes
    ----------
    name
        Its name in the hub data set.
    parse
        From the delivered text to a value; what cannot be parsed becomes null and is counted.
    required
        Whether a source without this column is refused.
    aliases
        Other names it goes by in files.
    becomes
        The column of `catalogue.items` it fills, if any. Columns without one are kept in the raw
        Parquet (for exploration) only.
    missing
        What happens to a row where it is null. With None, the default of `DEFAULT_FILLS` is put
        into the item column it becomes; where there is no default, the null stays.
    row_number
        Whether it only numbers the rows: rows that differ in nothing else are duplicates.
    """

    name: str
    parse: Parser
    required: bool = False
    aliases: tuple[str, ...] = ()
    becomes: str | None = None
    missing: Fill | Reject | None = None
    row_number: bool = False


@dataclass(frozen=True)
class DomainSpec:
    """One domain: where its catalogue is and what its columns mean.

    Attributes
    ----------
    name
        The domain's name in settings and asset keys, such as ``movies``.
    item_type
        The type of its items, such as ``Movie``; ``Movie_`` is the prefix of their ids.
    columns
        Every column that is read.
    natural_key
        Source columns that tell one work from another; rows equal in them are one item.
    id_column
        Source column the item id is made of: a key, or a name shared by several works.
    hub_id, hub_revision
        The Hugging Face data set. The revision ``main`` is resolved to a commit when it is looked
        at, and that commit is what is loaded and recorded.
    story_order
        Where its items tell stories that items of other domains tell too, the place of the domain
        when one is told again: a book (0) before its film (1). None where they do not.
    """

    name: str
    item_type: str
    columns: tuple[SourceColumn, ...]
    natural_key: tuple[str, ...]
    id_column: str
    hub_id: str | None = None
    hub_revision: str = "main"
    story_order: int | None = None

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        problem = None
        if len(set(names)) < len(names):
            problem = f"columns repeat in {names}"
        elif reserved := {"source", "source_row"} & set(names):
            problem = f"the column names {sorted(reserved)} are reserved"
        elif unknown := [n for n in (*self.natural_key, self.id_column) if n not in names]:
            problem = f"{unknown} is not among its columns {names}"
        elif not self.natural_key:
            problem = "its natural_key is empty"
        elif len(self.by_item_column) < sum(column.becomes is not None for column in self.columns):
            problem = "two columns become the same column of catalogue.items"
        elif "title" not in self.by_item_column:
            problem = "no column becomes the title"
        else:
            for column in (self.column(self.id_column), self.by_item_column["title"]):
                if not isinstance(column.missing, Reject):
                    problem = f"column {column.name!r} needs missing=Reject(...)"
        if problem:
            raise SettingsError(f"Domain {self.name}: {problem}. Correct its DomainSpec.")

    @property
    def prefix(self) -> str:
        """What the domain's item ids begin with."""
        return f"{self.item_type}_"

    @cached_property
    def by_item_column(self) -> dict[str, SourceColumn]:
        """The source column that fills each column of `catalogue.items`."""
        return {column.becomes: column for column in self.columns if column.becomes}

    @cached_property
    def digest(self) -> str:
        """Version of the declaration; parsers count by the polars expressions they make."""
        columns = [
            (
                *(column.name, str(column.parse(pl.col(column.name))), column.required),
                *(column.aliases, column.becomes, repr(column.missing), column.row_number),
            )
            for column in self.columns
        ]
        keys = (self.natural_key, self.id_column, self.hub_id, self.hub_revision)
        return json_digest([self.name, self.item_type, columns, keys])

    def column(self, name: str) -> SourceColumn:
        """Return a source column by name."""
        return next(column for column in self.columns if column.name == name)


_ROW_NUMBER = SourceColumn("Unnamed: 0", parsers.integer, aliases=("", "index"), row_number=True)

MOVIES = DomainSpec(
    name="movies",
    item_type="Movie",
    hub_id="ExecuteAutomation/ImdbMovieDataSet",
    natural_key=("names", "date_x"),
    id_column="names",
    story_order=1,
    columns=(
        SourceColumn(
            "names", parsers.text, required=True, becomes="title", missing=Reject("missing_title")
        ),
        SourceColumn("date_x", parsers.date, required=True, becomes="release_date"),
        SourceColumn("score", parsers.number, required=True, becomes="raw_popularity"),
        SourceColumn(
            "genre",
            parsers.comma_list,
            required=True,
            becomes="genres",
            missing=Fill((UNKNOWN_GENRE,)),
        ),
        SourceColumn("overview", parsers.text, becomes="description", missing=Fill(NO_DESCRIPTION)),
        SourceColumn(
            "crew", parsers.actor_role_pairs, becomes="creators", missing=Fill((NO_CREATOR,))
        ),
        SourceColumn("orig_title", parsers.text),
        SourceColumn("status", parsers.text),
        SourceColumn("orig_lang", parsers.text),
        SourceColumn("budget_x", parsers.number),
        SourceColumn("revenue", parsers.number),
        SourceColumn("country", parsers.text),
    ),
)

MUSIC = DomainSpec(
    name="music",
    item_type="Music",
    # No story_order: a track has no description, and a song that is called like a film ("Hero",
    # "Home") is mostly another thing. Its own releases are linked as editions.
    hub_id="maharshipandya/spotify-tracks-dataset",
    natural_key=("track_id",),
    id_column="track_id",
    columns=(
        _ROW_NUMBER,
        SourceColumn("track_id", parsers.text, required=True, missing=Reject("missing_track_id")),
        SourceColumn(
            "artists",
            parsers.semicolon_list,
            required=True,
            aliases=("artist",),
            becomes="creators",
            missing=Reject("missing_artist"),
        ),
        SourceColumn("album_name", parsers.text, required=True, missing=Reject("missing_album")),
        SourceColumn(
            "track_name",
            parsers.text,
            required=True,
            becomes="title",
            missing=Reject("missing_title"),
        ),
        SourceColumn("popularity", parsers.number, required=True, becomes="raw_popularity"),
        SourceColumn("duration_ms", parsers.integer),
        SourceColumn("explicit", parsers.boolean),
        *(
            SourceColumn(feature, parsers.number)
            for feature in (
                "danceability",
                "energy",
                "key",
                "loudness",
                "mode",
                "speechiness",
                "acousticness",
                "instrumentalness",
                "liveness",
                "valence",
                "tempo",
                "time_signature",
            )
        ),
        SourceColumn(
            "track_genre",
            parsers.comma_list,
            required=True,
            becomes="genres",
            missing=Fill((UNKNOWN_GENRE,)),
        ),
    ),
)

BOOKS = DomainSpec(
    name="books",
    item_type="Book",
    hub_id="Eitanli/goodreads",
    natural_key=("Book", "Author"),
    id_column="Book",
    story_order=0,
    columns=(
        _ROW_NUMBER,
        SourceColumn(
            "Book", parsers.text, required=True, becomes="title", missing=Reject("missing_title")
        ),
        SourceColumn(
            "Author",
            parsers.author_list,
            required=True,
            becomes="creators",
            missing=Fill((NO_CREATOR,)),
        ),
        SourceColumn(
            "Description", parsers.text, becomes="description", missing=Fill(NO_DESCRIPTION)
        ),
        SourceColumn(
            "Genres",
            parsers.python_list,
            required=True,
            becomes="genres",
            missing=Fill((UNKNOWN_GENRE,)),
        ),
        SourceColumn("Avg_Rating", parsers.number, becomes="raw_popularity"),
        SourceColumn("Num_Ratings", parsers.integer),
        SourceColumn("URL", parsers.text),
    ),
)

BUILT_IN = {spec.name: spec for spec in (MOVIES, MUSIC, BOOKS)}


def load_domains(names: Iterable[str]) -> tuple[DomainSpec, ...]:
    """Find the domains named in the setting ``CROSSREC_DOMAINS``.

    Parameters
    ----------
    names
        Built-in names (``movies``) or ``package.module:ATTRIBUTE`` of a DomainSpec.

    Raises
    ------
    SettingsError
        If a name leads nowhere, or two domains share a name or an item type.
    """
    specs: list[DomainSpec] = []
    for name in names:
        module_name, _, attribute = name.partition(":")
        if not attribute:
            spec = BUILT_IN.get(name)
        else:
            try:
                spec = getattr(importlib.import_module(module_name), attribute, None)
            except ImportError as error:
                raise SettingsError(
                    f"CROSSREC_DOMAINS: cannot import {name!r}: {error}. The folder that holds "
                    f"{module_name.partition('.')[0]!r} must be on PYTHONPATH."
                ) from error
        if not isinstance(spec, DomainSpec):
            raise SettingsError(
                f"CROSSREC_DOMAINS: {name!r} is no domain. Use one of {sorted(BUILT_IN)} or "
                "'package.module:ATTRIBUTE' of a DomainSpec."
            )
        specs.append(spec)
    for what in ("name", "item_type"):
        values = [getattr(spec, what) for spec in specs]
        if len(set(values)) < len(values):
            raise SettingsError(f"CROSSREC_DOMAINS: two domains share one {what}: {values}.")
    if not specs:
        raise SettingsError("CROSSREC_DOMAINS names no domain.")
    return tuple(specs)
