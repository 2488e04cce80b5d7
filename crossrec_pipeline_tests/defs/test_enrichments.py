"""The asset of enrichments in Dagster: on an instance, in the daemon's eyes, and in a whole run."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from crossrec_pipeline.content.enrichment import read_results
from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.enrichments import (
    COVERAGE_CHECK,
    ENRICH_ITEMS,
    ENRICHMENTS_KEY,
    items_are_left,
)
from crossrec_pipeline.defs.home import open_instance
from crossrec_pipeline.defs.narration import why
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.built_world import BuiltWorld, built_world
from crossrec_pipeline_tests.content.enrichment.fake_endpoint import (
    FakeEndpoint,
    Received,
    Reply,
    describes,
    fails,
    says,
)
from crossrec_pipeline_tests.content.enrichment.small_catalogue import MODEL, books, item

pytestmark = pytest.mark.xdist_group("built")

KEY = "sk-very-secret-key"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with FakeEndpoint().running() as running:
        yield running


class Shop:
    """A published catalogue, an endpoint, and an instance that remembers."""

    def __init__(self, folder: Path, endpoint: FakeEndpoint, instance: dg.DagsterInstance) -> None:
        self.endpoint = endpoint
        self.instance = instance
        self.data_dir = folder / "data"
        self.enrichment: dict[str, Any] = {
            "base_url": endpoint.url,
            "model": MODEL,
            "api_key": KEY,
            "requests_per_minute": 60_000,
            "max_attempts": 1,
        }

    def settings(self, **changes: Any) -> Settings:
        return load_settings(
            data_dir=self.data_dir,
            domains=("books",),
            sources={},
            enrichment={**self.enrichment, **changes},
        )

    def publish(self, items: pl.DataFrame) -> None:
        Warehouse(path=str(self.settings().warehouse_path)).replace_tables(
            {"catalogue.items": items}
        )

    def materialise(self, **changes: Any) -> dg.ExecuteInProcessResult:
        """Run the job, the asset with its check."""
        self.endpoint.received.clear()
        job = build_definitions(self.settings(**changes)).resolve_job_def(ENRICH_ITEMS)
        return job.execute_in_process(instance=self.instance, raise_on_error=False)

    def described(self) -> list[str]:
        frame = read_results(self.settings().content_dir).enrichments
        return frame["item_id"].to_list()


@pytest.fixture
def shop(tmp_path: Path, endpoint: FakeEndpoint) -> Iterator[Shop]:
    with dg.DagsterInstance.ephemeral() as instance:
        shop = Shop(tmp_path, endpoint, instance)
        shop.publish(books(4))
        yield shop


@pytest.fixture
def lasting_shop(tmp_path: Path, shop: Shop) -> Iterator[Shop]:
    """The same with an instance on the disk, as people have it."""
    home = tmp_path / "home"
    home.mkdir()
    with dg.instance_for_test(temp_dir=str(home)) as instance:
        shop.instance = instance
        yield shop


def report(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Return what the materialisation says."""
    (event,) = result.asset_materializations_for_node(ENRICHMENTS_KEY.to_python_identifier())
    return {name: value.value for name, value in event.metadata.items()}


def version(result: dg.ExecuteInProcessResult) -> str:
    (event,) = result.asset_materializations_for_node(ENRICHMENTS_KEY.to_python_identifier())
    return str((event.tags or {})["dagster/data_version"])


def check(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.check_name == COVERAGE_CHECK
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    assert not evaluation.blocking
    return evaluation


def test_items_are_described_and_told_about(lasting_shop: Shop):
    shop = lasting_shop
    result = shop.materialise(prompt_price=1, reply_price=5)
    assert result.success
    assert shop.described() == ["Book_A", "Book_B", "Book_C", "Book_D"]
    told = report(result)
    assert {name: told[name] for name in ("asked", "described", "cached", "left", "requests")} == {
        "asked": 4,
        "described": 4,
        "cached": 0,
        "left": 0,
        "requests": 4,
    }
    assert (told["tokens"], told["estimated cost"]) == (560, 0.0012)
    assert told["model"] == MODEL
    assert told["endpoint"] == shop.endpoint.url
    assert "coming of age" in told["sample"]
    assert told["ended because"] == "nothing was left to ask"
    assert check(result).passed
    # Nothing but the tables is left.
    assert len(list(shop.settings().content_dir.iterdir())) == 2


def test_a_second_run_asks_nothing_and_moves_nothing(shop: Shop):
    before = version(shop.materialise())
    result = shop.materialise()
    assert shop.endpoint.received == []
    assert report(result)["cached"] == 4
    assert version(result) == before


def test_a_changed_item_moves_the_data_version(shop: Shop):
    before = version(shop.materialise())
    shop.publish(pl.concat([books(4), pl.DataFrame([item("E")], schema=books(1).schema)]))
    result = shop.materialise()
    assert shop.endpoint.titles == ["E"]
    assert version(result) != before


def test_an_endpoint_that_is_down_leaves_what_there_is_and_a_warning(shop: Shop):
    before = version(shop.materialise(max_items=2))
    shop.endpoint.script(fails(503, "overloaded"))
    result = shop.materialise(max_failures_in_row=1, concurrency=1)
    assert result.success
    assert version(result) == before
    assert shop.described() == ["Book_A", "Book_B"]
    assert "503 overloaded" in report(result)["ended because"]
    evaluation = check(result)
    assert not evaluation.passed
    assert "2 of 4 items are described (0.9 of them wanted)" in str(evaluation.description)
    assert "503 overloaded" in str(evaluation.description)


def test_before_the_first_answer_there_is_an_empty_table(shop: Shop):
    shop.endpoint.script(fails(401, f"no such key: {KEY}"))
    result = shop.materialise()
    assert result.success
    assert shop.described() == []
    assert "CROSSREC_ENRICHMENT__API_KEY" in report(result)["ended because"]
    assert not check(result).passed


def test_the_key_is_in_no_event_and_no_file(lasting_shop: Shop, capfd: pytest.CaptureFixture[str]):
    shop = lasting_shop
    shop.endpoint.script(describes(), fails(401, f"no such key: {KEY}"))
    result = shop.materialise()
    log = "".join(str(entry) for entry in shop.instance.all_logs(result.run_id))
    assert "no such key: ***" in log
    assert KEY not in log + "".join(capfd.readouterr())
    # The instance's home lies in the same folder.
    paths = [path for path in shop.data_dir.parent.rglob("*") if path.is_file()]
    assert len(paths) > 5
    for path in paths:
        assert KEY.encode() not in path.read_bytes(), path


def test_refused_items_are_listed_with_their_reasons(shop: Shop):
    def answer(received: Received) -> Reply:
        return says("no") if received.item["title"] == "B" else describes()

    shop.endpoint.answer = answer
    result = shop.materialise(min_share=0.75)
    assert "| the reply cannot be used: it is no JSON object | 1 |" in report(result)["refused"]
    refused = read_results(shop.settings().content_dir).refused
    assert refused["item_id"].to_list() == ["Book_B"]
    assert check(result).passed
    assert not check(shop.materialise(min_share=0.76)).passed


def test_items_without_an_answer_are_told_about_and_asked_for_again(shop: Shop):
    def answer(received: Received) -> Reply:
        return fails(500, "boom") if received.item["title"] == "B" else describes()

    shop.endpoint.answer = answer
    result = shop.materialise()
    assert report(result)["left"] == 1
    assert report(result)["ended because"] == (
        "everything was asked; some got no answer (500 boom)"
    )
    shop.endpoint.answer = lambda _: describes()
    shop.materialise()
    assert shop.endpoint.titles == ["B"]


def test_the_check_warns_of_outdated_descriptions(shop: Shop):
    shop.materialise()
    shop.publish(books(4).with_columns(description=pl.lit("Another.")))
    shop.endpoint.script(fails(503))
    evaluation = check(shop.materialise(min_share=0, max_failures_in_row=1))
    assert not evaluation.passed
    assert "4 descriptions are outdated" in str(evaluation.description)


def test_items_are_left_as_long_as_the_budget_has_not_sufficed(shop: Shop):
    assert items_are_left(shop.settings())
    shop.materialise(max_items=3)
    assert items_are_left(shop.settings())
    shop.materialise()
    assert not items_are_left(shop.settings())
    off = load_settings(data_dir=shop.data_dir, domains=("books",))
    assert not items_are_left(off)


def test_an_interrupted_step_keeps_its_answers(shop: Shop):
    def answer(received: Received) -> Reply:
        if received.item["title"] == "C":
            os.kill(os.getpid(), signal.SIGINT)
        return describes()

    shop.endpoint.answer = answer
    interrupted = shop.materialise(concurrency=1)
    assert not interrupted.success
    with pytest.raises(KeyboardInterrupt):  # so the command line takes it for Ctrl-C
        why(interrupted)
    assert not (shop.settings().content_dir / "enrichments.parquet").exists()
    shop.endpoint.answer = lambda _: describes()
    assert shop.materialise().success
    assert set(shop.endpoint.titles) <= {"C", "D"}
    assert shop.described() == ["Book_A", "Book_B", "Book_C", "Book_D"]


def test_another_machine_finds_in_the_store_what_was_paid_for(shop: Shop, tmp_path: Path):
    settings = shop.settings().model_copy(update={"store": f"file://{tmp_path}/store"})
    job = build_definitions(settings).resolve_job_def(ENRICH_ITEMS)
    for n_asked in (4, 0):
        shop.endpoint.received.clear()
        assert job.execute_in_process(instance=shop.instance).success
        assert len(shop.endpoint.received) == n_asked
        assert len(shop.described()) == 4
        shutil.rmtree(settings.content_dir)


def test_the_warehouse_is_free_while_items_are_asked_for(shop: Shop):
    job = build_definitions(shop.settings()).resolve_job_def(ENRICH_ITEMS)
    ops = [node for node in job.all_node_defs if isinstance(node, dg.OpDefinition)]
    pools = {op.name: op.pool for op in ops if not op.name.endswith(COVERAGE_CHECK)}
    assert pools == {"copy_items": "duckdb_file", "describe_items": "enrichment"}


def test_the_daemon_asks_for_it_once_items_have_changed(shop: Shop):
    defs = build_definitions(shop.settings())
    instance = dg.DagsterInstance.ephemeral()
    items = dg.AssetKey(["catalogue", "items"])

    def publish(content: str) -> None:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(items, tags={"dagster/data_version": content})
        )

    def describe() -> None:
        job = defs.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(instance=instance, asset_selection=[ENRICHMENTS_KEY]).success

    cursor: dg.AssetDaemonCursor | None = None

    def asked_for() -> bool:
        nonlocal cursor
        tick = dg.evaluate_automation_conditions(
            defs, instance, asset_selection=dg.AssetSelection.all(), cursor=cursor
        )
        cursor = tick.cursor
        return bool(tick.get_num_requested(ENRICHMENTS_KEY))

    publish("one")
    describe()
    assert not asked_for()
    publish("one")
    assert not asked_for()
    # A spent budget does not make it ask again by itself.
    publish("two")
    assert asked_for()
    describe()
    assert not asked_for()
    assert not asked_for()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorld:
    return built_world(tmp_path_factory)


def test_each_whole_run_goes_on_by_one_budget_until_nothing_is_left(
    world: BuiltWorld, endpoint: FakeEndpoint, capfd: pytest.CaptureFixture[str]
):
    n_items = world.items().height
    most = n_items // 2 + 1
    chosen = {
        "base_url": endpoint.url,
        "model": MODEL,
        "max_items": most,
        "requests_per_minute": 600_000,
        "concurrency": 8,
    }
    # What is written is embedded too.
    assert world.rebuild(enrichment=chosen) >= 2
    assert len(endpoint.received) == most
    error = capfd.readouterr().err
    assert f"✓ content/enrichments  {most:,} rows" in error
    assert f"✗ check {COVERAGE_CHECK}: {most:,} of {n_items:,} items are described" in error
    assert world.rebuild(enrichment=chosen) >= 2
    assert len(endpoint.received) == n_items
    assert world.rebuild(enrichment=chosen) == 0
    assert len(endpoint.received) == n_items

    # A table that was deleted by hand is built again, of what is known.
    path = world.settings.content_dir / "enrichments_refused.parquet"
    path.unlink()
    assert world.rebuild(enrichment=chosen) == 1
    assert len(endpoint.received) == n_items

    # Without the setting, nothing of it is there.
    assert world.rebuild() == 0
    with open_instance(world.home) as instance:
        event = instance.get_latest_materialization_event(ENRICHMENTS_KEY)
    assert event is not None


def test_an_endpoint_that_is_down_stops_no_other_asset(
    world: BuiltWorld, endpoint: FakeEndpoint, capfd: pytest.CaptureFixture[str]
):
    endpoint.script(fails(500, "boom"))
    chosen = {
        "base_url": endpoint.url,
        "model": "other",
        "max_attempts": 1,
        "requests_per_minute": 600_000,
    }
    raw = world.settings.raw_dir / "movies.parquet"
    raw.unlink()
    assert world.rebuild(enrichment=chosen) == 2
    assert raw.exists()
    assert "500 boom" in capfd.readouterr().err
