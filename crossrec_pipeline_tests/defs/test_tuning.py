"""The search as a person starts it; the preset `tuned` trains with what it found."""

import dagster as dg
import pytest

from crossrec_pipeline.defs.home import open_instance
from crossrec_pipeline.defs.rebuild import search
from crossrec_pipeline.defs.tuning import TUNED_KEY
from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.models.registry import latest_bundle
from crossrec_pipeline_tests.built_world import BuiltWorld, built_world

pytestmark = pytest.mark.xdist_group("built")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorld:
    return built_world(tmp_path_factory)


def test_without_a_search_the_preset_tuned_is_refused(world: BuiltWorld):
    training = world.settings.training.model_copy(update={"preset": "tuned"})
    before = world.published()
    with pytest.raises(CrossrecError, match=r"does not exist\. Search first: crossrec tune"):
        world.rebuild(training=training)
    assert world.published().equals(before)


def test_what_a_search_finds_is_an_asset_and_trained_with(
    world: BuiltWorld, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DAGSTER_HOME", str(world.home))
    search(world.settings, 1)
    with open_instance(world.home) as instance:
        event = instance.get_latest_materialization_event(TUNED_KEY)
    assert event is not None
    assert event.asset_materialization is not None
    shown = event.asset_materialization.metadata
    assert isinstance(shown["recall by trial"], dg.MarkdownMetadataValue)
    assert (world.settings.tuning_dir / "trials.parquet").exists()

    # Whatever was found: another width is what the next training takes.
    best = world.settings.tuning_dir / "best.json"
    best.write_text('{"overrides": {"hidden_size": 24}}')
    training = world.settings.training.model_copy(update={"preset": "tuned"})
    world.rebuild(training=training)
    bundle = latest_bundle(world.settings.models_dir, "gru4rec")
    assert bundle is not None
    assert '"hidden_size": 24' in (bundle.path / "config.json").read_text()
