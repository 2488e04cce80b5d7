import re
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest

from crossrec_pipeline.domains import BOOKS, MOVIES
from crossrec_pipeline.exploration.page import build_page, preview_charts, preview_session_charts
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

VOID = {"meta", "link", "br", "img", "hr", "input"}


@pytest.fixture(scope="module")
def books() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "Book": ["It", "Emma", "<b>1984</b>"],
            "Author": [["King"], ["Austen"], ["Orwell"]],
            "Genres": [["Horror"], ["Classics"], ["Classics & <i>Fiction</i>"]],
            "Avg_Rating": [4.2, 4.0, 4.2],
            "Num_Ratings": [10, 20, 30],
        }
    )


@pytest.fixture(scope="module")
def sessions() -> SessionDataset:
    items = pl.DataFrame(
        {
            "item_id": ["Book_It", "Movie_It"],
            "item_type": ["Book", "Movie"],
            "title": ["It", "It"],
            "support": [2, 1],
        }
    )
    store = SessionStore.from_sequences([[0, 1, 0]])
    return SessionDataset(store, store, store, Vocabulary.from_items(items))


@pytest.fixture(scope="module")
def page(books: pl.DataFrame, sessions: SessionDataset) -> str:
    movies = pl.DataFrame(
        {"names": ["It"], "date_x": [None], "crew": [None], "genre": [["Horror"]]},
        schema_overrides={"date_x": pl.Date, "crew": pl.List(pl.String)},
    )
    return build_page([(BOOKS, books), (MOVIES, movies)], sessions)


class Outline(HTMLParser):
    """Collects ids, links and labels, and sees that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.labels: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "a":
            self.links.append(values["href"])
        if values.get("role") == "img":
            self.labels.append(values["aria-label"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def outline(page: str) -> Outline:
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    return outline


def test_links_lead_to_every_section(outline: Outline):
    assert outline.links == ["#domain-1", "#domain-2", "#sessions"]
    assert {link[1:] for link in outline.links} <= set(outline.ids)


def test_every_picture_says_what_it_shows(page: str, outline: Outline):
    assert page.count("<svg") == len(outline.labels)
    assert "Books: most rated. The 3 of most ratings among 3 books." in outline.labels
    assert all(label.endswith(".") for label in outline.labels)


def test_ids_are_not_used_twice(outline: Outline):
    assert len(set(outline.ids)) == len(outline.ids)


def test_the_page_loads_nothing(page: str, outline: Outline):
    assert outline.tags.isdisjoint({"script", "link", "img", "iframe", "image"})
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page


def test_a_missing_column_gives_a_note_in_place_of_a_chart(page: str):
    assert re.search(
        r"<h3>Most frequent crew</h3><p[^>]*>No data: the source has no column crew", page
    )
    assert re.search(
        r"<h3>Budget against revenue</h3><p[^>]*>No data: the source has no column budget_x", page
    )


def test_text_from_the_catalogue_is_escaped(page: str):
    assert "&lt;b&gt;1984" in page
    assert "<b>" not in page
    assert "<i>" not in page


def test_names_of_domains_are_escaped(books: pl.DataFrame):
    page = build_page([(replace(BOOKS, name='old "<s>'), books)])
    assert '<h2 id="domain-1-title">Old &#34;&lt;s&gt;</h2>' in page
    assert "<s>" not in page


def test_equal_input_gives_the_same_page(books: pl.DataFrame, sessions: SessionDataset):
    first = build_page([(BOOKS, books)], sessions)
    build_page([(BOOKS, books.head(2))])
    assert build_page([(BOOKS, books)], sessions) == first


def test_without_sessions_there_is_no_such_section(books: pl.DataFrame):
    assert "Sessions</h2>" not in build_page([(BOOKS, books)])


def test_previews_are_the_first_three_charts_that_have_data(
    books: pl.DataFrame, sessions: SessionDataset
):
    assert list(preview_charts(BOOKS, books)) == ["Top genres", "Rating distribution", "Most rated"]
    without_genres = books.with_columns(Genres=pl.lit(None, pl.List(pl.String)))
    assert list(preview_charts(BOOKS, without_genres)) == [
        "Rating distribution",
        "Most rated",
        "Top authors",
    ]
    assert len(preview_session_charts(sessions)) == 3
