import random
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.catalogue.clean import clean
from crossrec_pipeline.catalogue.schema import ITEM_IDS, ITEMS, REJECTED_ITEMS
from crossrec_pipeline.catalogue.unify import Unified, empty_ledger, popularity_rank, unify
from crossrec_pipeline.domains import BOOKS, MOVIES, MUSIC
from crossrec_pipeline_tests.catalogue.raw import Row, book, movie, raw_rows, track


def unified(
    movies: list[Row] | None = None,
    music: list[Row] | None = None,
    books: list[Row] | None = None,
    ledger: pl.DataFrame | None = None,
) -> Unified:
    domains = [(MOVIES, movies), (MUSIC, music), (BOOKS, books)]
    return unify(
        [clean(raw_rows(spec, rows), spec) for spec, rows in domains if rows is not None],
        empty_ledger() if ledger is None else ledger,
    )


def movie_ids(*rows: Row, ledger: pl.DataFrame | None = None) -> dict[tuple[str, str], str]:
    """Ids by name and date."""
    items = unified(movies=list(rows), ledger=ledger).items
    return {
        (row["title"], str(row["release_date"] or "")): row["item_id"]
        for row in items.iter_rows(named=True)
    }


def test_ids_carry_the_prefix_of_their_domain():
    items = unified([movie("Arrival")], [track("t1")], [book("Emma")]).items
    assert items["item_id"].to_list() == ["Movie_Arrival", "Music_t1", "Book_Emma"]


def test_schemas_are_the_declared_ones():
    result = unified([movie("A"), movie(None)], [], [])
    assert result.items.schema == pl.Schema(ITEMS)
    assert result.rejected.schema == pl.Schema(REJECTED_ITEMS)
    assert result.item_ids.schema == pl.Schema(ITEM_IDS)


def test_items_come_in_the_order_of_the_domains_then_by_id():
    items = unified([movie("B"), movie("A")], None, [book("0")]).items
    assert items["item_id"].to_list() == ["Movie_A", "Movie_B", "Book_0"]


def test_the_earliest_of_one_name_keeps_the_plain_id():
    assert movie_ids(
        movie("A", "01/01/2010"), movie("A", "01/01/1990"), movie("A"), movie("A", "05/01/2010")
    ) == {
        ("A", "1990-01-01"): "Movie_A",
        ("A", "2010-01-01"): "Movie_A (2010)",
        ("A", "2010-05-01"): "Movie_A (2010, 2)",
        ("A", ""): "Movie_A (2)",
    }


def test_works_without_a_date_are_numbered_by_natural_key():
    items = unified(books=[book("A", "Z"), book("A", "X"), book("A", "Y")]).items
    assert items.select("item_id", pl.col("creators").list.first()).rows() == [
        ("Book_A", "X"),
        ("Book_A (2)", "Y"),
        ("Book_A (3)", "Z"),
    ]


def test_a_title_that_looks_like_a_generated_id_does_not_take_it():
    assert movie_ids(
        movie("A", "01/01/1990"), movie("A", "01/01/1999"), movie("A (1999)", "01/01/1980")
    ) == {
        ("A", "1990-01-01"): "Movie_A",
        ("A (1999)", "1980-01-01"): "Movie_A (1999)",
        ("A", "1999-01-01"): "Movie_A (1999, 2)",
    }


def test_a_known_work_keeps_its_id_when_an_earlier_one_arrives():
    ledger = unified([movie("A", "01/01/2010")]).item_ids
    ids = movie_ids(movie("A", "01/01/1990"), movie("A", "01/01/2010"), ledger=ledger)
    assert ids == {("A", "2010-01-01"): "Movie_A", ("A", "1990-01-01"): "Movie_A (1990)"}


def test_a_corrected_date_does_not_change_the_id():
    before = unified([movie("A", "01/01/2010"), movie("A", "01/01/1990")]).item_ids
    after = unified([movie("A", "01/01/2011"), movie("A", "01/01/1990")], ledger=before)
    assert after.items["item_id"].to_list() == ["Movie_A", "Movie_A (2010)"]
    assert after.item_ids["natural_key"].to_list() == ["A\t1990-01-01", "A\t2011-01-01"]


def test_a_corrected_author_does_not_change_the_id():
    before = unified(books=[book("A", "Jane Doe")]).item_ids
    after = unified(books=[book("A", "Jane M. Doe")], ledger=before)
    assert after.items["item_id"].to_list() == ["Book_A"]


def test_the_id_of_a_work_that_is_gone_stays_reserved():
    both = unified([movie("A", "01/01/2000"), movie("B", "01/01/2000")]).item_ids
    without = unified([movie("B", "01/01/2000")], ledger=both).item_ids
    assert without.equals(both)
    back = movie_ids(movie("A", "01/01/2000"), movie("B", "01/01/2000"), ledger=without)
    assert back[("A", "2000-01-01")] == "Movie_A"


def test_an_orphaned_id_is_not_taken_over_if_it_could_be_one_of_several():
    before = unified([movie("A", "01/01/1990"), movie("A", "01/01/1999")]).item_ids
    assert movie_ids(movie("A", "01/01/2020"), ledger=before) == {
        ("A", "2020-01-01"): "Movie_A (2020)"
    }
    one = unified([movie("A", "01/01/1990")]).item_ids
    assert set(movie_ids(movie("A", "1/1/2020"), movie("A", "1/1/2021"), ledger=one).values()) == {
        "Movie_A (2020)",
        "Movie_A (2021)",
    }


def test_an_id_is_not_taken_over_by_a_title_that_looks_like_it():
    before = unified([movie("A", "01/01/1990"), movie("A", "01/01/1999")]).item_ids
    ids = movie_ids(movie("A", "01/01/1990"), movie("A (1999)", "01/01/2020"), ledger=before)
    assert ids[("A (1999)", "2020-01-01")] == "Movie_A (1999) (2020)"


def test_ids_of_a_domain_left_out_for_now_stay_in_the_ledger():
    before = unified([movie("A")], [track("t1")]).item_ids
    assert unified([movie("A")], ledger=before).item_ids.equals(before)


titles = st.sampled_from(["A", "A (1999)", "A (1999, 2)", "A (2)", "B"])
dates = st.sampled_from([None, "01/01/1999", "02/01/1999", "03/01/1999", "01/01/2001"])
some_movies = st.lists(st.builds(movie, titles, dates), min_size=1, max_size=14)


def by_key(result: Unified) -> dict[str, str]:
    return dict(result.item_ids.select("natural_key", "item_id").iter_rows())


@settings(deadline=None, max_examples=40)
@given(some_movies, st.randoms(use_true_random=False))
def test_ids_do_not_depend_on_the_order_of_the_rows(rows: list[Row], random: random.Random):
    shuffled = random.sample(rows, len(rows))
    assert by_key(unified(rows)) == by_key(unified(shuffled))


@settings(deadline=None, max_examples=40)
@given(some_movies, some_movies)
def test_ids_are_unique_and_stay(rows: list[Row], later: list[Row]):
    first = unified(rows)
    second = unified(later, ledger=first.item_ids)
    third = unified(rows + later, ledger=first.item_ids)
    for result in (first, second, third):
        assert result.items["item_id"].is_unique().all()
        assert result.item_ids["item_id"].is_unique().all()
    assert by_key(first).items() <= by_key(third).items()
    assert set(by_key(first).values()) <= set(by_key(second).values())
    repeated = unified(later, ledger=second.item_ids)
    assert repeated.item_ids.equals(second.item_ids)


def test_ids_are_unique_across_types_whose_prefixes_overlap():
    specs = (replace(MOVIES, item_type="Movie"), replace(MOVIES, name="m2", item_type="Movie_2"))
    cleaned = [
        clean(raw_rows(specs[0], [movie("2_A")]), specs[0]),
        clean(raw_rows(specs[1], [movie("A")]), specs[1]),
    ]
    ids = unify(cleaned, empty_ledger()).items["item_id"].to_list()
    assert ids == ["Movie_2_A", "Movie_2_A (2)"]


@pytest.mark.parametrize(
    ("raw", "rank"),
    [
        ([10.0, 30.0, 20.0, 40.0], [0.25, 0.75, 0.5, 1.0]),
        ([5.0, 5.0, 9.0, 1.0], [0.625, 0.625, 1.0, 0.25]),
        ([7.0], [1.0]),
        ([None, 3.0, 4.0], [0.0, 0.5, 1.0]),
        ([None, None], [0.0, 0.0]),
        ([], []),
    ],
)
def test_popularity_is_the_percentile_rank(raw: list[float | None], rank: list[float]):
    frame = pl.DataFrame({"raw": raw}, schema={"raw": pl.Float64})
    assert frame.select(popularity_rank(pl.col("raw"))).to_series().to_list() == rank


def test_popularity_is_ranked_within_the_type():
    items = unified([movie("A", score="99"), movie("B", score="98")], [track("t")]).items
    assert dict(items.select("item_id", "popularity").iter_rows()) == {
        "Movie_A": 1.0,
        "Movie_B": 0.5,
        "Music_t": 1.0,
    }


def test_rejected_rows_of_all_domains_are_kept():
    result = unified([movie(None)], [track("t", artists=None), track("u"), track("u")])
    assert result.rejected.select("item_type", "reason").rows() == [
        ("Movie", "missing_title"),
        ("Music", "missing_artist"),
        ("Music", "duplicate"),
    ]
