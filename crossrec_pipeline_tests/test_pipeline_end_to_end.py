"""From the embedded sample to a recommendation, in one run of the real graph."""

import dagster as dg
import polars as pl
import pytest

from crossrec_pipeline import load_recommender
from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs import evaluation
from crossrec_pipeline.defs.models import model_kinds
from crossrec_pipeline.defs.sources import report_sources
from crossrec_pipeline.evaluation.costs import read_costs
from crossrec_pipeline.evaluation.report.history import read_history
from crossrec_pipeline.models.registry import champion_path
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.settings import Settings, load_settings

pytestmark = pytest.mark.xdist_group("end_to_end")

N_EVENTS = 24_000


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(
        data_dir=tmp_path_factory.mktemp("street"),
        simulation={"n_events": N_EVENTS, "n_users": 800, "n_days": 30},
        training={"epochs": 2, "device": "cpu"},
        content={"encoder": "hashed"},
    )


@pytest.fixture(scope="module")
def result(settings: Settings) -> dg.ExecuteInProcessResult:
    instance = dg.DagsterInstance.ephemeral()
    report_sources(settings, instance)
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance)


def metadata(result: dg.ExecuteInProcessResult, name: str) -> dict[str, object]:
    events = result.asset_materializations_for_node(name)
    return {key: value.value for event in events for key, value in event.metadata.items()}


def test_every_check_passes(result: dg.ExecuteInProcessResult):
    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) == 19
    assert [each.check_name for each in evaluations if not each.passed] == []


def test_no_row_vanishes(result: dg.ExecuteInProcessResult, settings: Settings):
    warehouse = Warehouse(path=str(settings.warehouse_path))
    items, rejected = (
        warehouse.read("catalogue.items"),
        warehouse.read("catalogue.rejected_items"),
    )
    for domain, item_type in (("movies", "Movie"), ("music", "Music"), ("books", "Book")):
        raw = pl.read_parquet(settings.raw_dir / f"{domain}.parquet")
        kept = items.filter(pl.col("item_type") == item_type)
        dropped = rejected.filter(pl.col("item_type") == item_type)
        assert raw.height == kept.height + dropped.height
        # The sample has the defects of the real thing.
        assert dropped.height > 0
        assert kept["imputed"].list.len().sum() > 0


def test_the_log_has_the_size_asked_for(result: dg.ExecuteInProcessResult):
    rows = metadata(result, "interactions__events")["dagster/row_count"]
    assert rows == pytest.approx(N_EVENTS, rel=0.01)


def test_what_is_drawn_is_shown_as_metadata(result: dg.ExecuteInProcessResult):
    for name, plot in (
        ("models__gru4rec", "loss and validation recall"),
        ("evaluation__report", "by transition"),
        ("exploration__charts", "movies: top genres"),
    ):
        shown = metadata(result, name)
        by_name = {key.casefold(): str(value) for key, value in shown.items()}
        assert by_name[plot].startswith("![")


def test_the_figures_are_between_chance_and_the_oracle(
    result: dg.ExecuteInProcessResult, settings: Settings
):
    metrics = pl.read_parquet(settings.evaluation_dir / "metrics.parquet")
    overall = metrics.filter(
        (pl.col("metric") == "recall") & (pl.col("k") == 20) & (pl.col("slice") == "overall")
    )
    recall = dict(overall.select("model", "value").iter_rows())
    assert set(recall) == {"chance", "oracle", *model_kinds(settings)}
    for model in model_kinds(settings):
        assert 3 * recall["chance"] < recall[model] < recall["oracle"]
    report = (settings.evaluation_dir / "report.md").read_text()
    assert all(model in report for model in recall)


def test_every_model_is_compared_timed_and_listed(
    result: dg.ExecuteInProcessResult, settings: Settings
):
    trained = set(model_kinds(settings))
    folder = settings.evaluation_dir
    comparisons = pl.read_parquet(folder / "comparisons.parquet")
    assert set(comparisons["model"]) | set(comparisons["other"]) == trained
    assert {cost.model for cost in read_costs(folder / "costs.json")} == trained
    lists = pl.read_parquet(folder / "list_metrics.parquet")
    assert set(lists["model"]) == trained | {"oracle"}
    assert {path.stem for path in (folder / "top_lists").iterdir()} == trained | {"oracle"}
    contexts = pl.read_parquet(folder / "metrics.parquet").filter(slice="position")
    assert set(contexts["model"]) == trained | {"chance", "oracle"}


def test_a_report_of_the_same_metrics_is_recorded_once(
    result: dg.ExecuteInProcessResult, settings: Settings
):
    page = settings.evaluation_dir / "report.html"
    before = page.read_text()

    assert dg.materialize(
        [evaluation.report],
        resources={"settings": settings},
        instance=dg.DagsterInstance.ephemeral(),
    ).success
    assert page.read_text() == before
    (record,) = read_history(settings.evaluation_dir / "history")
    assert set(record.figures) == {*model_kinds(settings), "oracle"}
    (kept,) = (settings.evaluation_dir / "history").glob("*.html")
    assert kept.read_text() == before


def test_the_champion_answers_across_domains(result: dg.ExecuteInProcessResult, settings: Settings):
    path = champion_path(settings.models_dir)
    recommender = load_recommender(path)
    watched = [name for name in recommender.vocabulary.item_ids if name.startswith("Movie_")][:3]
    rows = recommender.recommend_next_items(watched, top_k=50, exclude_seen=True)
    assert len(rows) == 50
    assert not {row.item_id for row in rows} & set(watched)
    assert {row.item_type for row in rows} == {"Movie", "Music", "Book"}
    assert [row.score for row in rows] == sorted((row.score for row in rows), reverse=True)
