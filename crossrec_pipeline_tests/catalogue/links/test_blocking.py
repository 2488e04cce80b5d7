from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.catalogue.links import blocking
from crossrec_pipeline.catalogue.links.blocking import pairs_across, pairs_within
from crossrec_pipeline.catalogue.links.titles import read_title


def across(*named: tuple[str, str]) -> list[tuple[int, int]]:
    titles = [read_title(title) for _, title in named]
    return pairs_across(titles, [item_type for item_type, _ in named]).rows()


def test_items_of_different_types_meet_by_title_subtitle_and_word():
    found = across(
        ("Book", "Catching Fire (The Hunger Games, #2)"),
        ("Movie", "The Hunger Games: Catching Fire"),
        ("Book", "The Boy in the Striped Pajamas"),
        ("Movie", "The Boy in the Striped Pyjamas"),
        ("Movie", "Casablanca"),
    )
    assert (0, 1) in found
    assert (2, 3) in found
    assert not any(4 in pair for pair in found)


def test_items_of_one_type_do_not_meet():
    assert across(("Movie", "Dracula"), ("Movie", "Dracula")) == []


def test_what_many_have_makes_no_block(monkeypatch: pytest.MonkeyPatch):
    many = [(kind, f"Night {n} {kind}") for kind in ("Book", "Movie") for n in range(30, 33)]
    # "night" brings three books and three films together; each number one of each.
    monkeypatch.setattr(blocking, "MOST_PAIRS", 9)
    assert len(across(*many)) == 9
    monkeypatch.setattr(blocking, "MOST_PAIRS", 8)
    assert across(*many) == [(0, 3), (1, 4), (2, 5)]


def test_editions_that_are_many_make_no_block(monkeypatch: pytest.MonkeyPatch):
    titles = [read_title("Untitled")] * 4
    # Each pair is counted from both ends, and each item with itself.
    monkeypatch.setattr(blocking, "MOST_PAIRS", 8)
    assert pairs_within(titles, ["a"] * 4).height == 6
    monkeypatch.setattr(blocking, "MOST_PAIRS", 7)
    assert pairs_within(titles, ["a"] * 4).is_empty()


def test_editions_meet_by_creator_and_title():
    titles = ["Emma", "Emma", "Emma", "Persuasion"]
    found = pairs_within([read_title(title) for title in titles], ["ab", "b", "c", "b"])
    assert found.rows() == [(0, 1)]


def test_pairs_of_nothing():
    assert across() == []
    assert across(("Book", "???"), ("Movie", "???")) == []


WORDS = st.sampled_from(["night", "home", "dune", "emma", "2", "of"])
NAMED = st.lists(
    st.tuples(
        st.sampled_from(["Book", "Movie", "Podcast"]), st.lists(WORDS, min_size=1, max_size=3)
    ),
    max_size=12,
)


@given(NAMED)
def test_pairs_are_those_that_share_a_word(named: list[tuple[str, list[str]]]):
    titles = [(kind, " ".join(words)) for kind, words in named]
    expected = [
        (a, b)
        for a, b in combinations(range(len(named)), 2)
        if named[a][0] != named[b][0] and set(named[a][1]) & set(named[b][1])
    ]
    assert across(*titles) == expected
