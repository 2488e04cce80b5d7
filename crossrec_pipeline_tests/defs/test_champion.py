"""Which model is served after a run, after a refusal, and after a person stepped in.

The tests share one world and are steps of one story, in the order they are written.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs import models
from crossrec_pipeline.defs.champion import GATE_CHECK
from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.models.promotions import read_champion, read_promotions
from crossrec_pipeline.models.registry import Bundle, latest_bundle, list_bundles
from crossrec_pipeline.models.verdict import Verdict, read_verdict
from crossrec_pipeline_tests.built_world import BuiltWorld, new_world

pytestmark = pytest.mark.xdist_group("gate")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorld:
    return new_world(tmp_path_factory, "gate")


def train(world: BuiltWorld, seed: int, **changes: object) -> int:
    """Build with another seed of the training: that alone makes another model."""
    training = world.settings.training.model_copy(update={"seed": seed})
    return world.rebuild(training=training, **changes)


@contextmanager
def weights_shuffled() -> Iterator[None]:
    """Make every GRU4Rec that is trained forget which item is which."""
    save = models._save

    def shuffled(model: Any, report: Any, dataset: Any, *rest: Any, **inputs: Any) -> Bundle:
        if model.kind != "gru4rec":
            return save(model, report, dataset, *rest, **inputs)
        rng = np.random.default_rng(0)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "weights.safetensors"
            model.save_weights(path)
            save_file(
                {name: rng.permutation(value) for name, value in load_file(path).items()}, path
            )
            broken = type(model).restore(model.config(), path, dataset.vocabulary)
        return save(broken, report, dataset, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "_save", shuffled)
        yield


def newest(world: BuiltWorld) -> Bundle:
    bundle = latest_bundle(world.settings.models_dir, "gru4rec")
    assert bundle is not None
    return bundle


def verdict(world: BuiltWorld) -> Verdict:
    found = read_verdict(newest(world).path)
    assert found is not None
    return found


def served(world: BuiltWorld) -> str:
    champion = read_champion(world.settings.models_dir)
    assert champion is not None
    return champion.name


def checked(world: BuiltWorld) -> dg.AssetCheckEvaluation:
    """Run the check of the gate as the nightly audit does."""
    selection = dg.AssetSelection.checks(dg.AssetCheckKey(models.CHAMPION_KEY, GATE_CHECK))
    job = dg.Definitions.merge(
        build_definitions(world.settings),
        dg.Definitions(jobs=[dg.define_asset_job("gate", selection)]),
    ).resolve_job_def("gate")
    with dg.DagsterInstance.ephemeral() as instance:
        (evaluation,) = job.execute_in_process(instance=instance).get_asset_check_evaluations()
    return evaluation


def test_the_first_model_is_served_when_it_is_not_below_the_floor(world: BuiltWorld):
    assert not [condition for condition in verdict(world).conditions if not condition.passed]
    assert verdict(world).promoted
    assert served(world) == newest(world).name
    assert verdict(world).champion is None
    names = {condition.name for condition in verdict(world).conditions}
    assert {"Recall@20 against popularity", "latency, ms", "leak audit: cold_items"} <= names
    (first,) = read_promotions(world.settings.models_dir)
    assert (first.by, first.previous) == ("gate", None)
    assert checked(world).passed


def test_a_model_with_shuffled_weights_is_refused_and_kept_with_the_reason(
    world: BuiltWorld, capfd: pytest.CaptureFixture[str]
):
    before, champion = served(world), world.champion()
    with weights_shuffled():
        train(world, seed=1)
    assert served(world) == before
    assert world.champion() == champion
    assert newest(world).name != before
    failed = {condition.name for condition in verdict(world).failures}
    assert "Recall@20 against popularity" in failed
    assert "Recall@20 against the champion" in failed
    assert any(name.startswith("Recall@20 of ") for name in failed)
    assert f"✗ check {GATE_CHECK}: {newest(world).name} refused by the gate: " in (
        capfd.readouterr().err
    )
    assert len(read_promotions(world.settings.models_dir)) == 1

    evaluation = checked(world)
    assert not evaluation.passed
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    assert "| FAILED |" in str(evaluation.metadata["conditions"].value)
    with weights_shuffled():
        assert train(world, seed=1) == 0


def test_a_model_that_is_no_worse_takes_the_place(world: BuiltWorld):
    before = served(world)
    train(world, seed=2)
    assert verdict(world).failures == []
    assert served(world) == newest(world).name
    assert read_promotions(world.settings.models_dir)[-1].previous == before


def test_a_rollback_is_not_undone_by_later_runs(
    world: BuiltWorld, capsys: pytest.CaptureFixture[str]
):
    rolled_back = served(world)
    assert world.exit_code("models", "rollback", "--reason", "complaints") == 0
    first = read_promotions(world.settings.models_dir)[0].name
    assert f"{first} is served again; before it: {rolled_back}." in capsys.readouterr().out
    assert served(world) == first
    assert train(world, seed=2) == 0
    assert not checked(world).passed

    # Judged again, by other bounds: the model is as good as it was, and stays down. What was
    # rolled back to is the champion for good, and exported.
    assert train(world, seed=2, gate={"tolerance": 0.5, "challenger": "gru4rec"}) == 2
    assert newest(world).name == rolled_back
    (failure,) = verdict(world).failures
    assert failure.name == "not taken down by a person"
    assert failure.note.endswith(": complaints")
    assert served(world) == first


def test_a_promotion_by_hand_brings_it_back_and_is_recorded(
    world: BuiltWorld, capsys: pytest.CaptureFixture[str]
):
    name = newest(world).name
    assert world.exit_code("models", "promote", name, "--reason", "it was the network") == 0
    captured = capsys.readouterr()
    assert captured.err.startswith(f"crossrec: warning: {name} was refused by the gate: not taken")
    assert captured.out.startswith(f"{name} is served; before it: ")
    last = read_promotions(world.settings.models_dir)[-1]
    assert (last.name, last.by, last.reason) == (name, "manual", "it was the network")
    assert train(world, seed=2, gate={"tolerance": 0.5, "challenger": "gru4rec"}) == 0
    assert served(world) == name


def test_a_pointer_that_cannot_be_read_is_mended(world: BuiltWorld):
    name = served(world)
    (world.settings.models_dir / "champion.json").write_text("{")
    # The champion, and the export of it.
    assert train(world, seed=2, gate={"tolerance": 0.5, "challenger": "gru4rec"}) == 2
    assert served(world) == name
    *_, compared = verdict(world).conditions
    assert compared.passed
    assert compared.note.startswith("not judged: ")
    assert "does not name a champion" in compared.note


def test_where_the_champion_is_damaged_and_the_next_is_refused_the_one_before_stands_in(
    world: BuiltWorld,
):
    first = read_promotions(world.settings.models_dir)[0].name
    (world.settings.models_dir / served(world) / "weights.safetensors").unlink()
    with weights_shuffled():
        train(world, seed=3)
        assert not verdict(world).promoted
        assert served(world) == first
        assert train(world, seed=3) == 0


def test_where_nothing_was_served_and_the_first_is_refused_the_floor_stands_in(world: BuiltWorld):
    models_dir = world.settings.models_dir
    for name in ("champion.json", "promotions.jsonl"):
        (models_dir / name).unlink()
    with weights_shuffled():
        train(world, seed=3)
    (floor,) = list_bundles(models_dir, "popularity")
    assert served(world) == f"popularity/{floor.name}"
    champion = read_champion(models_dir)
    assert champion is not None
    assert champion.reason == (
        f"stands in: nothing whole is served, and {newest(world).name} was refused"
    )


def test_ranks_of_another_bundle_are_not_judged(world: BuiltWorld):
    ranked = world.settings.evaluation_dir / "ranks" / "bundles.json"
    ranked.write_text('{"gru4rec": "0", "popularity": "0"}')
    (world.settings.models_dir / "champion.json").unlink()
    with (
        weights_shuffled(),
        pytest.raises(CrossrecError, match="Materialise evaluation/ranks first"),
    ):
        train(world, seed=3)
