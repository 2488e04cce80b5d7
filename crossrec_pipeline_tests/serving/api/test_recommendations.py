from typing import Any

import httpx
import pytest

from crossrec_pipeline_tests.serving.api.running import ITEM_IDS


def recommend(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    answer = client.post("/v1/recommendations", json={"session": ["Movie_A"], **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def test_likeliest_next_items_come_first(client: httpx.Client) -> None:
    # After A came B twice and C once.
    answer = recommend(client, top_k=2)
    assert ids(answer) == ["Movie_B", "Music_C"]
    assert [item["rank"] for item in answer["items"]] == [1, 2]
    assert answer["items"][0]["score"] > answer["items"][1]["score"]
    assert (answer["basis"], answer["note"], answer["unknown_items"]) == ("session", None, [])


def test_answer_names_the_model_that_gave_it(client: httpx.Client) -> None:
    model = client.get("/v1/model").json()
    assert recommend(client)["model"] == {
        "name": model["name"],
        "data_version": model["data_version"],
    }


def test_whole_number_may_be_written_with_a_point(client: httpx.Client) -> None:
    assert len(recommend(client, top_k=2.0)["items"]) == 2


def test_only_items_of_the_asked_types_are_recommended(client: httpx.Client) -> None:
    answer = recommend(client, types=["book", "Music"], top_k=5)
    assert {item["item_type"] for item in answer["items"]} == {"Book", "Music"}


def test_excluded_and_seen_items_are_left_out(client: httpx.Client) -> None:
    answer = recommend(client, exclude=["Movie_B", "no such item"], exclude_seen=True, top_k=8)
    assert set(ids(answer)) == set(ITEM_IDS) - {"Movie_A", "Movie_B"}


def test_fewer_items_than_asked_for_are_noted(client: httpx.Client) -> None:
    answer = recommend(client, types=["Book"], top_k=5)
    assert len(answer["items"]) == 2
    assert answer["note"] == "Only 2 items pass the filters."


def test_unknown_items_are_named_once_and_passed_over(client: httpx.Client) -> None:
    answer = recommend(client, session=["nope", "Movie_A", "nope", "neither"], top_k=2)
    assert ids(answer) == ["Movie_B", "Music_C"]
    assert answer["unknown_items"] == ["nope", "neither"]


@pytest.mark.parametrize("session", [[], ["nope"]])
def test_session_that_says_nothing_gets_the_most_used_items_type_by_type(
    client: httpx.Client, session: list[str]
) -> None:
    # Events: Book E 2, Why? 1; Movie A 3, B 3, Face/Off 1; Music C 2, D 2, 100% 2.
    answer = recommend(client, session=session, top_k=4)
    assert ids(answer) == ["Book_E", "Movie_A", "Music_C", "Book_Why? #1"]
    assert answer["basis"] == "popularity"
    assert "most used" in answer["note"]
    assert answer["unknown_items"] == session


def test_fallback_keeps_to_filters(client: httpx.Client) -> None:
    answer = recommend(
        client, session=[], types=["Movie", "Music"], exclude=["Movie_A", "Music_C"], top_k=3
    )
    assert ids(answer) == ["Movie_B", "Music_D", "Movie_Face/Off"]


def test_explanations_are_given_only_when_asked_for(client: httpx.Client) -> None:
    assert recommend(client)["items"][0]["explanation"] is None
    explained = recommend(client, explain=True)["items"][0]["explanation"]
    # The only event speaks for all of it.
    assert explained["because"] == [{"item_id": "Movie_A", "title": "A", "share": 1.0}]


@pytest.mark.parametrize("state", ["", "bm90IG9uZQ", "%%%", "ünlike"])
def test_state_that_fits_nothing_changes_nothing(client: httpx.Client, state: str) -> None:
    assert recommend(client, state=state) == recommend(client)


def test_items_come_back_as_data_whatever_their_names_hold(client: httpx.Client) -> None:
    hostile = ["'; DROP TABLE items; --", "<script>alert(1)</script>", "\u0000\u2028"]
    answer = client.post("/v1/recommendations", json={"session": [*hostile, "Movie_A"]})
    assert answer.json()["unknown_items"] == hostile
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
