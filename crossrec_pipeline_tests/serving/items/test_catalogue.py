import json
from pathlib import Path

import pytest

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.serving.api.schemas import FoundItem, ItemDetail, ItemSummary
from crossrec_pipeline.serving.items.catalogue import ItemCatalogue
from crossrec_pipeline_tests.serving.items.catalogues import ROWS, details_of, opened


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> ItemCatalogue:
    return opened(details_of(ROWS, n_known=6), tmp_path_factory.mktemp("items") / "export")


def test_items_are_counted(catalogue: ItemCatalogue):
    assert (len(catalogue), catalogue.n_known) == (9, 6)


def test_only_items_of_the_model_have_an_index(catalogue: ItemCatalogue):
    assert catalogue.index_of("Movie_Creed_1") == 1
    assert catalogue.index_of("Book_Emma_7") is None
    assert catalogue.index_of("nobody's") is None


def test_a_summary_is_of_the_item_of_that_index(catalogue: ItemCatalogue):
    assert catalogue.summary(1) == ItemSummary(
        item_id="Movie_Creed_1",
        item_type="Movie",
        title="Creed",
        creators=["ryan coogler"],
        genres=["Drama"],
    )


def test_a_fragment_is_the_summary_without_braces(catalogue: ItemCatalogue):
    for index in range(catalogue.n_known):
        fragment = json.loads(b"{" + catalogue.json_fragment(index) + b"}")
        assert fragment == catalogue.summary(index).model_dump()


def test_details_of_a_known_and_an_unknown_item(catalogue: ItemCatalogue):
    assert catalogue.detail("Movie_Creed_1") == ItemDetail(
        **catalogue.summary(1).model_dump(),
        recommendable=True,
        description="About Creed",
        release_date="2023-03-01",
        popularity=0.8,
        train_events=99,
    )
    emma = catalogue.detail("Book_Emma_7")
    assert emma is not None
    assert (emma.recommendable, emma.train_events) == (False, 0)
    assert catalogue.detail("nobody's") is None


def test_what_is_near_an_item_is_shown_by_type_nearest_first(tmp_path: Path):
    near = ["Book_Dune_6", "Movie_Arrival_5", "Movie_Dune_4", "Movie_Nobody_0"]
    details = details_of(ROWS, n_known=6, similar={"Movie_Creed_1": near, "Book_Emma_7": near[:1]})
    catalogue = opened(details, tmp_path / "export")
    creed, emma = catalogue.detail("Movie_Creed_1"), catalogue.detail("Book_Emma_7")
    assert creed is not None
    assert [(of.item_type, [item.title for item in of.items]) for of in creed.similar] == [
        ("Book", ["Dune"]),
        ("Movie", ["Arrival", "Dune"]),
    ]
    assert creed.similar[1].items[0] == catalogue.summary(5)
    assert emma is not None
    assert [item.item_id for of in emma.similar for item in of.items] == ["Book_Dune_6"]
    dune = catalogue.detail("Movie_Dune_4")
    assert dune is not None
    assert dune.similar == []


def test_found_items_say_whether_they_can_be_recommended(catalogue: ItemCatalogue):
    movie, book = catalogue.search("dune", limit=5)
    assert isinstance(movie, FoundItem)
    assert (movie.item_type, movie.recommendable) == ("Movie", True)
    assert (book.item_type, book.recommendable) == ("Book", False)
    assert catalogue.search("dune", item_type="Book") == [book]


def test_an_open_catalogue_outlives_its_folder(tmp_path: Path):
    catalogue = opened(details_of(ROWS, n_known=6), tmp_path / "export")
    for file in (tmp_path / "export").rglob("*"):
        if file.is_file():
            file.unlink()
    assert catalogue.summary(0).title == "Creed III"
    assert [found.title for found in catalogue.search("emma")] == ["Emma"]


def test_a_catalogue_without_items(tmp_path: Path):
    catalogue = opened(details_of([], n_known=0), tmp_path / "export")
    assert len(catalogue) == 0
    assert catalogue.search("dune") == []
    assert catalogue.detail("Movie_Dune") is None


@pytest.mark.parametrize("name", ["items.arrow", "search/meta.json"])
def test_what_is_not_whole_is_refused(tmp_path: Path, name: str):
    opened(details_of(ROWS, n_known=6), tmp_path / "export")
    (tmp_path / "export" / name).write_bytes(b"ARROW1")
    with pytest.raises(BundleError, match=r"export cannot be read .* Delete the folder"):
        ItemCatalogue.open(tmp_path / "export")
