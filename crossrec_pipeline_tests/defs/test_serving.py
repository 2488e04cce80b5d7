"""The export of the champion in a built pipeline, and the check of what a service answers."""

import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs import serving
from crossrec_pipeline.models.popularity import Popularity
from crossrec_pipeline.models.promotions import read_champion
from crossrec_pipeline.models.registry import LoadedBundle, find_bundle, latest_bundle, promote
from crossrec_pipeline.serving.export import Export, export_path, open_export
from crossrec_pipeline.serving.items.catalogue import ItemCatalogue
from crossrec_pipeline.serving.local_service import local_service
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import ServingSettings, Settings, load_settings
from crossrec_pipeline_tests.built_world import BuiltWorld, built_world

pytestmark = pytest.mark.xdist_group("built")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorld:
    return built_world(tmp_path_factory)


def exported(world: BuiltWorld) -> Export:
    champion = find_bundle(world.settings.models_dir, "champion")
    return open_export(export_path(world.settings.serving_dir, champion))


def checked(settings: Settings) -> dg.AssetCheckEvaluation:
    """Run the check as the nightly audit does."""
    key = dg.AssetCheckKey(serving.EXPORT_KEY, serving.REPLAY_CHECK)
    job = dg.Definitions.merge(
        build_definitions(settings),
        dg.Definitions(
            jobs=[dg.define_asset_job("replay", dg.AssetSelection.checks(key))],
        ),
    ).resolve_job_def("replay")
    with dg.DagsterInstance.ephemeral() as instance:
        (evaluation,) = job.execute_in_process(instance=instance).get_asset_check_evaluations()
    return evaluation


def asking(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"serving": ServingSettings(check_url=url)})


def test_the_champion_is_exported_with_the_catalogue_and_its_figures(world: BuiltWorld):
    found = exported(world)
    champion = read_champion(world.settings.models_dir)
    assert champion is not None
    assert (found.name, found.data_version) == (champion.name, champion.data_version)
    catalogue = ItemCatalogue.open(found.path)
    assert len(catalogue) == world.items().height
    assert (
        catalogue.n_known
        == find_bundle(world.settings.models_dir, "champion").manifest["vocabulary"]["items"]
    )
    detail = catalogue.detail(world.items()["item_id"][0])
    assert detail is not None
    assert [len(of.items) for of in detail.similar] == [3, 3]
    assert found.figures is not None
    assert [model.model for model in found.figures.models if model.served] == [champion.kind]


def test_a_service_answers_as_the_champion_ranks(world: BuiltWorld):
    evaluation = checked(world.settings)
    assert evaluation.passed, evaluation.description
    assert evaluation.severity == dg.AssetCheckSeverity.ERROR
    assert not evaluation.blocking
    n_sessions = SessionDataset.open(world.settings.sessions_dir).test.n_sessions
    # A test session has at least two beginnings.
    assert evaluation.metadata["predictions"].value == evaluation.metadata["equal lists"].value
    assert int(str(evaluation.metadata["predictions"].value)) >= 2 * min(150, n_sessions)


def test_a_running_service_is_asked_where_one_is_named(world: BuiltWorld):
    with local_service(world.settings) as url:
        assert checked(asking(world.settings, url)).passed


def test_a_service_of_another_model_fails_the_check(world: BuiltWorld, tmp_path: Path):
    other = load_settings(data_dir=tmp_path)
    shutil.copytree(world.settings.models_dir, other.models_dir)
    markov = latest_bundle(other.models_dir, "markov")
    assert markov is not None
    promote(other.models_dir, markov, reason="test")
    with local_service(other) as url:
        evaluation = checked(asking(world.settings, url))
    assert not evaluation.passed
    assert evaluation.severity == dg.AssetCheckSeverity.ERROR
    assert f"answers with {markov.name}" in str(evaluation.description)


def test_a_service_with_other_lists_fails_the_check(
    world: BuiltWorld, monkeypatch: pytest.MonkeyPatch
):
    load = serving.load_bundle

    def ranking_otherwise(path: Path) -> LoadedBundle:
        loaded = load(path)
        model: Any = Popularity()
        model.fit(SessionDataset.open(world.settings.sessions_dir).train, loaded.vocabulary)
        return LoadedBundle(model, loaded.vocabulary, loaded.bundle)

    monkeypatch.setattr(serving, "load_bundle", ranking_otherwise)
    evaluation = checked(world.settings)
    assert not evaluation.passed
    assert "instead of" in str(evaluation.metadata["first difference"].value)


def test_a_service_that_is_not_there_fails_the_check(world: BuiltWorld):
    evaluation = checked(asking(world.settings, "http://127.0.0.1:9"))
    assert not evaluation.passed
    assert "cannot be asked" in str(evaluation.description)


@pytest.mark.parametrize("name", ["items.arrow", "manifest.json", "search/meta.json"])
def test_a_damaged_export_is_made_again(world: BuiltWorld, name: str):
    before = exported(world)
    file = before.path / name
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    assert world.rebuild() == 1
    assert exported(world).content == before.content
    assert world.rebuild() == 0


@pytest.mark.parametrize("name", ["", "catalogue.parquet", "similar.parquet"])
def test_a_deleted_export_is_made_again(world: BuiltWorld, name: str):
    path = world.settings.serving_dir / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    assert world.rebuild() == 1
    assert exported(world).figures is not None
    assert world.rebuild() == 0


def test_a_bundle_promoted_by_hand_is_exported_by_the_next_run(world: BuiltWorld):
    models = world.settings.models_dir
    before, markov = find_bundle(models, "champion"), latest_bundle(models, "markov")
    assert markov is not None
    promote(models, markov, reason="by hand")
    assert world.rebuild() == 1
    assert exported(world).name == markov.name
    promote(models, before, reason="back")
    assert world.rebuild() == 0
