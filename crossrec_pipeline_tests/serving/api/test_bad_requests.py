import socket
from typing import Any

import httpx
import pytest

from crossrec_pipeline_tests.serving.api.running import port_of, read_answer

RECOMMENDATIONS = "/v1/recommendations"
JSON = {"Content-Type": "application/json"}


def refusal(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Check the form that all errors have, and return what is said."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "field"}
    return error


def refused(client: httpx.Client, status: int, **asked: Any) -> dict[str, Any]:
    return refusal(client.post(RECOMMENDATIONS, json={"session": ["Movie_A"], **asked}), status)


@pytest.mark.parametrize("body", [b"", b"{", b"[1,", b"nonsense", b'{"session": ["a"],}'])
def test_malformed_json_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post(RECOMMENDATIONS, content=body, headers=JSON)
    assert refusal(answer, 400)["code"] == "malformed_json"


def test_invalid_utf8_is_malformed(client: httpx.Client) -> None:
    answer = client.post(RECOMMENDATIONS, content=b'{"session": ["\xff\xfe"]}', headers=JSON)
    assert refusal(answer, 400)["code"] == "malformed_json"


def test_json_nested_without_end_is_refused(client: httpx.Client) -> None:
    answer = client.post(RECOMMENDATIONS, content=b"[" * 50_000, headers=JSON)
    assert refusal(answer, 400)["code"] == "malformed_json"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"session": "Movie_A"}, "session"),
        ({"session": [1]}, "session.0"),
        ({"session": ["Movie_A", None]}, "session.1"),
        ({"session": [""]}, "session.0"),
        ({"session": ["x" * 501]}, "session.0"),
        ({"session": None}, "session"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": -1}, "top_k"),
        ({"top_k": 1_000_000}, "top_k"),
        ({"top_k": 10**30}, "top_k"),
        ({"top_k": 1.5}, "top_k"),
        ({"top_k": "3"}, "top_k"),
        ({"top_k": True}, "top_k"),
        ({"types": []}, "types"),
        ({"types": [3]}, "types.0"),
        ({"exclude": {}}, "exclude"),
        ({"exclude_seen": "yes"}, "exclude_seen"),
        ({"explain": 1}, "explain"),
        ({"state": 5}, "state"),
    ],
)
def test_wrong_value_is_refused_with_its_place(
    client: httpx.Client, asked: dict[str, Any], field: str
) -> None:
    error = refused(client, 422, **asked)
    assert (error["code"], error["field"]) == ("invalid_value", field)


def test_unknown_field_is_refused(client: httpx.Client) -> None:
    error = refused(client, 422, topk=5)
    assert (error["code"], error["field"]) == ("unknown_field", "topk")


def test_session_is_required(client: httpx.Client) -> None:
    error = refusal(client.post(RECOMMENDATIONS, json={}), 422)
    assert (error["code"], error["field"]) == ("missing_field", "session")


@pytest.mark.parametrize("body", ["[]", "null", "3", '"text"'])
def test_body_must_be_an_object(client: httpx.Client, body: str) -> None:
    answer = client.post(RECOMMENDATIONS, content=body, headers=JSON)
    assert refusal(answer, 422)["field"] is None


def test_unknown_type_is_refused_with_the_known_ones(client: httpx.Client) -> None:
    error = refused(client, 422, types=["Movie", "<b>Game</b>"])
    assert (error["code"], error["field"]) == ("unknown_type", "types.1")
    assert "Book, Movie, Music" in error["message"]


def test_session_of_ten_thousand_items_is_refused_with_the_bound(client: httpx.Client) -> None:
    error = refused(client, 422, session=["a"] * 10_000)
    assert error["field"] == "session"
    assert "500" in error["message"]


def test_body_of_ten_megabytes_is_refused_before_it_arrives(address: str) -> None:
    with socket.create_connection(("127.0.0.1", port_of(address)), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/recommendations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 10000000\r\n\r\n"
        )
        answer = read_answer(connection)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"too_large"' in answer


def test_body_that_grows_beyond_the_bound_is_refused_while_it_arrives(
    client: httpx.Client,
) -> None:
    def chunks():
        for _ in range(20):
            yield b" " * 8192

    answer = client.post(RECOMMENDATIONS, content=chunks(), headers=JSON)
    assert refusal(answer, 413)["code"] == "too_large"


@pytest.mark.parametrize("declared", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_content_types_are_refused(client: httpx.Client, declared: str) -> None:
    answer = client.post(
        RECOMMENDATIONS, content=b'{"session": []}', headers={"Content-Type": declared}
    )
    assert refusal(answer, 415)["code"] == "unsupported_media_type"


def test_charset_and_vendor_json_are_taken(client: httpx.Client) -> None:
    for declared in ("application/json; charset=utf-8", "application/vnd.shop+json"):
        answer = client.post(
            RECOMMENDATIONS, content=b'{"session": []}', headers={"Content-Type": declared}
        )
        assert answer.status_code == 200


def test_unknown_address_is_not_found(client: httpx.Client) -> None:
    assert refusal(client.get("/v2/everything"), 404)["code"] == "not_found"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused_with_the_allowed_one(client: httpx.Client, method: str) -> None:
    answer = client.request(method, RECOMMENDATIONS)
    assert refusal(answer, 405)["code"] == "method_not_allowed"
    assert answer.headers["allow"] == "POST"


def test_server_answers_well_after_all_of_this(client: httpx.Client) -> None:
    assert client.post(RECOMMENDATIONS, json={"session": ["Movie_A"]}).status_code == 200
