"""The sample's catalogues name real works: which of them are books and their films is known."""

import pytest

from crossrec_pipeline.catalogue.clean import clean
from crossrec_pipeline.catalogue.links.linking import link_items
from crossrec_pipeline.catalogue.load import SourceReader
from crossrec_pipeline.catalogue.unify import empty_ledger, unify
from crossrec_pipeline.domains import BUILT_IN
from crossrec_pipeline.settings import load_settings
from crossrec_pipeline_tests.catalogue.links.works import ORDER

SAME_TITLE = """
2001: A Space Odyssey (Space Odyssey, #1) | 2001: A Space Odyssey
A Clockwork Orange | A Clockwork Orange
Akira, Vol. 1 | Akira
All Quiet on the Western Front | All Quiet on the Western Front
Doctor Zhivago | Doctor Zhivago
Dracula | Dracula
Dune (Dune, #1) | Dune
Gone with the Wind | Gone with the Wind
Harry Potter and the Philosopher’s Stone (Harry Potter, #1) | Harry Potter and the Philosopher's Stone
Howl’s Moving Castle (Howl's Moving Castle, #1) | Howl's Moving Castle
I, Robot (Robot, #0.1) | I, Robot
Kiki's Delivery Service | Kiki's Delivery Service
Les Misérables | Les Misérables
Let the Right One In | Let the Right One In
One Flew Over the Cuckoo's Nest | One Flew Over the Cuckoo's Nest
Peter Pan | Peter Pan
Pinocchio | Pinocchio
Pride and Prejudice | Pride & Prejudice
Rebecca | Rebecca
Solaris | Solaris
The Big Sleep (Philip Marlowe, #1) | The Big Sleep
The Godfather (The Godfather, #1) | The Godfather
The Jungle Book | The Jungle Book
The Little Mermaid | The Little Mermaid
The Princess Bride | The Princess Bride
The Shining (The Shining, #1) | The Shining
The Silence of the Lambs (Hannibal Lecter, #2) | The Silence of the Lambs
To Kill a Mockingbird | To Kill a Mockingbird
Trainspotting (Mark Renton, #2) | Trainspotting
"""  # noqa: E501
OTHER_TITLE = """
Nausicaä of the Valley of the Wind, Vol. 1 (Nausicaä of the Valley of the Wind, #1) | Nausicaä of the Valley of the Wind
Persepolis: The Story of a Childhood (Persepolis, #1) | Persepolis
The Fellowship of the Ring (The Lord of the Rings, #1) | The Lord of the Rings: The Fellowship of the Ring
The Return of the King (The Lord of the Rings, #3) | The Lord of the Rings: The Return of the King
"""  # noqa: E501


def pairs(lines: str) -> set[tuple[str, str]]:
    split = (line.split(" | ") for line in lines.strip().splitlines())
    return {(f"Book_{book}", f"Movie_{film}") for book, film in split}


@pytest.fixture(scope="module")
def found() -> dict[str, set[tuple[str, str]]]:
    reader = SourceReader.from_settings(load_settings())
    cleaned = [clean(reader.load(spec, "sample").frame, spec) for spec in BUILT_IN.values()]
    links = link_items(unify(cleaned, empty_ledger()).items, ORDER)
    kinds = links.partition_by("kind", as_dict=True)
    return {
        str(kind): set(part.select("item_id", "other_id").rows()) for (kind,), part in kinds.items()
    }


def test_books_and_their_films_are_found_and_nothing_else(found: dict):
    assert found["story"] == pairs(SAME_TITLE) | pairs(OTHER_TITLE)


def test_two_releases_of_one_song_are_found(found: dict):
    ((first, second),) = found["edition"]
    assert first.startswith("Music_")
    assert second.startswith("Music_")
