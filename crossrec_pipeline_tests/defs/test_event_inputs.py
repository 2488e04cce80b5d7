"""From a log to a GRU4Rec that reads types and gaps of events, where the settings ask for it."""

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from crossrec_pipeline.defs import models
from crossrec_pipeline.defs.sessions import sequences
from crossrec_pipeline.interactions.verdict import LogVerdict
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.registry import latest_bundle, load_bundle
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.sessions.logs import Event, write_log
from crossrec_pipeline_tests.sessions.random_logs import ITEM_IDS, typed

OPTIONS = '{"event_inputs": ["event_type", "gap"], "hidden_size": 4}'
ITEMS = pl.DataFrame(
    {
        "item_id": ITEM_IDS,
        "item_type": [item_id.split("_")[0] for item_id in ITEM_IDS],
        "title": ITEM_IDS,
    }
)
LOG = [
    Event(f"u{user}", ITEM_IDS[(day + user * n) % 6], 1_440 * day + 100 * user + n)
    for day in range(20)
    for user in range(5)
    for n in range(6)
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CROSSREC_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("CROSSREC_SESSIONS__MIN_SUPPORT", "1")
    monkeypatch.setenv("CROSSREC_TRAINING__EPOCHS", "1")
    monkeypatch.setenv("CROSSREC_TRAINING__OPTIONS", OPTIONS)
    settings = load_settings()
    write_log(settings.events_dir, typed(LOG, 0))
    verdict = LogVerdict(settings.log_verdict_path)
    verdict.expect("by hand")
    verdict.record(passed=True)
    Warehouse(path=str(settings.warehouse_path)).replace_tables({"catalogue.items": ITEMS})
    return tmp_path


def _make(asset: dg.AssetsDefinition, settings: Settings) -> dg.ExecuteInProcessResult:
    warehouse = Warehouse(path=str(settings.warehouse_path))
    resources = {"settings": settings, "warehouse": warehouse}
    return dg.materialize([asset], resources=resources, raise_on_error=False)


def test_the_bundle_knows_the_types_whichever_engine_makes_the_sessions(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("CROSSREC_SESSIONS__EVENT_INPUTS", "true")
    digests = set()
    for engine in ("arrays", "duckdb", "polars"):
        monkeypatch.setenv("CROSSREC_SESSIONS__ENGINE", engine)
        settings = load_settings()
        for day in settings.sessions_by_day_dir.glob("*.parquet"):
            day.unlink()
        assert _make(sequences, settings).success
        digests.add(SessionDataset.open(settings.sessions_dir).digest)
    assert len(digests) == 1

    settings = load_settings()
    assert _make(models.gru4rec, settings).success
    bundle = latest_bundle(settings.models_dir, "gru4rec")
    assert bundle is not None
    model = load_bundle(bundle.path).model
    assert isinstance(model, GRU4Rec)
    assert model.config()["event_inputs"] == ["event_type", "gap"]
    assert model.event_inputs is not None
    assert set(model.event_inputs.names) == {"clicked", "searched", "scrolled"}
    assert "recall_at_20_by_ids" in bundle.manifest["training"]["summary"]


def test_training_without_them_in_the_sessions_names_the_setting(folder: Path):
    settings = load_settings()
    assert _make(sequences, settings).success
    result = _make(models.gru4rec, settings)
    assert not result.success
    failure = result.failure_data_for_node("models__gru4rec")
    assert failure is not None
    assert failure.user_failure_data is not None
    said = failure.user_failure_data.description or ""
    assert "Set CROSSREC_SESSIONS__EVENT_INPUTS=true" in said
    assert latest_bundle(settings.models_dir, "gru4rec") is None


def test_asking_for_them_builds_other_sessions_and_no_longer_asking_the_same_as_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    digests = []
    for asked in ("false", "true", "false"):
        monkeypatch.setenv("CROSSREC_SESSIONS__EVENT_INPUTS", asked)
        settings = load_settings()
        assert _make(sequences, settings).success
        dataset = SessionDataset.open(settings.sessions_dir)
        assert (dataset.train.events is not None) == (asked == "true")
        digests.append(dataset.digest)
    assert digests[0] == digests[2] != digests[1]
