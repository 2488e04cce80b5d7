"""The whole pipeline on a server that speaks S3, each step of it on a disk that began empty.

The tests are steps of one story, in the order they are written.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import httpx
import pytest
import s3fs

from crossrec_pipeline import cli
from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.home import open_instance, prepare_home
from crossrec_pipeline.defs.rebuild import rebuild
from crossrec_pipeline.defs.sources import report_sources
from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.models.promotions import read_champion
from crossrec_pipeline.models.registry import list_bundles, open_bundle
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.lineage_world import SmallCatalogues
from crossrec_pipeline_tests.serving.api.running import running, until
from crossrec_pipeline_tests.storage.s3_server import s3_server

pytestmark = pytest.mark.xdist_group("s3")

BUCKET = "shop"
STORE = f"s3://{BUCKET}/crossrec"


@dataclass(frozen=True)
class World:
    """Catalogues in a bucket, a store beside them, and disks that can be thrown away."""

    folder: Path
    like: Settings
    fs: s3fs.S3FileSystem

    def settings(self, disk: str, **changes: object) -> Settings:
        """Settings of a machine; each disk is empty at first."""
        sources = {domain: f"s3://{BUCKET}/{domain}.csv" for domain in self.like.domains}
        return load_settings(
            **{
                **dict(self.like),
                "data_dir": self.folder / disk,
                "sources": sources,
                "store": STORE,
                **changes,
            }
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("s3")
    catalogues = SmallCatalogues(folder)
    with s3_server() as variables, pytest.MonkeyPatch.context() as patch:
        for name, value in {**variables, "DAGSTER_HOME": str(folder / "home")}.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        fs = s3fs.S3FileSystem()
        fs.mkdir(BUCKET)
        for domain, path in catalogues.files.items():
            fs.put_file(str(path), f"{BUCKET}/{domain}.csv")
        yield World(folder, catalogues.settings, fs)
        s3fs.S3FileSystem.clear_instance_cache()


def layers(settings: Settings) -> list[list[dg.AssetKey]]:
    """Return the assets, layer by layer: no asset depends on one of its own layer."""
    graph = build_definitions(settings).resolve_asset_graph()
    return [
        sorted(key for key in layer if key in graph.materializable_asset_keys)
        for layer in graph.toposorted_asset_keys_by_level
    ]


def test_each_layer_is_built_on_an_empty_disk(world: World):
    built = 0
    with open_instance(prepare_home()) as instance:
        report_sources(world.settings("laptop"), instance)
        for number, layer in enumerate(filter(None, layers(world.settings("laptop")))):
            settings = world.settings(f"pod {number}")
            job = build_definitions(settings).resolve_implicit_global_asset_job_def()
            result = job.execute_in_process(asset_selection=layer, instance=instance)
            assert [each for each in result.get_asset_check_evaluations() if not each.passed] == []
            built += len(layer)
            shutil.rmtree(settings.data_dir)
    assert built > 10


def test_nothing_is_out_of_date_on_a_fresh_machine(world: World):
    settings = world.settings("laptop")
    assert rebuild(settings) == 0
    champion = read_champion(settings.models_dir)
    assert champion is not None
    assert open_bundle(settings.models_dir / champion.name).data_version == champion.data_version


def test_all_is_as_it_is_without_a_store(world: World):
    alone = world.settings(
        "alone",
        store=None,
        sources={domain: world.like.sources[domain] for domain in world.like.domains},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(world.folder / "home of its own"))
        assert rebuild(alone) > 10
    here = world.settings("laptop")
    assert (
        SessionDataset.open(here.sessions_dir).digest
        == SessionDataset.open(alone.sessions_dir).digest
    )
    versions = []
    for settings in (here, alone):
        (bundle,) = list_bundles(settings.models_dir, "gru4rec")
        versions.append(open_bundle(bundle).data_version)
    assert versions[0] == versions[1]


def test_the_service_answers_from_an_empty_disk_and_follows_a_promotion(world: World):
    settings = world.settings("service", serving={"poll_seconds": 0.05, "log_requests": False})
    with running(settings) as address:
        until(lambda: httpx.get(f"{address}/readyz").status_code == 200)
        served = httpx.get(f"{address}/v1/model").json()["name"]
        asked = {"session": [], "top_k": 3}
        answer = httpx.post(f"{address}/v1/recommendations", json=asked).json()
        assert len(answer["items"]) == 3
        # Only what is served came, not the sessions or the other models.
        assert not settings.sessions_dir.exists()
        assert [path.name for path in settings.models_dir.iterdir() if path.is_dir()] == [
            served.partition("/")[0]
        ]
        other = promoted_by_hand(world, served)
        until(lambda: httpx.get(f"{address}/v1/model").json()["name"] == other)


def promoted_by_hand(world: World, served: str) -> str:
    """Promote another model on another machine by the command line."""
    settings = world.settings("desk")
    assert read_champion(settings.models_dir) is None
    variables = {"CROSSREC_DATA_DIR": str(settings.data_dir), "CROSSREC_STORE": STORE}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        assert cli.exit_code(["models", "list"]) == 0
        kind = next(kind for kind in ("markov", "popularity") if kind != served.partition("/")[0])
        name = f"{kind}/{list_bundles(settings.models_dir, kind)[-1].name}"
        assert cli.exit_code(["models", "promote", name, "--reason", "to see"]) == 0
    return name


def test_a_catalogue_that_changed_at_its_url_is_read_again(world: World):
    movies = f"{BUCKET}/movies.csv"
    with world.fs.open(movies, "rb") as file:
        lines = [line for line in file.readlines() if isinstance(line, bytes)]
    world.fs.pipe_file(movies, b"".join(lines[:-1]))
    settings = world.settings("laptop")
    assert rebuild(settings) > 0
    assert rebuild(settings) == 0
    assert rebuild(world.settings("next laptop")) == 0


def test_a_bucket_that_is_not_there_is_named_by_the_first_step(world: World):
    lost = world.settings("lost", store="s3://nobody/crossrec")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(world.folder / "home of the lost"))
        with pytest.raises(CrossrecError, match="s3://nobody/crossrec") as caught:
            rebuild(lost)
    assert "raw_" in str(caught.value)
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)
