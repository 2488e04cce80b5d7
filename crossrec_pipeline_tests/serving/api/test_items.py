from urllib.parse import quote

import httpx
import pytest

from crossrec_pipeline_tests.serving.api.running import ITEM_IDS
from crossrec_pipeline_tests.serving.api.test_bad_requests import refusal


@pytest.mark.parametrize("item_id", ITEM_IDS)
def test_every_item_is_found_by_its_id(client: httpx.Client, item_id: str) -> None:
    detail = client.get("/v1/items/" + quote(item_id, safe="")).json()
    assert detail["item_id"] == item_id
    assert detail["recommendable"] is True


def test_slashes_of_an_id_may_stay(client: httpx.Client) -> None:
    assert client.get("/v1/items/Movie_Face/Off").json()["title"] == "Face/Off"


def test_unknown_item_is_not_found_and_near_ones_are_named(client: httpx.Client) -> None:
    error = refusal(client.get("/v1/items/Movie_Face"), 404)
    assert error["code"] == "unknown_item"
    assert "Movie_Face/Off" in error["message"]


def test_search_finds_by_a_beginning(client: httpx.Client) -> None:
    found = client.get("/v1/items/search", params={"q": "fac"}).json()["items"]
    assert [item["item_id"] for item in found] == ["Movie_Face/Off"]


def test_search_keeps_to_type_and_limit(client: httpx.Client) -> None:
    found = client.get("/v1/items/search", params={"q": "a", "type": "movie", "limit": 1})
    assert [item["item_id"] for item in found.json()["items"]] == ["Movie_A"]


@pytest.mark.parametrize("q", ["'; DROP TABLE items; --", "<script>", "title:(", "\\", "*", " "])
def test_whatever_is_typed_is_only_looked_for(client: httpx.Client, q: str) -> None:
    answer = client.get("/v1/items/search", params={"q": q})
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "q"),
        ({"q": ""}, "q"),
        ({"q": "x" * 201}, "q"),
        ({"q": "a", "limit": 0}, "limit"),
        ({"q": "a", "limit": 51}, "limit"),
        ({"q": "a", "limit": "many"}, "limit"),
        ({"q": "a", "type": "Game"}, "type"),
    ],
)
def test_impossible_search_is_refused_with_its_place(
    client: httpx.Client, params: dict[str, str], field: str
) -> None:
    assert refusal(client.get("/v1/items/search", params=params), 422)["field"] == field
