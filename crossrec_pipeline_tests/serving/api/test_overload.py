from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from crossrec_pipeline_tests.serving.api.running import (
    SteeredEngine,
    promote_model,
    running,
    settings_of,
    steered,
    until,
)
from crossrec_pipeline_tests.serving.api.test_bad_requests import refusal

ASKED = {"session": ["Movie_A"]}


def test_overload_is_turned_away_early_and_the_service_recovers(tmp_path: Path) -> None:
    promote_model(tmp_path)
    engine = SteeredEngine()
    with running(settings_of(tmp_path, max_wait_ms=50), steered(engine, tmp_path)) as address:
        engine.seconds = 0.02  # 50 a second; 24 clients that ask at once want many times that

        def ask(client: httpx.Client) -> list[httpx.Response]:
            return [client.post("/v1/recommendations", json=ASKED) for _ in range(10)]

        with ThreadPoolExecutor(24) as threads:
            clients = [httpx.Client(base_url=address, timeout=10) for _ in range(24)]
            answers = [answer for some in threads.map(ask, clients) for answer in some]
        served = [answer for answer in answers if answer.status_code == 200]
        shed = [answer for answer in answers if answer.status_code == 503]
        assert len(served) + len(shed) == 240
        assert len(served) >= 10
        assert len(shed) >= 100
        assert refusal(shed[0], 503)["code"] == "overloaded"
        assert shed[0].headers["retry-after"] == "1"
        # Who was let in waited 50 ms at most as estimated, and then for one batch of no more.
        slow = sorted(answer.elapsed.total_seconds() for answer in served)
        assert slow[len(slow) * 9 // 10] < 0.6

        engine.seconds = 0.0
        until(lambda: clients[0].post("/v1/recommendations", json=ASKED).status_code == 200)
        assert all(
            clients[0].post("/v1/recommendations", json=ASKED).status_code == 200 for _ in range(20)
        )
        assert 'crossrec_shed_total{reason="overload"}' in clients[0].get("/metrics").text
        for client in clients:
            client.close()


def test_request_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    promote_model(tmp_path)
    engine = SteeredEngine()
    settings = settings_of(tmp_path, deadline_ms=100, max_wait_ms=60_000)
    with running(settings, steered(engine, tmp_path)) as address:
        engine.leave.clear()
        answer = httpx.post(address + "/v1/recommendations", json=ASKED)
        engine.leave.set()
        assert refusal(answer, 503)["code"] == "overloaded"
        until(lambda: httpx.post(address + "/v1/recommendations", json=ASKED).status_code == 200)


def test_engine_that_fails_spoils_one_answer_only(tmp_path: Path) -> None:
    promote_model(tmp_path)
    engine = SteeredEngine()
    with running(settings_of(tmp_path), steered(engine, tmp_path)) as address:
        engine.poison = 1
        answer = httpx.post(address + "/v1/recommendations", json={"session": ["Movie_B"]})
        error = refusal(answer, 500)
        assert error["code"] == "internal"
        assert "poisoned" not in answer.text
        assert answer.headers["x-request-id"] in error["message"]
        assert httpx.post(address + "/v1/recommendations", json=ASKED).status_code == 200


def test_state_token_goes_to_the_client_and_back(tmp_path: Path) -> None:
    promote_model(tmp_path)
    engine = SteeredEngine()
    with running(settings_of(tmp_path), steered(engine, tmp_path)) as address:
        url = address + "/v1/recommendations"
        token = httpx.post(url, json={**ASKED, "return_state": True}).json()["state"]
        httpx.post(url, json={**ASKED, "state": token})
        assert engine.batches[-1][0].state == b"a state"
        text = httpx.get(address + "/metrics").text
        assert 'crossrec_state_tokens_total{event="given"} 1.0' in text
        assert 'crossrec_state_tokens_total{event="taken"} 1.0' in text
