"""Exports of a model with items that came after its training."""

import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.additions import Additions
from crossrec_pipeline.models.promotions import Champion
from crossrec_pipeline.models.registry import Bundle, open_bundle, promote
from crossrec_pipeline.serving.export import Export, export_bundle, open_export
from crossrec_pipeline.serving.served import Served, open_served
from crossrec_pipeline_tests.serving.engine.later_items import N_ITEMS, NEW, additions, trained


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(trained(tmp_path_factory.mktemp("data") / "models"))


def exported(bundle: Bundle, serving_dir: Path, added: Additions | None) -> Export:
    return open_export(export_bundle(bundle, serving_dir, additions=added))


def served(bundle: Bundle, serving_dir: Path) -> Served:
    models_dir = bundle.path.parents[1]
    champion: Champion = promote(models_dir, bundle, reason="test")
    return open_served(champion, models_dir, serving_dir)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file()
    }


def test_items_that_came_later_lie_beside_the_bundle(bundle: Bundle, tmp_path: Path):
    before = digests(bundle.path)

    found = exported(bundle, tmp_path, additions())

    frame = pl.read_parquet(found.path / "additions.parquet")
    assert frame["item_id"].to_list() == ["Book_x", "Movie_y", "Movie_z"]
    assert found.added == {"Book": 1, "Movie": 2}
    assert found.additions is not None
    assert found.additions.version == additions().version
    assert found.data_version == bundle.data_version
    assert digests(bundle.path) == before
    assert open_bundle(found.bundle_dir).data_version == bundle.data_version


def test_they_are_served_with_the_others(bundle: Bundle, tmp_path: Path):
    exported(bundle, tmp_path, additions())

    found = served(bundle, tmp_path)

    assert found.vocabulary.n_items == N_ITEMS + 3
    assert found.catalogue.index_of("Movie_z") == NEW + 2
    assert found.catalogue.n_known == N_ITEMS + 3
    assert found.catalogue.summary(NEW).item_id == "Book_x"
    detail = found.catalogue.detail("Movie_y")
    assert detail is not None
    assert (detail.recommendable, detail.train_events) == (True, 0)
    assert [item.recommendable for item in found.catalogue.search("z")] == [True]
    assert found.count_types([NEW, NEW + 1, NEW + 2]) == {"Book": 1, "Movie": 2}
    # Nobody has used them, so they are no popular ones as long as there are others.
    assert NEW not in found.popular.best(N_ITEMS, None, [])


def test_another_content_is_another_export(bundle: Bundle, tmp_path: Path):
    contents = {
        exported(bundle, tmp_path, added).content
        for added in (None, additions(), additions(1), Additions.none())
    }

    assert len(contents) == 3, "without any, with some, with others; and without any again"


def test_equal_items_are_not_exported_again(bundle: Bundle, tmp_path: Path):
    first = exported(bundle, tmp_path, additions())

    again = exported(bundle, tmp_path, additions())

    assert again.manifest == first.manifest


def test_who_knows_of_no_items_keeps_them(bundle: Bundle, tmp_path: Path):
    """A service that finds its catalogue changed makes the export again by itself."""
    first = exported(bundle, tmp_path, additions())

    assert exported(bundle, tmp_path, None).manifest == first.manifest


def test_items_are_taken_away_where_there_are_none_now(bundle: Bundle, tmp_path: Path):
    exported(bundle, tmp_path, additions())

    found = exported(bundle, tmp_path, Additions.none())

    assert found.added == {}
    assert found.additions is None
    assert not (found.path / "additions.parquet").exists()
    assert served(bundle, tmp_path).catalogue.index_of("Book_x") is None


def test_an_altered_file_is_refused(bundle: Bundle, tmp_path: Path):
    found = exported(bundle, tmp_path, additions())
    path, manifest = found.path / "additions.parquet", found.path / "manifest.json"
    additions(1).save(path)
    notes = json.loads(manifest.read_text())
    notes["files"][path.name] = path.stat().st_size
    manifest.write_text(json.dumps(notes))

    with pytest.raises(BundleError, match=r"additions\.parquet .*Delete the serving export"):
        served(bundle, tmp_path)

    # Where the items are known it is made again.
    assert exported(bundle, tmp_path, additions()).additions is not None
