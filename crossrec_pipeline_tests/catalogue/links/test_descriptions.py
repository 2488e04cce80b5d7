import math
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.catalogue.links import descriptions as module
from crossrec_pipeline.catalogue.links.descriptions import Descriptions
from crossrec_pipeline.catalogue.links.titles import read_title

TEXTS = [
    "In Panem, Katniss takes the arena.",
    "Katniss of Panem fights in an arena.",
    "Home, sweet home.",
    None,
]
TITLES = [read_title(title) for title in ("Games", "Games", "Home", "Quiet")]


def described(
    texts: Sequence[str | None] = TEXTS, known: Sequence[set[str]] | None = None
) -> Descriptions:
    items = pl.DataFrame(
        {"description": texts, "creators": [["Suzanne Collins"], [], [], ["Suzanne Collins"]]}
    )
    return Descriptions(items, TITLES, known or [set()] * 4)


def test_rarity_is_the_log_of_how_few_texts_have_a_word():
    words = described()
    assert words.rarity("panem") == pytest.approx(math.log(4 / 2))
    # Once in a title, once in its description: one text.
    assert words.rarity("home") == pytest.approx(math.log(4 / 1))
    assert words.rarity("games") == pytest.approx(math.log(4 / 2))
    assert words.rarity("nowhere") == pytest.approx(math.log(4))


def test_shared_words_are_names_and_others():
    (shared,) = described().shared(np.array([0]), np.array([1]))
    assert shared.names == ("Katniss", "Panem")
    assert shared.others == ("arena", "in")
    assert shared.names_rarity == pytest.approx(2 * math.log(2))


def test_the_cosine_is_of_telling_words():
    # Telling are words of two texts: katniss, panem, arena, in; both texts have just these.
    (shared,) = described().shared(np.array([0]), np.array([1]))
    assert shared.cosine == pytest.approx(1.0)
    (nothing,) = described().shared(np.array([0]), np.array([2]))
    assert nothing.cosine == 0
    assert nothing.names == nothing.others == ()


def test_words_by_which_the_pair_was_found_do_not_count():
    known = [{"panem"}, {"arena"}, set(), set()]
    (shared,) = described(known=known).shared(np.array([0]), np.array([1]))
    assert shared.names == ("Katniss",)
    assert shared.others == ("in",)


def test_a_creator_alone_makes_no_two_items_alike():
    (shared,) = described().shared(np.array([0]), np.array([3]))
    assert shared.cosine == 0


def test_what_begins_a_sentence_is_no_name():
    texts = ["Armed men. They are armed.", "Armed again.", "x", "y"]
    (shared,) = described(texts).shared(np.array([0]), np.array([1]))
    assert shared.names == ()
    assert shared.others == ("armed",)


def test_accents_and_possessives_do_not_matter():
    texts = ["Amélie's café.", "The cafe of AMELIE.", "x", "y"]
    (shared,) = described(texts).shared(np.array([0]), np.array([1]))
    assert set(shared.others + tuple(name.lower() for name in shared.names)) == {"amelie", "cafe"}


def test_a_word_of_many_texts_tells_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "LEAST_COMMON_LIMIT", 1)
    (shared,) = described().shared(np.array([0]), np.array([1]))
    assert shared.names == shared.others == ()


def test_reading_texts_a_few_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    whole = list(described().shared(np.array([0, 0]), np.array([1, 2])))
    monkeypatch.setattr(module, "_TEXTS_AT_ONCE", 1)
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", 1)
    assert list(described().shared(np.array([0, 0]), np.array([1, 2]))) == whole


def test_no_texts_at_all():
    items = pl.DataFrame(schema={"description": pl.String, "creators": pl.List(pl.String)})
    words = Descriptions(items, [], [])
    assert list(words.shared(np.zeros(0, np.int64), np.zeros(0, np.int64))) == []
    assert words.rarity("x") == 0
