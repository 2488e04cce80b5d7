"""Items that come to the catalogue while a service is running, and go again."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from crossrec_pipeline_tests.serving.api.running import Askers, running, until
from crossrec_pipeline_tests.serving.later_items_world import (
    N_OF_MOOD,
    LaterItemsWorld,
    item,
    item_id,
)

NEW = "Book_The Silent Witness"
CRIME, LOVE = ([item_id(mood, n) for n in (3, 4)] for mood in ("Crime", "Love"))
N_BOOKS = N_OF_MOOD // 2


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> LaterItemsWorld:
    found = LaterItemsWorld(tmp_path_factory.mktemp("later"))
    found.promote(found.train())
    found.export()
    return found


@pytest.fixture
def client(world: LaterItemsWorld) -> Iterator[httpx.Client]:
    """A service that began before anything new came."""
    world.publish()
    world.embed()
    world.export()
    with running(world.settings) as address, httpx.Client(base_url=address, timeout=30) as found:
        yield found


def deliver(world: LaterItemsWorld, client: httpx.Client, *more: dict[str, Any]) -> dict[str, Any]:
    """Add items, embed, export, and wait until the service has taken them up."""
    world.publish(*more)
    world.embed()
    shown = world.export()
    n_items = world.dataset.vocabulary.n_items + shown["items added"]
    until(lambda: client.get("/v1/model").json()["n_items"] == n_items)
    return shown


def recommended(client: httpx.Client, session: list[str], **asked: Any) -> dict[str, Any]:
    asked = {"session": session, "types": ["Book"], "top_k": N_BOOKS + 1, **asked}
    answer = client.post("/v1/recommendations", json=asked)
    assert answer.status_code == 200
    return answer.json()


def ids(answer: dict[str, Any]) -> list[str]:
    return [one["item_id"] for one in answer["items"]]


def test_a_new_book_is_recommended_at_once_to_whom_it_fits(
    world: LaterItemsWorld, client: httpx.Client
):
    before = recommended(client, [NEW])
    assert (before["basis"], before["unknown_items"]) == ("popularity", [NEW])
    model = client.get("/v1/model").json()
    assert model["added"] == {}

    with Askers(str(client.base_url), {"session": CRIME}, 2) as askers:
        until(lambda: len(askers.answers) > 10)
        deliver(world, client, item(NEW, "Crime"))
        n_before = len(askers.answers)
        until(lambda: len(askers.answers) > n_before + 10)

    assert {status for status, _ in askers.answers} == {200}, "no request was dropped"
    now = client.get("/v1/model").json()
    assert now["added"] == {"Book": 1}
    assert now["n_items"] == model["n_items"] + 1
    assert (now["name"], now["data_version"]) == (model["name"], model["data_version"])
    assert now["refused"] is None
    # There are six other books of its mood.
    assert NEW in ids(recommended(client, CRIME))
    assert NEW not in ids(recommended(client, LOVE))


def test_it_is_explained_found_and_read_as_any_other(world: LaterItemsWorld, client: httpx.Client):
    deliver(world, client, item(NEW, "Crime"))

    (told,) = [
        one for one in recommended(client, CRIME, explain=True)["items"] if one["item_id"] == NEW
    ]
    shared = {(each["kind"], each["value"]) for each in told["explanation"]["shared"]}
    assert ("creator", "Ann Doyle") in shared
    assert "by Ann Doyle" in told["explanation"]["sentence"]

    (found, *_) = client.get("/v1/items/search", params={"q": "silent witn"}).json()["items"]
    assert (found["item_id"], found["recommendable"]) == (NEW, True)
    detail = client.get(f"/v1/items/{NEW}").json()
    assert (detail["recommendable"], detail["train_events"]) == (True, 0)

    begun = recommended(client, [NEW], types=None, top_k=5)
    assert (begun["basis"], begun["unknown_items"]) == ("session", [])
    assert all(" Crime " in f" {one['title']} " for one in begun["items"]), begun["items"]


def test_a_session_goes_on_across_the_export(world: LaterItemsWorld, client: httpx.Client):
    state = recommended(client, CRIME, return_state=True)["state"]
    deliver(world, client, item(NEW, "Crime"))

    going_on = recommended(client, [*CRIME, NEW], state=state)

    assert going_on == recommended(client, [*CRIME, NEW])


def test_an_item_of_which_nothing_is_known_is_not_added(
    world: LaterItemsWorld, client: httpx.Client
):
    nothing = item("Book_漢字", None)

    shown = deliver(world, client, nothing, item(NEW, "Crime"))

    assert client.get("/v1/model").json()["added"] == {"Book": 1}
    assert "nothing to go by" in shown["items left out"]
    assert recommended(client, ["Book_漢字"])["unknown_items"] == ["Book_漢字"]
    assert client.get("/v1/items/Book_漢字").json()["recommendable"] is False


def test_an_item_that_is_removed_is_unknown_again(world: LaterItemsWorld, client: httpx.Client):
    deliver(world, client, item(NEW, "Crime"), item("Movie_Second", "Love"))
    assert client.get("/v1/model").json()["added"] == {"Book": 1, "Movie": 1}

    deliver(world, client, item("Movie_Second", "Love"))

    assert client.get("/v1/model").json()["added"] == {"Movie": 1}
    assert recommended(client, [NEW])["unknown_items"] == [NEW]
    assert NEW not in ids(recommended(client, CRIME, top_k=50))
    assert client.get(f"/v1/items/{NEW}").status_code == 404
    assert recommended(client, ["Movie_Second"])["basis"] == "session"
