"""Which hand-made works are linked, and which only look as if they should be."""

from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.catalogue.links.linking import link_items
from crossrec_pipeline.catalogue.schema import ITEM_LINKS
from crossrec_pipeline_tests.catalogue.links.works import (
    ORDER,
    book,
    catalogue,
    linked,
    movie,
    track,
)

HUNGER_GAMES = book(
    "The Hunger Games (The Hunger Games, #1)",
    "Suzanne Collins",
    "In the ruins of North America lies Panem. Katniss takes her sister's place in the arena.",
)
CATCHING_FIRE = book(
    "Catching Fire (The Hunger Games, #2)",
    "Suzanne Collins",
    "Katniss and Peeta have won the annual contest, and Panem is uneasy.",
)
FILM = movie("The Hunger Games", "Katniss volunteers for the arena of Panem.", year=2012)
SEQUEL = movie(
    "The Hunger Games: Catching Fire",
    "Katniss and Peeta tour Panem as winners of the contest.",
    year=2013,
)


def test_a_book_and_its_film_are_linked_the_book_first():
    found = link_items(catalogue(FILM, HUNGER_GAMES), ORDER)
    assert found.schema == ITEM_LINKS
    (row,) = found.rows(named=True)
    assert (row["item_id"], row["other_id"]) == (HUNGER_GAMES["item_id"], FILM["item_id"])
    assert row["kind"] == "story"
    assert 0.9 < row["score"] <= 1
    assert row["reason"] == (
        "same title; of rare words; names in both descriptions: Katniss, Panem; "
        "words in both descriptions: arena"
    )


def test_each_part_of_a_series_is_linked_with_its_own_film():
    assert linked(HUNGER_GAMES, CATCHING_FIRE, FILM, SEQUEL) == [
        (CATCHING_FIRE["item_id"], SEQUEL["item_id"], "story"),
        (HUNGER_GAMES["item_id"], FILM["item_id"], "story"),
    ]


def test_films_in_parts_are_linked_with_the_one_book():
    whole = book("Mockingjay (The Hunger Games, #3)", "Suzanne Collins", "Katniss joins rebels.")
    parts = [
        movie(
            f"The Hunger Games: Mockingjay - Part {n}", "Katniss among the rebels.", year=2013 + n
        )
        for n in (1, 2)
    ]
    assert [pair[:2] for pair in linked(whole, *parts)] == [
        (whole["item_id"], part["item_id"]) for part in parts
    ]


def test_a_sequel_of_the_film_is_not_the_book():
    novel = book("Psycho", "Robert Bloch", "Norman Bates keeps a motel, and his mother.")
    sequels = [
        movie("Psycho II", "Norman Bates comes back to the motel and his mother.", year=1983),
        movie("Psycho IV: The Beginning", "Norman Bates remembers mother and motel.", year=1990),
    ]
    assert linked(novel, *sequels) == []


def test_of_two_films_of_one_name_only_that_of_the_same_story_is_linked():
    novel = book("Crash", "J.G. Ballard", "Ballard, injured, is aroused by wrecked automobiles.")
    same = movie("Crash", "Ballard discovers people aroused by wrecked automobiles.", year=1996)
    other = movie("Crash", "Lives of strangers collide in Los Angeles.", year=2004)
    assert linked(novel, same, other) == [(novel["item_id"], same["item_id"], "story")]


def test_a_common_title_alone_is_not_enough_but_a_rare_one_is():
    assert (
        linked(book("Home", "Toni Morrison", "A veteran travels."), movie("Home", "Aliens.")) == []
    )
    rare = "Fried Green Tomatoes at the Whistle Stop Café"
    pair = linked(book(rare, "Fannie Flagg", "Two women talk."), movie(rare, "Idgie and Ruth."))
    assert pair == [(f"Book_{rare}", f"Movie_{rare}", "story")]


def test_a_common_title_is_enough_with_names_in_both_descriptions():
    novel = book("Home", "Nobody", "Zorblax of Quuxia hides beneath Vexmoor with Idgie.")
    film = movie("Home", "Zorblax flees Quuxia for Vexmoor; Idgie follows.")
    assert linked(novel, film) == [("Book_Home", "Movie_Home", "story")]


def test_an_author_named_by_the_film_speaks_for_it():
    novel = book("Home", "Zadie Quux", "A detective.")
    assert linked(novel, movie("Home", "A mother drives.")) == []
    told = movie("Home", "A mother drives. Based on the novel by Zadie Quux.")
    assert linked(novel, told) == [("Book_Home", "Movie_Home", "story")]


def test_an_author_named_by_the_films_title_speaks_for_it():
    novel = book("Home", "Zadie Quux", "A detective.")
    films = [movie("Home", "A mother drives."), movie("Zadie Quux's Home", "A mother drives.")]
    plain, named = (
        link_items(catalogue(novel, film), ORDER, least_score=0.0).row(0, named=True)
        for film in films
    )
    assert named["score"] > plain["score"]
    assert "Zadie Quux named in both" in named["reason"]


def test_untitled_works_are_not_linked_however_many_there_are():
    works = [movie("Untitled", f"Film of {n}.") | {"item_id": f"Movie_{n}"} for n in range(60)]
    works += [
        book("Untitled", "Anonymous", f"Book of {n}.") | {"item_id": f"Book_{n}"} for n in range(60)
    ]
    assert linked(*works) == []


def test_a_title_with_a_typo_or_a_subtitle_is_found():
    pyjamas = book("The Boy in the Striped Pajamas", "John Boyne", "Bruno meets Shmuel.")
    film = movie("The Boy in the Striped Pyjamas", "Bruno befriends Shmuel.")
    assert linked(pyjamas, film) == [(pyjamas["item_id"], film["item_id"], "story")]
    memoir = book("Unbroken: A World War II Story of Survival", "L. H.", "Zamperini the runner.")
    assert len(linked(memoir, movie("Unbroken", "Zamperini, a runner, survives."))) == 1


def test_two_novels_of_one_name_are_two_works():
    wells = book("The Invisible Man", "H.G. Wells", "Griffin the scientist.", item_id="Book_1")
    ellison = book("Invisible Man", "Ralph Ellison", "A narrator in Harlem.", item_id="Book_2")
    assert linked(wells, ellison) == []


def test_editions_have_an_author_and_a_title_in_common():
    editions = [
        book("Emma", "Jane Austen", item_id="Book_1"),
        book("Emma (Penguin Classics)", "Austen, Jane", item_id="Book_2"),
        book("Emma: Annotated Edition", "JANE AUSTEN", item_id="Book_3"),
        book("Emma", "Somebody Else", item_id="Book_4"),
        book("Persuasion", "Jane Austen", item_id="Book_5"),
    ]
    assert linked(*editions) == [("Book_1", "Book_3", "edition")]


def test_a_collection_holds_its_works():
    works = [
        book("Animal Farm", "George Orwell"),
        book("Animal Farm / 1984", "George Orwell"),
        book("The Hunger Games Trilogy Boxset (The Hunger Games, #1-3)", "Suzanne Collins"),
        HUNGER_GAMES,
    ]
    found = linked(*works)
    assert {pair[2] for pair in found} == {"edition"}
    assert [set(pair[:2]) for pair in found] == [
        {works[0]["item_id"], works[1]["item_id"]},
        {works[2]["item_id"], works[3]["item_id"]},
    ]


def test_volumes_and_sequels_by_one_hand_are_no_editions():
    works = [
        book("Saga, Vol. 1 (Saga, #1)", "B. K. Vaughan"),
        book("Saga, Vol. 2 (Saga, #2)", "B. K. Vaughan"),
        book("Clockwork Prince (The Infernal Devices, #2)", "Cassandra Clare"),
        book("Clockwork Princess (The Infernal Devices, #3)", "Cassandra Clare"),
        movie("Top Gun", creators=["Tom Cruise", "Val Kilmer"], imputed=[]),
        movie("Top Gun: Maverick", creators=["Tom Cruise", "Val Kilmer"], imputed=[]),
        movie("The Godfather", creators=["Al Pacino"], imputed=[]),
        movie("The Godfather Part II", creators=["Al Pacino"], imputed=[]),
    ]
    assert linked(*works) == []


def test_a_remake_with_one_of_the_first_cast_is_no_edition():
    first = movie("Halloween", year=1978, creators=["J. L. Curtis", "D. Pleasence", "N. Loomis"])
    later = movie("Halloween", year=2018, creators=["J. L. Curtis", "J. Greer", "A. Matichak"])
    assert linked(first, later) == []


def test_releases_of_one_song_are_editions_and_songs_tell_no_stories():
    songs = [
        track("1", "Halo", "Beyoncé"),
        track("2", "Halo - Remastered 2011", "Beyonce"),
        track("3", "Halo", "Depeche Mode"),
        track("4", "The Hunger Games", "Beyoncé"),
    ]
    assert linked(*songs, FILM) == [("Music_1", "Music_2", "edition")]


def test_an_added_type_tells_stories_if_it_says_so():
    podcast = {**FILM, "item_type": "Podcast", "item_id": "Podcast_1"}
    assert linked(HUNGER_GAMES, podcast) == []
    found = link_items(catalogue(HUNGER_GAMES, podcast), {**ORDER, "Podcast": 1})
    assert found.select("item_id", "other_id").rows() == [(HUNGER_GAMES["item_id"], "Podcast_1")]


@pytest.mark.parametrize("order", [{"Book": 7, "Movie": 9}, {"Book": -2, "Movie": -1}])
def test_only_the_order_of_types_matters(order: dict[str, int]):
    items = catalogue(HUNGER_GAMES, FILM, track("1", "The Hunger Games", "Nobody"))
    assert link_items(items, order).equals(link_items(items, ORDER))
    turned = link_items(items, {"Book": 1, "Movie": 0})
    assert turned["item_id"].to_list() == [FILM["item_id"]]


def test_dates_say_which_work_was_earlier_where_there_are_any():
    novelisation = {**HUNGER_GAMES, "release_date": FILM["release_date"].replace(year=2015)}
    found = link_items(catalogue(novelisation, FILM), ORDER)
    assert found["item_id"].to_list() == [FILM["item_id"]]
    assert "the book came 3 years after" in found["reason"].item()
    original = {**HUNGER_GAMES, "release_date": FILM["release_date"].replace(year=2008)}
    found = link_items(catalogue(original, FILM), ORDER)
    assert found["item_id"].to_list() == [HUNGER_GAMES["item_id"]]
    assert "the book came 4 years before" in found["reason"].item()


def test_what_was_filled_in_says_nothing():
    filled = {"imputed": ["description", "creators"], "creators": ["Not Available"]}
    blank = [
        movie("Dawn", creators=filled["creators"], imputed=filled["imputed"], item_id=f"Movie_{n}")
        for n in range(2)
    ]
    assert linked(*blank, book("Dawn", "Not Available", imputed=filled["imputed"])) == []


class _Vectors:
    """The first items of each type are alike, all others are not."""

    def __init__(self, alike: set[str]) -> None:
        self._alike = alike

    def rows(self, item_ids):
        random = np.random.default_rng(0)
        table = random.normal(size=(len(item_ids), 16))
        table[[item_id in self._alike for item_id in item_ids]] = 1.0
        unit = table / np.linalg.norm(table, axis=1, keepdims=True)
        return unit.astype(np.float32), np.ones(len(item_ids), dtype=bool)


def test_embeddings_can_speak_for_a_pair_and_against_it():
    novel = book("Home", "Zadie Quux", "Someone steals.")
    film = movie("Home", "A robbery.")
    assert linked(novel, film) == []
    like = _Vectors({novel["item_id"], film["item_id"]})
    found = link_items(catalogue(novel, film), ORDER, vectors=like, least_score=0.0)
    without = link_items(catalogue(novel, film), ORDER, least_score=0.0)
    unlike = link_items(catalogue(novel, film), ORDER, vectors=_Vectors(set()), least_score=0.0)
    scores = [frame["score"].item() for frame in (unlike, without, found)]
    assert scores == sorted(scores)
    assert scores[0] < scores[1] < scores[2]


WORKS = [
    HUNGER_GAMES,
    CATCHING_FIRE,
    FILM,
    SEQUEL,
    book("Dracula", "Bram Stoker", "Jonathan Harker goes to Transylvania."),
    movie("Bram Stoker's Dracula", "Harker is caught in Transylvania.", year=1992),
    movie("Dracula", "A count from Transylvania meets Harker.", year=1931),
    book("Dracula: Annotated Edition", "Bram Stoker", "Harker and the count."),
    track("1", "Dracula", "Gorillaz"),
    track("2", "Dracula - Live", "Gorillaz"),
]


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(random: Random):
    rows = catalogue(*WORKS, n_others=60).to_dicts()
    expected = link_items(pl.DataFrame(rows, schema=catalogue().schema), ORDER)
    assert expected.height >= 5
    random.shuffle(rows)
    assert link_items(pl.DataFrame(rows, schema=catalogue().schema), ORDER).equals(expected)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(WORKS), unique_by=lambda work: work["item_id"]))
def test_pairs_are_there_once_and_of_two_items_that_exist(works: list[dict]):
    found = link_items(catalogue(*works, n_others=40), ORDER, least_score=0.0)
    assert (found["item_id"] != found["other_id"]).all()
    ids = {work["item_id"] for work in works}
    assert {*found["item_id"], *found["other_id"]} <= ids
    unordered = {frozenset(pair) for pair in found.select("item_id", "other_id").rows()}
    assert len(unordered) == found.height
    assert found["score"].is_between(0, 1).all()
    types = {work["item_id"]: work["item_type"] for work in works}
    for row in found.iter_rows(named=True):
        same = types[row["item_id"]] == types[row["other_id"]]
        assert row["kind"] == ("edition" if same else "story")


def test_an_empty_catalogue_has_no_links():
    empty = catalogue(n_others=0)
    assert link_items(empty, ORDER).schema == ITEM_LINKS
    assert link_items(empty, ORDER).is_empty()
    assert link_items(catalogue(n_others=3), {}).is_empty()


@pytest.mark.parametrize("title", ["???", "", "#1", "The", "(Series, #1)"])
def test_titles_without_words_do_no_harm(title: str):
    assert linked(movie(title, "x"), book(title, "y", "z")) == []
