"""The export of a champion that takes up what came to the catalogue after its training."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.catalogue.schema import ITEM_LINKS
from crossrec_pipeline.content.embeddings import ItemEmbeddings
from crossrec_pipeline.defs.serving import EXPORT_KEY, REPLAY_CHECK, export, replay_check
from crossrec_pipeline.evaluation.ranking import rank_predictions
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.hybrid.model import Hybrid
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.registry import Bundle, find_bundle, load_bundle
from crossrec_pipeline.serving import replay
from crossrec_pipeline.serving.export import Export, export_path, open_export
from crossrec_pipeline.serving.local_service import local_service
from crossrec_pipeline.settings import ServingSettings
from crossrec_pipeline_tests.serving.later_items_world import LaterItemsWorld, item

NEW = "Book_The Silent Witness"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> LaterItemsWorld:
    return LaterItemsWorld(tmp_path_factory.mktemp("later"))


@pytest.fixture(scope="module")
def network(world: LaterItemsWorld) -> GRU4Rec:
    return world.train()


@pytest.fixture
def champion(world: LaterItemsWorld, network: GRU4Rec) -> Bundle:
    return world.promote(network)


@pytest.fixture(params=["gru4rec", "hybrid"])
def either(request: pytest.FixtureRequest, world: LaterItemsWorld, network: GRU4Rec) -> Bundle:
    """A champion of either kind that can grow."""
    return world.promote(network if request.param == "gru4rec" else world.hybrid(network))


def exported(world: LaterItemsWorld) -> Export:
    champion = find_bundle(world.settings.models_dir, "champion")
    return open_export(export_path(world.settings.serving_dir, champion))


def deliver(world: LaterItemsWorld, *ids: str) -> None:
    world.publish(*(item(one, "Crime") for one in ids))
    world.embed()


def embed_with_another(world: LaterItemsWorld) -> None:
    """Say that the embeddings are those of another encoder than the champion's."""
    path = world.settings.content_dir / "embeddings.parquet"
    found = ItemEmbeddings.open(path)
    replace(found, encoder="another").save(path)


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def checked(world: LaterItemsWorld, **serving: object) -> dg.AssetCheckEvaluation:
    settings = world.settings.model_copy(
        update={"serving": ServingSettings.model_validate(serving)}
    )
    resources = {"settings": settings, "warehouse": world.warehouse}
    selection = dg.AssetSelection.checks(dg.AssetCheckKey(EXPORT_KEY, REPLAY_CHECK))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [export, replay_check], instance=instance, resources=resources, selection=selection
        )
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def _markov(world: LaterItemsWorld) -> Markov:
    model = Markov()
    model.fit(world.dataset.train, world.dataset.vocabulary)
    return model


def test_new_items_are_exported_and_served_and_the_bundle_stays(
    world: LaterItemsWorld, either: Bundle
):
    before = contents(either.path)
    deliver(world)
    version = world.export()["version"]
    deliver(world, NEW, "Movie_Another")

    shown = world.export()

    found = exported(world)
    assert found.added == {"Book": 1, "Movie": 1}
    assert shown["items added"] == 2
    assert "| Book | 1 |" in shown["items added, by type"]
    assert shown["version"] == found.content != version
    assert found.data_version == either.data_version
    assert contents(either.path) == before
    # A service answers as the grown champion ranks offline.
    evaluation = checked(world)
    assert evaluation.passed, evaluation.description
    assert evaluation.metadata["predictions"].value == evaluation.metadata["equal lists"].value


def test_a_champion_that_reads_links_gets_those_of_new_items(
    world: LaterItemsWorld, either: Bundle, monkeypatch: pytest.MonkeyPatch
):
    # So few sessions do not earn the hybrid its trees.
    monkeypatch.setattr(Hybrid, "reads_links", property(lambda _: True))
    known = world.dataset.vocabulary.item_ids[4]
    deliver(world, NEW)
    world.export()
    before = exported(world).additions
    link = pl.DataFrame([(known, NEW, "story", 0.9, "alike")], schema=ITEM_LINKS, orient="row")
    world.warehouse.replace_tables({"catalogue.item_links": link})

    world.export()

    after = exported(world).additions
    assert before is not None
    assert after is not None
    reads = either.kind == "hybrid"
    assert after.items["linked"].to_list() == [[4] if reads else []]
    assert (after.version != before.version) == reads


def test_nothing_new_rewrites_nothing(world: LaterItemsWorld, champion: Bundle):
    deliver(world, NEW)
    first = world.export()
    before, made_at = contents(exported(world).path), exported(world).manifest["made_at"]

    again = world.export()

    assert again["version"] == first["version"]
    assert exported(world).manifest["made_at"] == made_at
    assert contents(exported(world).path) == before


def test_a_boost_of_new_items_makes_another_export_of_the_same_bundle(
    world: LaterItemsWorld, champion: Bundle, monkeypatch: pytest.MonkeyPatch
):
    deliver(world, NEW)
    version = world.export()["version"]
    plain = exported(world).additions
    boosted = world.settings.serving.model_copy(update={"new_item_boost": 1.5})
    monkeypatch.setattr(world, "settings", world.settings.model_copy(update={"serving": boosted}))

    assert world.export()["version"] != version

    more = exported(world).additions
    assert plain is not None
    assert more is not None
    np.testing.assert_allclose(more.bias, plain.bias + 1.5, rtol=1e-6)


def test_a_service_that_has_not_taken_the_export_up_is_found_out(
    world: LaterItemsWorld, champion: Bundle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(replay, "_PATIENCE_SECONDS", 0.2)
    slow = world.settings.model_copy(update={"serving": ServingSettings(poll_seconds=3600)})
    limits = "crossrec_pipeline.serving.local_service._LIMITS"
    monkeypatch.setattr(limits, slow.serving)
    with local_service(slow) as url:
        deliver(world, NEW)
        world.export()

        evaluation = checked(world, check_url=url)

    assert not evaluation.passed
    assert "answers with 36 items of" in str(evaluation.description)
    assert "not with the 37 of its export" in str(evaluation.description)


def test_what_is_measured_stays_that_of_the_trained_vocabulary(
    world: LaterItemsWorld, either: Bundle
):
    loaded = load_bundle(either.path)
    before = rank_predictions(loaded.model, world.dataset.test, loaded.vocabulary)
    deliver(world, NEW, "Movie_Another")
    world.export()

    again = load_bundle(find_bundle(world.settings.models_dir, "champion").path)

    assert again.vocabulary.n_items == world.dataset.vocabulary.n_items == 36
    assert rank_predictions(again.model, world.dataset.test, again.vocabulary).equals(before)


def test_texts_of_another_encoder_fail_with_a_remedy_and_the_old_export_goes_on(
    world: LaterItemsWorld, champion: Bundle
):
    deliver(world, NEW)
    world.export()
    before = contents(world.settings.serving_dir)
    deliver(world, NEW, "Movie_Another")
    embed_with_another(world)

    with pytest.raises(dg.Failure, match=r"those of another\. .*CROSSREC_CONTENT__ENCODER.*train"):
        world.export()

    assert contents(world.settings.serving_dir) == before


def test_without_new_items_the_encoder_does_not_matter(world: LaterItemsWorld, champion: Bundle):
    deliver(world)
    embed_with_another(world)

    assert world.export()["items added"] == 0


def test_without_embeddings_the_old_export_goes_on(world: LaterItemsWorld, champion: Bundle):
    deliver(world, NEW)
    world.export()
    before = contents(world.settings.serving_dir)
    (world.settings.content_dir / "embeddings.parquet").unlink()

    with pytest.raises(dg.Failure, match=r"There are no embeddings at .*crossrec run"):
        world.export()

    assert contents(world.settings.serving_dir) == before


@pytest.mark.parametrize(
    "train", [LaterItemsWorld.train_on_ids, _markov], ids=["of ids alone", "without vectors"]
)
def test_a_champion_without_content_is_exported_as_it_is(
    world: LaterItemsWorld, train: Callable[[LaterItemsWorld], GRU4Rec | Markov]
):
    deliver(world, NEW)
    world.promote(train(world))

    shown = world.export()

    assert shown["items added"] == 0
    assert "trained without content | 1 |" in shown["items left out"]
    assert exported(world).added == {}
