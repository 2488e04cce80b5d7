import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.catalogue.links.titles import read_title


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("The Hunger Games", "hunger games"),
        ("Hunger Games, The", "hunger games"),
        ("THE HUNGER GAMES (The Hunger Games, #1)", "hunger games"),
        ("Amélie", "amelie"),
        ("Pride & Prejudice", "pride and prejudice"),
        ("Romeo + Juliet", "romeo and juliet"),
        ("Emma.", "emma"),
        ("Rocky IV", "rocky 4"),
        ("Around the World in Eighty Days", "around the world in 80 days"),
        ("I, Robot", "i robot"),
        ("A", "a"),
        ("(500) Days of Summer", "500 days of summer"),
        ("Halo - Remastered 2011", "halo"),
        ("Halo (feat. Nobody)", "halo"),
        ("Infinity - PRETTY YOUNG Remix", "infinity"),
        ("Song - From The Film", "song"),
        ("Blade Runner: The Final Cut", "blade runner"),
        ("The English Patient: A Screenplay", "english patient"),
        ("Kill Bill: Vol. 2", "kill bill"),
        ("It Chapter Two", "it"),
        ("Saga, Vol. 1", "saga"),
        ("The Hunger Games Trilogy Boxset (The Hunger Games, #1-3)", "hunger games"),
    ],
)
def test_what_does_not_tell_a_work_is_left_out(title: str, text: str):
    assert read_title(title).forms[0].text == text


@pytest.mark.parametrize(
    ("title", "forms"),
    [
        (
            "Catch Me If You Can: The True Story",
            {
                "catch me if you can true story": "",
                "catch me if you can": "true story",
                "true story": "catch me if you can",
            },
        ),
        ("Bram Stoker's Dracula", {"bram stokers dracula": "", "dracula": "bram stoker"}),
        ("Moby-Dick; or, The Whale", {"moby dick": "", "whale": ""}),
        (
            "White Fang / The Call of the Wild",
            {"white fang call of the wild": "", "white fang": "", "call of the wild": ""},
        ),
        (
            "Like Water for Chocolate (Como agua)",
            {
                "like water for chocolate como agua": "",
                "like water for chocolate": "como agua",
                "como agua": "like water for chocolate",
            },
        ),
    ],
)
def test_ways_to_say_a_title_and_what_each_leaves_out(title: str, forms: dict[str, str]):
    found = {form.text: " ".join(form.left_out) for form in read_title(title).forms}
    assert found == forms


@pytest.mark.parametrize(
    ("title", "series", "numbers"),
    [
        ("Catching Fire (The Hunger Games, #2)", "hunger games", (2, 2)),
        ("The Hunger Games (The Hunger Games, #1-3)", "hunger games", (1, 3)),
        ("I, Robot (Robot #0.1)", "robot", (0.1, 0.1)),
        ("Night Watch (Discworld, #29; City Watch, #6)", "discworld", (29, 29)),
        ("Emma", "", None),
    ],
)
def test_the_series_of_a_book(title: str, series: str, numbers: tuple[float, float] | None):
    read = read_title(title)
    assert (" ".join(read.series), read.numbers) == (series, numbers)


@pytest.mark.parametrize(
    ("title", "part", "collected"),
    [
        ("The Hunger Games: Mockingjay - Part 1", "1", False),
        ("Dune: Part One", "1", False),
        ("Star Wars: Episode IV - A New Hope", "4", False),
        ("Part 2", "", False),
        ("The Lord of the Rings Boxed Set", "", True),
        ("The Foundation Trilogy", "", True),
        ("Antigone; Oedipus the King; Electra", "", True),
        ("Home", "", False),
    ],
)
def test_parts_and_collections(title: str, part: str, collected: bool):
    read = read_title(title)
    assert (read.part, read.collected) == (part, collected)


@pytest.mark.parametrize("title", ["???", "#", "(2009)", "Box Set", "/", ":", "The", "- -"])
def test_a_title_without_words_of_its_own_has_a_way_to_say_it_all_the_same(title: str):
    assert len(read_title(title).forms) >= 1


@given(st.text(max_size=60))
def test_any_text_can_be_read_whatever_its_case(title: str):
    read = read_title(title)
    assert read.forms
    if title.isascii():
        assert read_title(title.upper()).words == read_title(title.lower()).words
