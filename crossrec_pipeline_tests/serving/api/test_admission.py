from pathlib import Path

import httpx
import pytest

from crossrec_pipeline_tests.serving.api.running import promote_model, running, settings_of
from crossrec_pipeline_tests.serving.api.test_bad_requests import refusal

KEYS = ("a key of the shop", "a key of the page")
ASKED = {"session": ["Movie_A"]}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    promote_model(tmp_path)
    return tmp_path


def test_known_key_opens_the_service_by_either_header(data_dir: Path) -> None:
    with (
        running(settings_of(data_dir, api_keys=KEYS)) as address,
        httpx.Client(base_url=address) as client,
    ):
        for headers in (
            {"X-API-Key": KEYS[0]},
            {"X-API-Key": KEYS[1]},
            {"Authorization": f"Bearer {KEYS[1]}"},
        ):
            answer = client.post("/v1/recommendations", json=ASKED, headers=headers)
            assert answer.status_code == 200
        for headers in (
            {},
            {"X-API-Key": ""},
            {"X-API-Key": KEYS[0] + "x"},
            {"X-API-Key": KEYS[0][:-1]},
            {"Authorization": f"Basic {KEYS[0]}"},
        ):
            answer = client.get("/v1/model", headers=headers)
            assert refusal(answer, 401)["code"] == "unauthorized"
            assert answer.headers["www-authenticate"] == "Bearer"
        for path in ("/healthz", "/readyz", "/", "/metrics", "/openapi.json"):
            assert client.get(path).status_code == 200


def test_metrics_can_be_closed_too(data_dir: Path) -> None:
    with running(settings_of(data_dir, api_keys=KEYS, protect_metrics=True)) as address:
        refusal(httpx.get(address + "/metrics"), 401)
        assert httpx.get(address + "/metrics", headers={"X-API-Key": KEYS[0]}).status_code == 200


def test_client_that_asks_too_often_is_told_when_to_come_back(data_dir: Path) -> None:
    settings = settings_of(data_dir, rate_per_second=0.1, rate_burst=3)
    with running(settings) as address, httpx.Client(base_url=address) as client:
        statuses = [client.get("/v1/model").status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        answer = client.get("/v1/model")
        assert refusal(answer, 429)["code"] == "rate_limited"
        assert answer.headers["retry-after"] == "10"
        assert client.get("/healthz").status_code == 200
        assert "crossrec_rate_limited_total 3.0" in client.get("/metrics").text


def test_each_key_has_a_rate_of_its_own(data_dir: Path) -> None:
    settings = settings_of(data_dir, api_keys=KEYS, rate_per_second=0.1, rate_burst=1)
    with running(settings) as address, httpx.Client(base_url=address) as client:
        statuses = [
            client.get("/v1/model", headers={"X-API-Key": key}).status_code
            for key in (KEYS[0], KEYS[0], KEYS[1])
        ]
        assert statuses == [200, 429, 200]


def test_forwarded_address_is_not_believed_by_default(data_dir: Path) -> None:
    settings = settings_of(data_dir, rate_per_second=0.1, rate_burst=1)
    with running(settings) as address, httpx.Client(base_url=address) as client:
        statuses = [
            client.get("/v1/model", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code
            for n in range(3)
        ]
        assert statuses == [200, 429, 429]


def test_other_origins_are_let_in_only_where_they_are_named(data_dir: Path) -> None:
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-api-key",
    }
    with running(settings_of(data_dir)) as address:
        answer = httpx.options(address + "/v1/recommendations", headers=asked)
        assert "access-control-allow-origin" not in answer.headers
    named = settings_of(data_dir, cors_origins=["https://shop.example"], api_keys=KEYS)
    with running(named) as address, httpx.Client(base_url=address) as client:
        answer = client.options("/v1/recommendations", headers=asked)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        other = client.options("/v1/model", headers={**asked, "Origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers
        # A refusal can be read by the page too.
        refused = client.get("/v1/model", headers={"Origin": "https://shop.example"})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://shop.example"
