import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crossrec_pipeline.catalogue.schema import ITEM_LINKS, ITEMS
from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.registry import Bundle, load_bundle, promote, save_bundle
from crossrec_pipeline.serving import export
from crossrec_pipeline.serving.api.schemas import Evaluation
from crossrec_pipeline.serving.export import (
    CATALOGUE_FILE,
    Export,
    export_bundle,
    export_path,
    open_export,
    prune_exports,
    write_catalogue,
)
from crossrec_pipeline.serving.items.catalogue import ItemCatalogue
from crossrec_pipeline.serving.similar import SIMILAR_FILE, write_similar
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of
from crossrec_pipeline_tests.serving.on_a_circle import embeddings_of

VOCABULARY = vocabulary_of("Movie_A", "Movie_B", "Book_C")
NOON = datetime(2023, 6, 1, 12, tzinfo=UTC)
FIGURES = Evaluation(
    cutoff=20,
    n_predictions=9,
    n_items=3,
    test_start=None,
    events="simulated, seed 7",
    models=[],
    by_type=[],
    transitions=[],
    notes=[],
)
FILES = ("bundle/weights.safetensors", "bundle/manifest.json", "items.arrow", "search/meta.json")


def save(data_dir: Path, hour: int = 0) -> Bundle:
    model = Markov()
    model.fit(SessionStore.from_sequences([[0, 1], [1, 2]] * (hour + 1)), VOCABULARY)
    time = NOON + timedelta(hours=hour)
    return save_bundle(model, VOCABULARY, data_dir / "models", inputs={}, created_at=time)


def items(*titles: str) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "item_id": f"Movie_{title}",
                "item_type": "Movie",
                "title": title,
                "genres": ["Drama"],
                "creators": ["Somebody"],
                "popularity": 0.5,
                "imputed": [],
            }
            for title in titles
        ],
        schema=ITEMS,
    )


def exported(bundle: Bundle, serving_dir: Path, **options: Any) -> Export:
    return open_export(export_bundle(bundle, serving_dir, **options))


def inode(path: Path) -> int:
    return path.stat().st_ino


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return save(tmp_path)


@pytest.fixture
def serving_dir(tmp_path: Path) -> Path:
    return tmp_path / "serving"


def test_an_export_has_the_bundle_itself(bundle: Bundle, serving_dir: Path):
    found = exported(bundle, serving_dir)
    assert found.path == export_path(serving_dir, bundle) == serving_dir / bundle.name
    assert (found.name, found.data_version) == (bundle.name, bundle.data_version)
    assert load_bundle(found.bundle_dir).bundle.name == bundle.name
    weights = "weights.safetensors"
    assert inode(found.bundle_dir / weights) == inode(bundle.path / weights)


def test_files_are_copied_where_they_cannot_be_linked(
    bundle: Bundle, serving_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    def across_devices(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", across_devices)
    found = exported(bundle, serving_dir)
    assert load_bundle(found.bundle_dir).bundle.name == bundle.name
    weights = "weights.safetensors"
    assert inode(found.bundle_dir / weights) != inode(bundle.path / weights)


def test_an_export_has_details_of_catalogue_and_vocabulary(bundle: Bundle, serving_dir: Path):
    write_catalogue(items("B", "Z"), serving_dir)
    catalogue = ItemCatalogue.open(exported(bundle, serving_dir).path)
    assert [catalogue.summary(index).item_id for index in range(3)] == VOCABULARY.item_ids
    assert catalogue.summary(1).creators == ["Somebody"]
    assert catalogue.summary(0).creators == []
    assert [found.item_id for found in catalogue.search("z")] == ["Movie_Z"]


def test_an_export_has_the_links_of_items(bundle: Bundle, serving_dir: Path):
    link = ("Movie_B", "Movie_Z", "edition", 0.9, "same title")
    write_catalogue(
        items("B", "Z"), serving_dir, pl.DataFrame([link], schema=ITEM_LINKS, orient="row")
    )
    catalogue = ItemCatalogue.open(exported(bundle, serving_dir).path)
    assert catalogue.links(1).same_work == {"Movie_Z"}
    assert catalogue.links(0).same_work == set()


def test_a_catalogue_that_an_earlier_version_wrote_has_no_links(bundle: Bundle, serving_dir: Path):
    path = write_catalogue(items("B", "Z"), serving_dir)
    pl.read_parquet(path).drop("same_story", "same_work").write_parquet(path)
    catalogue = ItemCatalogue.open(exported(bundle, serving_dir).path)
    assert catalogue.summary(1).creators == ["Somebody"]
    assert catalogue.links(1).same_story == catalogue.links(1).same_work == set()


def test_an_export_tells_what_is_near_its_items(bundle: Bundle, serving_dir: Path):
    write_catalogue(items("A", "B"), serving_dir)
    write_similar(embeddings_of(("Movie_A", 0), ("Movie_B", 40), ("Book_C", 10)), serving_dir)
    catalogue = ItemCatalogue.open(exported(bundle, serving_dir).path)
    detail = catalogue.detail("Movie_A")
    assert detail is not None
    near = {of.item_type: [item.item_id for item in of.items] for of in detail.similar}
    assert near == {"Book": ["Book_C"], "Movie": ["Movie_B"]}


def test_without_a_catalogue_the_vocabulary_is_enough(bundle: Bundle, serving_dir: Path):
    assert len(ItemCatalogue.open(exported(bundle, serving_dir).path)) == 3


def test_figures_are_carried_and_kept(bundle: Bundle, serving_dir: Path):
    assert exported(bundle, serving_dir).figures is None
    assert exported(bundle, serving_dir, figures=FIGURES).figures == FIGURES
    # A service that exports the champion itself knows of no figures.
    assert exported(bundle, serving_dir).figures == FIGURES


def test_the_same_export_is_not_made_again(bundle: Bundle, serving_dir: Path):
    write_catalogue(items("B"), serving_dir)
    first = exported(bundle, serving_dir, figures=FIGURES)
    write_catalogue(items("B"), serving_dir)
    again = exported(bundle, serving_dir, figures=FIGURES)
    assert again.manifest == first.manifest
    assert again.content == first.content


@pytest.mark.parametrize("what", ["catalogue", "links", "similar", "figures", "format", "engine"])
def test_another_content_is_another_export(
    bundle: Bundle, serving_dir: Path, what: str, monkeypatch: pytest.MonkeyPatch
):
    write_catalogue(items("B"), serving_dir)
    before = exported(bundle, serving_dir, figures=FIGURES)
    figures = FIGURES
    if what == "catalogue":
        write_catalogue(items("B", "Z"), serving_dir)
    if what == "links":
        link = ("Movie_B", "Movie_Z", "edition", 0.9, "same title")
        links = pl.DataFrame([link], schema=ITEM_LINKS, orient="row")
        write_catalogue(items("B"), serving_dir, links)
    if what == "similar":
        write_similar(embeddings_of(("Movie_A", 0), ("Movie_B", 40)), serving_dir)
    if what == "figures":
        figures = FIGURES.model_copy(update={"n_predictions": 10})
    if what == "format":
        monkeypatch.setattr(export, "FORMAT_VERSION", export.FORMAT_VERSION + 1)
    if what == "engine":
        monkeypatch.setattr(export, "ENGINE_FORMAT_VERSION", export.ENGINE_FORMAT_VERSION + 1)
    after = exported(bundle, serving_dir, figures=figures)
    assert after.content != before.content
    assert after.manifest["made_at"] > before.manifest["made_at"]


def test_nothing_half_written_is_left(bundle: Bundle, serving_dir: Path):
    exported(bundle, serving_dir)
    write_catalogue(items("B"), serving_dir)
    exported(bundle, serving_dir)
    hidden = [path.name for path in serving_dir.rglob(".*")]
    assert [name for name in hidden if ".partial-" in name or ".replaced-" in name] == []


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(bundle: Bundle, serving_dir: Path, name: str):
    path = export_bundle(bundle, serving_dir)
    (path / name).unlink()
    with pytest.raises(BundleError, match=rf"{name} is missing.*Delete the folder"):
        open_export(path)


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named_and_made_again(bundle: Bundle, serving_dir: Path, name: str):
    path = export_bundle(bundle, serving_dir)
    whole = (path / name).read_bytes()
    (path / name).unlink()
    (path / name).write_bytes(whole[:-1])
    with pytest.raises(BundleError, match=rf"{name} has .* bytes instead of"):
        open_export(path)
    export_bundle(bundle, serving_dir)
    assert open_export(path).data_version == bundle.data_version


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("", "cannot be read"),
        ("[]", "format version None; this version reads 4"),
        ('{"format_version": 99}', "format version 99; this version reads 4"),
        ('{"format_version": 2}', "format version 2; this version reads 4"),
        ('{"format_version": 4}', "has no 'kind'"),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    bundle: Bundle, serving_dir: Path, manifest: str, message: str
):
    path = export_bundle(bundle, serving_dir)
    (path / "manifest.json").write_text(manifest)
    with pytest.raises(BundleError, match=message):
        open_export(path)


def test_a_folder_that_is_none_is_refused(tmp_path: Path):
    with pytest.raises(BundleError, match="is no serving export"):
        open_export(tmp_path)


def test_figures_that_cannot_be_read_are_refused(bundle: Bundle, serving_dir: Path):
    found = exported(bundle, serving_dir, figures=FIGURES)
    text = (found.path / "figures.json").read_text()
    (found.path / "figures.json").write_text(text.replace("cutoff", "cutoof"))
    with pytest.raises(BundleError, match=r"figures\.json holds no figures"):
        _ = open_export(found.path).figures


def test_a_bundle_that_is_not_whole_is_not_exported(bundle: Bundle, serving_dir: Path):
    (bundle.path / "weights.safetensors").write_bytes(b"altered")
    with pytest.raises(BundleError, match=r"weights\.safetensors"):
        export_bundle(bundle, serving_dir)
    assert not export_path(serving_dir, bundle).exists()


def test_a_damaged_catalogue_is_refused(bundle: Bundle, serving_dir: Path):
    serving_dir.mkdir()
    (serving_dir / CATALOGUE_FILE).write_bytes(b"PAR1 no")
    with pytest.raises(BundleError, match=r"catalogue\.parquet cannot be read .* Delete it"):
        export_bundle(bundle, serving_dir)


def test_damaged_neighbours_are_refused(bundle: Bundle, serving_dir: Path):
    serving_dir.mkdir()
    (serving_dir / SIMILAR_FILE).write_bytes(b"PAR1 no")
    with pytest.raises(BundleError, match=r"similar\.parquet cannot be read .* Delete it"):
        export_bundle(bundle, serving_dir)


def test_two_processes_that_export_at_once_make_one_export(bundle: Bundle, serving_dir: Path):
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as processes:
        made = [processes.submit(export_bundle, bundle, serving_dir) for _ in range(4)]
        paths = {export.result() for export in made}
    assert paths == {export_path(serving_dir, bundle)}
    assert open_export(paths.pop()).data_version == bundle.data_version


def test_exports_of_bundles_that_are_gone_are_pruned(tmp_path: Path, serving_dir: Path):
    bundles = [save(tmp_path, hour) for hour in range(4)]
    for one in bundles:
        export_bundle(one, serving_dir)
        promote(tmp_path / "models", one, reason="test")
    for one in bundles:
        shutil.rmtree(one.path)
    gone = prune_exports(serving_dir, tmp_path / "models")
    # The last is the champion; the one before it is what a rollback would serve.
    assert sorted(gone) == [export_path(serving_dir, one) for one in bundles[:2]]
    assert open_export(export_path(serving_dir, bundles[2])).name == bundles[2].name
    assert open_export(export_path(serving_dir, bundles[3])).name == bundles[3].name


def test_exports_of_bundles_that_are_there_stay(tmp_path: Path, serving_dir: Path):
    bundles = [save(tmp_path, hour) for hour in range(3)]
    for one in bundles:
        export_bundle(one, serving_dir)
    promote(tmp_path / "models", bundles[0], reason="test")
    assert prune_exports(serving_dir, tmp_path / "models") == []


def test_nothing_is_pruned_where_it_is_not_known_what_is_served(
    bundle: Bundle, tmp_path: Path, serving_dir: Path
):
    export_bundle(bundle, serving_dir)
    shutil.rmtree(bundle.path)
    assert prune_exports(serving_dir, tmp_path / "models") == []
    (tmp_path / "models" / "champion.json").write_text("{")
    assert prune_exports(serving_dir, tmp_path / "models") == []


def test_the_manifest_lists_every_file_but_itself(bundle: Bundle, serving_dir: Path):
    found = exported(bundle, serving_dir)
    files = {
        path.relative_to(found.path).as_posix()
        for path in found.path.rglob("*")
        if path.is_file() and not path.name.endswith(".lock")
    }
    assert files == {*json.loads((found.path / "manifest.json").read_text())["files"]} | {
        "manifest.json"
    }
