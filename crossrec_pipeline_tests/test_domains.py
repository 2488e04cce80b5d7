from collections.abc import Callable
from dataclasses import replace

import pytest

from crossrec_pipeline import parsers
from crossrec_pipeline.domains import (
    BOOKS,
    BUILT_IN,
    MOVIES,
    MUSIC,
    DomainSpec,
    Reject,
    SourceColumn,
    load_domains,
)
from crossrec_pipeline.errors import SettingsError

TITLE = SourceColumn("show", parsers.text, becomes="title", missing=Reject("missing_title"))


def spec(*columns: SourceColumn, natural_key: tuple[str, ...] = ("show",)) -> DomainSpec:
    return DomainSpec("shows", "Show", columns, natural_key, "show")


def test_built_in_domains_load_by_name_in_the_order_given():
    assert load_domains(["books", "movies"]) == (BOOKS, MOVIES)


def test_prefixes_of_the_three_domains():
    assert [domain.prefix for domain in (MOVIES, MUSIC, BOOKS)] == ["Movie_", "Music_", "Book_"]


def test_source_columns_are_found_by_the_item_column_they_fill():
    assert MUSIC.by_item_column["creators"].name == "artists"
    assert "description" not in MUSIC.by_item_column


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "no domain"),
        (["moves"], "'moves' is no domain"),
        (["no.such.module:X"], "cannot import"),
        (["crossrec_pipeline.domains:NOTHING"], "is no domain"),
        (["movies", "crossrec_pipeline.domains:MOVIES"], "share one name"),
    ],
)
def test_names_that_lead_nowhere_are_refused(names: list[str], message: str):
    with pytest.raises(SettingsError, match=message):
        load_domains(names)


def test_two_domains_of_one_item_type_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(BUILT_IN, "films", replace(MOVIES, name="films"))
    with pytest.raises(SettingsError, match="share one item_type"):
        load_domains(["movies", "films"])


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: spec(TITLE, natural_key=("year",)), "'year'] is not among"),
        (lambda: spec(TITLE, natural_key=()), "natural_key is empty"),
        (lambda: spec(TITLE, TITLE), "columns repeat"),
        (lambda: spec(TITLE, SourceColumn("source", parsers.text)), "'source'] are reserved"),
        (lambda: spec(SourceColumn("show", parsers.text)), "no column becomes the title"),
        (lambda: spec(replace(TITLE, missing=None)), r"needs missing=Reject"),
        (
            lambda: spec(TITLE, SourceColumn("name", parsers.text, becomes="title")),
            "two columns become the same",
        ),
    ],
)
def test_a_spec_that_cannot_work_is_refused(declare: Callable[[], DomainSpec], message: str):
    with pytest.raises(SettingsError, match=message):
        declare()
