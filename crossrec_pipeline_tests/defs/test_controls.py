"""Controls as a person asks for them: from the terminal, interrupted, and in the report's wake."""

import json

import dagster as dg
import pytest

from crossrec_pipeline.defs.controls import CONTROLS_KEY
from crossrec_pipeline.defs.home import open_instance
from crossrec_pipeline.defs.models import REPORT_KEY
from crossrec_pipeline.defs.rebuild import rebuild_with_controls
from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.evaluation.controls.run import CONTROLS_FILE
from crossrec_pipeline.evaluation.controls.table import read_controls
from crossrec_pipeline.models.registry import latest_bundle
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline_tests.built_world import BuiltWorld, built_world

pytestmark = pytest.mark.xdist_group("built")

IN_SECOND_TRAINING = """
import os, signal
from crossrec_pipeline.models.gru4rec import train
survey, keep_state, begun = train.survey, train.keep_state, []
def counted(store, n_items, part):
    begun.extend([part] * (part == "train"))
    return survey(store, n_items, part)
def stopped(*arguments):
    keep_state(*arguments)
    if len(begun) == 2:
        begun.clear()
        os.kill(os.getpid(), signal.SIGINT)
train.survey, train.keep_state = counted, stopped
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorld:
    return built_world(tmp_path_factory)


def latest(world: BuiltWorld, key: dg.AssetKey) -> dg.EventLogEntry:
    with open_instance(world.home) as instance:
        event = instance.get_latest_materialization_event(key)
    assert event is not None
    return event


def test_controls_can_be_interrupted_go_on_and_end_in_a_report(
    world: BuiltWorld, capfd: pytest.CaptureFixture[str]
):
    report_before = latest(world, REPORT_KEY).timestamp
    table_path = world.settings.evaluation_dir / CONTROLS_FILE

    interrupted = world.crossrec("run", "--controls", before=IN_SECOND_TRAINING)
    assert interrupted.returncode == 130, interrupted.stderr
    assert "uniform_log (1/7)\n" in interrupted.stderr
    assert "stopped at epoch 1" in interrupted.stderr
    assert interrupted.stderr.endswith(
        "Interrupted. Finished assets are kept; run again to go on.\n"
    )
    assert "Traceback" not in interrupted.stderr
    assert not table_path.exists()

    assert world.exit_code("run", "--controls") == 0
    error = capfd.readouterr().err
    assert "uniform_log (1/7) was measured before" in error
    assert "going on from epoch 1" in error
    assert "other_seed_2 (7/7)\n" in error
    assert error.index("✓ evaluation/controls") < error.index("✓ evaluation/report")
    assert latest(world, REPORT_KEY).timestamp > report_before
    assert not list(world.settings.checkpoints_dir.iterdir())
    assert world.leftovers() == []
    assert world.rebuild() == 0

    table = read_controls(table_path)
    bundle = latest_bundle(world.settings.models_dir, "gru4rec")
    assert bundle is not None
    assert table.model_data_version == bundle.data_version
    assert table.sessions_digest == SessionDataset.open(world.settings.sessions_dir).digest
    materialization = latest(world, CONTROLS_KEY).asset_materialization
    assert materialization is not None
    assert materialization.metadata["dagster/row_count"].value == table.rows.height
    assert isinstance(materialization.metadata["controls"], dg.MarkdownMetadataValue)


def test_ranks_of_another_main_model_are_refused(
    world: BuiltWorld, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DAGSTER_HOME", str(world.home))
    path = world.settings.evaluation_dir / "ranks" / "bundles.json"
    ranked = path.read_text()
    path.write_text(json.dumps({**json.loads(ranked), "gru4rec": "1a2b"}))
    with pytest.raises(CrossrecError, match=r"ranks of another gru4rec \(1a2b\) than the newest"):
        rebuild_with_controls(world.settings)
    path.write_text(ranked)
