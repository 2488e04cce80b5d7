"""Which models are trained and compared is a setting."""

import polars as pl
import pytest

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.models import RIVALS, model_kinds
from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.models.registry import list_bundles
from crossrec_pipeline.settings import Settings, load_settings
from crossrec_pipeline_tests.built_world import BuiltWorld, built_world

pytestmark = pytest.mark.xdist_group("built")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorld:
    return built_world(tmp_path_factory)


def trained(settings: Settings) -> set[str]:
    graph = build_definitions(settings).resolve_asset_graph()
    made = {key.to_user_string() for key in graph.executable_asset_keys}
    return {kind for kind in (*RIVALS, "hybrid") if f"models/{kind}" in made}


def compared(world: BuiltWorld) -> set[str]:
    found = pl.read_parquet(world.settings.evaluation_dir / "comparisons.parquet")
    return {*found["model"], *found["other"]}


def test_every_rival_that_can_be_chosen_is_trained_by_default():
    settings = load_settings()
    assert set(settings.evaluation.rivals) == set(RIVALS)
    assert trained(settings) == {*RIVALS, "hybrid"}


def test_models_that_were_not_chosen_are_no_assets():
    settings = load_settings(evaluation={"rivals": "stan, sknn"}, gate={"challenger": "gru4rec"})
    assert trained(settings) == {"stan", "sknn"}
    assert model_kinds(settings) == ("popularity", "markov", "sknn", "stan", "gru4rec")


def test_the_hybrid_is_trained_where_its_members_are():
    settings = load_settings(evaluation={"rivals": "vstan, sequential_rules"})
    assert trained(settings) == {"vstan", "sequential_rules", "hybrid"}


def test_a_challenger_that_is_not_trained_is_refused():
    settings = load_settings(evaluation={"rivals": "vstan"})
    with pytest.raises(SettingsError, match="'hybrid' is no model that is trained") as caught:
        build_definitions(settings)
    assert "the hybrid is, where vstan and sequential_rules are" in str(caught.value)


def test_another_choice_is_ranked_and_compared_and_retrains_nothing(world: BuiltWorld):
    without = {"popularity", "markov", "gru4rec"}
    bundles = list_bundles(world.settings.models_dir, "gru4rec")
    assert compared(world) == without

    world.rebuild(evaluation={"rivals": ("stan",)})
    assert compared(world) == without | {"stan"}
    world.rebuild()
    assert compared(world) == without
    assert list_bundles(world.settings.models_dir, "gru4rec") == bundles
    assert world.rebuild() == 0
