import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from crossrec_pipeline.errors import BundleError, StorageError
from crossrec_pipeline.models.promotions import Champion, read_champion
from crossrec_pipeline.models.registry import promote
from crossrec_pipeline.serving.api.schemas import Evaluation
from crossrec_pipeline.serving.champion import ChampionWatcher, Refusal, Reports
from crossrec_pipeline.serving.export import export_bundle
from crossrec_pipeline.serving.served import Served, open_served, warm_up
from crossrec_pipeline_tests.serving.api.running import (
    TRAIN,
    SteeredEngine,
    promote_model,
    steered,
)

FIGURES = Evaluation(
    cutoff=20,
    n_predictions=1,
    n_items=8,
    test_start=None,
    events="simulated",
    models=[],
    by_type=[],
    transitions=[],
    notes=[],
)


class World:
    """A watcher of a data directory, and what it did."""

    def __init__(self, data_dir: Path, bring_champion: Callable[[], None] | None = None) -> None:
        self.data_dir = data_dir
        self.missed: list[str] = []
        self.opened: list[str] = []
        self.refused: list[Refusal] = []
        self.loaded: list[Served] = []
        self.watcher = ChampionWatcher(
            data_dir / "models",
            self._open,
            1.0,
            Reports(
                lambda served, seconds, each: self.loaded.append(served),
                lambda refusal, error: self.refused.append(refusal),
                lambda reason, error: self.missed.append(reason),
            ),
            bring_champion,
        )

    def _open(self, champion: Champion) -> Served:
        self.opened.append(champion.name)
        return open_served(champion, self.data_dir / "models", self.data_dir / "serving")

    @property
    def served_name(self) -> str | None:
        served = self.watcher.served
        return served and served.bundle.name


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_nothing_is_served_before_the_first_promotion(world: World) -> None:
    world.watcher.look()
    assert (world.served_name, world.watcher.refusal, world.opened) == (None, None, [])


def test_champion_is_loaded_once_and_its_export_made(world: World) -> None:
    bundle = promote_model(world.data_dir)
    world.watcher.look()
    world.watcher.look()
    assert world.served_name == bundle.name
    assert world.opened == [bundle.name]
    export = world.data_dir / "serving" / bundle.kind / bundle.version
    assert (export / "manifest.json").is_file()


def test_damaged_export_is_made_again(world: World) -> None:
    bundle = promote_model(world.data_dir)
    items = export_bundle(bundle, world.data_dir / "serving") / "items.arrow"
    items.write_bytes(items.read_bytes()[:-1])
    world.watcher.look()
    assert world.served_name == bundle.name
    assert world.refused == []


def test_damaged_export_of_a_bundle_that_is_gone_is_refused(world: World) -> None:
    bundle = promote_model(world.data_dir)
    items = export_bundle(bundle, world.data_dir / "serving") / "items.arrow"
    items.write_bytes(items.read_bytes()[:-1])
    shutil.rmtree(bundle.path)
    world.watcher.look()
    assert "items.arrow has" in world.refused[0].reason


def test_same_model_promoted_again_is_not_loaded_again(world: World) -> None:
    bundle = promote_model(world.data_dir)
    world.watcher.look()
    promote(world.data_dir / "models", bundle, reason="once more")
    world.watcher.look()
    assert world.opened == [bundle.name]
    assert world.watcher.served is not None
    assert world.watcher.served.champion.reason == "once more"


def test_export_with_new_figures_is_loaded(world: World) -> None:
    bundle = promote_model(world.data_dir)
    world.watcher.look()
    export_bundle(bundle, world.data_dir / "serving", figures=FIGURES)
    world.watcher.look()
    world.watcher.look()
    assert world.opened == [bundle.name, bundle.name]
    assert world.watcher.served is not None
    assert world.watcher.served.evaluation == FIGURES


def test_refused_champion_is_tried_again_after_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("crossrec_pipeline.serving.champion.time.monotonic", lambda: now)
    bundle = promote_model(world.data_dir)
    weights = bundle.path / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(b"")
    world.watcher.look()
    world.watcher.look()
    assert len(world.refused) == 1
    assert world.watcher.refusal == world.refused[0]
    weights.write_bytes(whole)
    now += 2.0
    world.watcher.look()
    assert world.served_name == bundle.name
    assert world.watcher.refusal is None


def test_export_of_another_content_is_refused(world: World) -> None:
    bundle = promote_model(world.data_dir)
    export = export_bundle(bundle, world.data_dir / "serving")
    manifest = export / "manifest.json"
    manifest.write_text(manifest.read_text().replace(bundle.data_version, "0" * 16))
    world.watcher.look()
    assert world.served_name is None
    assert bundle.data_version in world.refused[0].reason


def test_model_that_cannot_rank_is_refused(tmp_path: Path) -> None:
    promote_model(tmp_path, TRAIN)
    champion = read_champion(tmp_path / "models")
    assert champion is not None
    engine = SteeredEngine()
    served = steered(engine, tmp_path)(champion)
    assert warm_up(served) >= 0
    engine.poison = int(engine.batches[0][0].session[0])
    with pytest.raises(BundleError, match=r"cannot rank .*poisoned"):
        warm_up(served)


def test_champion_is_brought_before_each_look(tmp_path: Path) -> None:
    brought: list[str] = []

    def bring() -> None:
        brought.append(promote_model(tmp_path).name)

    world = World(tmp_path, bring)
    world.watcher.look()
    assert world.opened == brought
    world.watcher.look()
    assert world.opened == brought


def test_while_none_can_be_brought_the_one_that_is_here_is_served(tmp_path: Path) -> None:
    reasons = ["no network", "no network", "denied"]

    def bring() -> None:
        if reasons:
            raise StorageError(reasons.pop(0))

    world = World(tmp_path, bring)
    bundle = promote_model(tmp_path)
    for _ in range(4):
        world.watcher.look()
    assert world.served_name == bundle.name
    # What goes on is told once, not at every look.
    assert world.missed == ["no network", "denied"]
