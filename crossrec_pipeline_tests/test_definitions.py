"""What a person finds in the Dagster UI, by name; and what loading it costs."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg
import pytest

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.domains import BUILT_IN, MOVIES, Fill
from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.settings import load_settings

GROUPS = {
    "sources": {"sources/movies", "sources/music", "sources/books", "sources/events"},
    "catalogue": {
        "catalogue/raw_movies",
        "catalogue/raw_music",
        "catalogue/raw_books",
        "catalogue/staged_items",
        "catalogue/items",
        "catalogue/rejected_items",
        "catalogue/item_links",
    },
    "content": {"content/embeddings"},
    "interactions": {"interactions/events"},
    "sessions": {"sessions/sequences"},
    "models": {
        "models/popularity",
        "models/markov",
        "models/session_popularity",
        "models/association_rules",
        "models/sequential_rules",
        "models/item_knn",
        "models/sknn",
        "models/vsknn",
        "models/vmis",
        "models/stan",
        "models/vstan",
        "models/gru4rec",
        "models/hybrid",
        "models/champion",
        "models/tuned_configuration",
    },
    "evaluation": {"evaluation/ranks", "evaluation/report", "evaluation/controls"},
    "serving": {"serving/export"},
    "exploration": {"exploration/charts"},
}
ON_DEMAND = {"models/tuned_configuration", "evaluation/controls"}
"""Made by jobs that a person starts."""
NOT_BLOCKING = {"promotion_gate", "replay_matches_offline", "links_reviewed"}
STAGED_CHECKS = {
    "schema",
    "completeness",
    "placeholders",
    "identity",
    "ranges",
    "conservation",
    "rejections",
    "size",
    "fill_rates",
}


LEAK_CHECKS = {
    "parts_in_time",
    "sessions_in_one_part",
    "users_future",
    "vocabulary_of_train",
    "repeated_sessions",
    "cold_items",
}


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_definitions(load_settings(domains=("movies", "music", "books"), sources={}))


@pytest.fixture(scope="module")
def specs(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_the_assets_and_their_groups(specs: dict[str, dg.AssetSpec]):
    groups: dict[str, set[str]] = {}
    for name, spec in specs.items():
        groups.setdefault(str(spec.group_name), set()).add(name)
    assert groups == GROUPS


def test_every_asset_says_what_it_is_and_whose(specs: dict[str, dg.AssetSpec]):
    for name, spec in specs.items():
        assert len(spec.description or "") > 20, name
        assert spec.owners, name
        assert spec.kinds, name
        if spec.group_name != "sources" and name not in ON_DEMAND:
            assert spec.code_version, name
            assert spec.automation_condition, name


def test_who_reads_whom(defs: dg.Definitions):
    graph = defs.resolve_asset_graph()

    def parents(name: str) -> set[str]:
        node = graph.get(dg.AssetKey(name.split("/")))
        return {key.to_user_string() for key in node.parent_keys}

    assert parents("catalogue/raw_movies") == {"sources/movies"}
    assert parents("catalogue/items") == {"catalogue/staged_items"}
    assert parents("content/embeddings") == {"catalogue/items"}
    assert parents("catalogue/item_links") == {"catalogue/items"}
    assert parents("interactions/events") == {"catalogue/items", "sources/events"}
    assert parents("sessions/sequences") == {"catalogue/items", "interactions/events"}
    assert parents("models/gru4rec") == {"sessions/sequences"}
    assert parents("models/hybrid") == {
        "models/gru4rec",
        "models/vstan",
        "models/sequential_rules",
        "sessions/sequences",
        "catalogue/items",
        "catalogue/item_links",
    }
    assert parents("models/champion") == {"models/hybrid", "evaluation/report"}
    assert parents("serving/export") == {
        "models/champion",
        "catalogue/items",
        "content/embeddings",
        "catalogue/item_links",
        "evaluation/report",
    }
    assert parents("evaluation/controls") == {
        "sessions/sequences",
        "models/gru4rec",
        "evaluation/ranks",
    }


def test_checks_of_what_models_are_made_of_are_blocking_and_others_are_not(defs: dg.Definitions):
    graph = defs.resolve_asset_graph()
    names: dict[str, set[str]] = {}
    for key in graph.asset_check_keys:
        assert graph.get(key).blocking == (key.name not in NOT_BLOCKING), key
        names.setdefault(key.asset_key.to_user_string(), set()).add(key.name)
    assert names == {
        "catalogue/staged_items": STAGED_CHECKS,
        "catalogue/item_links": {"links_reviewed"},
        "interactions/events": {"events"},
        "sessions/sequences": LEAK_CHECKS,
        "models/champion": {"promotion_gate"},
        "serving/export": {"replay_matches_offline"},
    }


def test_jobs_schedules_and_sensors(defs: dg.Definitions):
    repository = defs.get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert jobs == {"build_everything", "audit_data", "tune_gru4rec", "run_controls"}
    schedules = {schedule.name: schedule for schedule in repository.schedule_defs}
    assert {name: schedule.default_status.value for name, schedule in schedules.items()} == {
        "daily_audit": "RUNNING",
        "weekly_controls": "STOPPED",
    }
    sensors = {sensor.name: sensor for sensor in repository.sensor_defs}
    assert set(sensors) == {"watch_sources", "rebuild_what_changed", "log_failed_runs"}
    running = dg.DefaultSensorStatus.RUNNING
    assert all(sensor.default_status == running for sensor in sensors.values())


def test_whoever_opens_the_warehouse_is_in_its_pool(defs: dg.Definitions):
    graph = defs.resolve_asset_graph()
    pools = {
        key.to_user_string(): graph.get(key).pools or set() for key in graph.executable_asset_keys
    }
    opening = (*GROUPS["catalogue"], *GROUPS["content"], "interactions/events")
    for name in (*opening, "sessions/sequences"):
        expected = set() if "raw_" in name else {"duckdb_file"}
        assert pools[name] == expected, name
    assert pools["serving/export"] == {"duckdb_file"}
    assert pools["models/gru4rec"] == {"training"}


def test_a_setting_marks_what_it_shapes_as_changed_and_nothing_else():
    def code_versions(**overrides: object) -> dict[str, str | None]:
        defs = build_definitions(load_settings(**overrides))
        specs = defs.resolve_all_asset_specs()
        return {spec.key.to_user_string(): spec.code_version for spec in specs}

    before = code_versions()
    after = code_versions(sessions={"gap_minutes": 20.0})
    assert {name for name in before if before[name] != after[name]} == {"sessions/sequences"}
    after = code_versions(sessions={"event_inputs": True})
    assert {name for name in before if before[name] != after[name]} == {"sessions/sequences"}
    assert code_versions(sessions={"event_inputs": False}) == before
    after = code_versions(training={"epochs": 3})
    assert {name for name in before if before[name] != after[name]} == {"models/gru4rec"}
    after = code_versions(content={"max_tokens": 64})
    assert {name for name in before if before[name] != after[name]} == {"content/embeddings"}
    assert code_versions(content={"batch_size": 8}) == before
    after = code_versions(gate={"tolerance": 0.01})
    assert {name for name in before if before[name] != after[name]} == {"models/champion"}


def test_the_challenger_can_be_another_kind_that_is_trained():
    defs = build_definitions(load_settings(gate={"challenger": "markov"}))
    parents = defs.resolve_asset_graph().get(dg.AssetKey(["models", "champion"])).parent_keys
    assert {key.to_user_string() for key in parents} == {"models/markov", "evaluation/report"}
    with pytest.raises(SettingsError, match=r"'oracle'.*popularity, markov, .*gru4rec, hybrid"):
        build_definitions(load_settings(gate={"challenger": "oracle"}))


def test_a_changed_declaration_of_a_domain_marks_its_tables_as_changed(
    monkeypatch: pytest.MonkeyPatch,
):
    def code_versions() -> dict[str, str | None]:
        defs = build_definitions(load_settings(domains=("movies", "books")))
        return {s.key.to_user_string(): s.code_version for s in defs.resolve_all_asset_specs()}

    before = code_versions()
    assert code_versions() == before
    columns = tuple(
        replace(column, missing=Fill(("Other",))) if column.becomes == "genres" else column
        for column in MOVIES.columns
    )
    monkeypatch.setitem(BUILT_IN, "movies", replace(MOVIES, columns=columns))
    after = code_versions()
    assert {name for name in before if before[name] != after[name]} == {
        "catalogue/raw_movies",
        "catalogue/staged_items",
    }


ENRICHMENT = {"base_url": "http://localhost:11434/v1", "model": "small"}


def test_items_are_described_only_where_an_endpoint_is_set(defs: dg.Definitions):
    def names(defs: dg.Definitions) -> set[str]:
        graph, repository = defs.resolve_asset_graph(), defs.get_repository_def()
        found = {key.to_user_string() for key in graph.get_all_asset_keys()}
        found |= {key.name for key in graph.asset_check_keys}
        found |= {job.name for job in repository.get_all_jobs()}
        return found | {schedule.name for schedule in repository.schedule_defs}

    chosen = build_definitions(load_settings(enrichment=ENRICHMENT))
    assert names(chosen) - names(defs) == {
        "content/enrichments",
        "items_are_described",
        "enrich_items",
        "nightly_enrichment",
    }
    key = dg.AssetKey(["content", "enrichments"])
    node = chosen.resolve_asset_graph().get(key)
    assert {parent.to_user_string() for parent in node.parent_keys} == {"catalogue/items"}
    assert {child.to_user_string() for child in node.child_keys} == {"content/embeddings"}
    assert node.group_name == "content"
    assert node.automation_condition
    assert all(
        not chosen.resolve_asset_graph().get(check).blocking
        for check in chosen.resolve_asset_graph().get_check_keys_for_assets({key})
    )
    schedules = chosen.get_repository_def().schedule_defs
    (nightly,) = [each for each in schedules if each.name == "nightly_enrichment"]
    assert nightly.default_status.value == "STOPPED"


def test_another_model_marks_descriptions_as_changed_and_other_bounds_do_not():
    def code_versions(**changes: object) -> dict[str, str | None]:
        defs = build_definitions(load_settings(enrichment={**ENRICHMENT, **changes}))
        return {s.key.to_user_string(): s.code_version for s in defs.resolve_all_asset_specs()}

    before = code_versions()
    after = code_versions(model="large")
    assert {name for name in before if before[name] != after[name]} == {"content/enrichments"}
    other = {"base_url": "http://localhost:1/v1", "max_items": 1, "api_key": "sk-1"}
    assert code_versions(**other) == before


def test_only_deliveries_can_be_late():
    late = load_settings(domains=("movies", "books"), sources={"books": "my_books.csv"})
    defs = build_definitions(late)
    specs = defs.resolve_all_asset_specs()
    policies = {spec.key.to_user_string(): spec.freshness_policy for spec in specs}
    assert policies["sources/books"] is not None
    assert policies["sources/movies"] is None
    assert policies["models/gru4rec"] is not None
    checked = {
        key.asset_key.to_user_string() for key in defs.resolve_asset_graph().asset_check_keys
    }
    assert "sources/books" in checked
    assert "sources/movies" not in checked


def test_loading_imports_nothing_that_takes_long():
    code = (
        "import sys, crossrec_pipeline.definitions as d\n"
        "from crossrec_pipeline.settings import load_settings\n"
        "d.build_definitions(load_settings(enrichment={'base_url': 'http://x/v1', 'model': 'm'}))\n"
        "slow = {'torch', 'great_expectations', 'datasets', 'altair'}\n"
        "slow |= {'fastapi', 'tantivy', 'sklearn', 'sentence_transformers'}\n"
        "slow |= {'httpx2', 'tenacity'}\n"
        "print(*sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    folder = tmp_path_factory.mktemp("growing")
    return build_definitions(
        load_settings(
            events=f"{folder}/", data_dir=folder / "data", log={"first_day": "2024-01-01"}
        )
    )


def test_a_growing_log_has_deliveries_and_days(growing: dg.Definitions):
    graph = growing.resolve_asset_graph()
    partitioned = {
        key.to_user_string() for key in graph.executable_asset_keys if graph.get(key).is_partitioned
    }
    assert partitioned == {"interactions/events", "sessions/by_day"}

    def parents(name: str) -> set[str]:
        key = dg.AssetKey(name.split("/"))
        return {parent.to_user_string() for parent in graph.get(key).parent_keys}

    assert parents("interactions/deliveries") == {"sources/events"}
    assert parents("interactions/events") == {"interactions/deliveries", "catalogue/items"}
    assert parents("sessions/by_day") == {"interactions/events"}
    assert parents("sessions/sequences") == {"sessions/by_day", "catalogue/items"}


def test_days_of_a_growing_log_are_built_together_from_the_first_one_to_today(
    growing: dg.Definitions,
):
    node = growing.resolve_asset_graph().get(dg.AssetKey(["interactions", "events"]))
    assert node.backfill_policy == dg.BackfillPolicy.single_run()
    assert node.partitions_def is not None
    assert node.partitions_def.get_first_partition_key() == "2024-01-01"
    assert node.partitions_def.get_last_partition_key() == str(datetime.now(UTC).date())


def test_a_sensor_asks_for_the_days_of_a_growing_log(growing: dg.Definitions):
    repository = growing.get_repository_def()
    sensors = {sensor.name: sensor.default_status.value for sensor in repository.sensor_defs}
    assert sensors["rebuild_days"] == "RUNNING"
    # One run cannot build everything: the days are partitions, the rest is not.
    assert "build_everything" not in {job.name for job in repository.get_all_jobs()}
    audit = growing.resolve_job_def("audit_data")
    assert audit.partitions_def is None


def test_a_password_of_a_log_is_not_shown():
    settings = load_settings(events="postgresql://reader:pa55word@db.example/shop")
    specs = build_definitions(settings).resolve_all_asset_specs()
    shown = [str(spec.metadata) + str(spec.description) for spec in specs]
    assert any("db.example/shop" in text for text in shown)
    assert not any("pa55word" in text for text in shown)


def test_what_shapes_the_days_of_a_growing_log_marks_them_as_changed():
    def code_versions(**overrides: object) -> dict[str, str | None]:
        defs = build_definitions(load_settings(events="/nowhere/{date}.csv", **overrides))
        return {s.key.to_user_string(): s.code_version for s in defs.resolve_all_asset_specs()}

    before = code_versions()
    after = code_versions(sessions={"gap_minutes": 20.0})
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"sessions/by_day", "sessions/sequences"}
    after = code_versions(sessions={"event_inputs": True})
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"sessions/by_day", "sessions/sequences"}
    after = code_versions(log={"window_days": 30})
    assert {name for name in before if before[name] != after[name]} == {"sessions/sequences"}
    assert code_versions(sessions={"engine": "polars", "memory_limit": "1GB"}) == before
