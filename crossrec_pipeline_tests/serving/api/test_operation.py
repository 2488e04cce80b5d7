from pathlib import Path

import httpx

from crossrec_pipeline_tests.serving.api.running import promote_model, running, settings_of, until
from crossrec_pipeline_tests.serving.api.test_bad_requests import refusal


def test_model_is_described(client: httpx.Client) -> None:
    model = client.get("/v1/model").json()
    assert model["kind"] == "markov"
    assert model["name"] == f"markov/{model['version']}"
    assert model["types"] == ["Book", "Movie", "Music"]
    assert model["n_items"] == 8
    assert model["reason"] == "better"
    assert model["kernel"]["recall"] == 1.0
    assert model["card"].startswith("# ")
    assert (model["evaluation"], model["refused"]) == (None, None)
    assert (model["most_top_k"], model["most_session_items"]) == (100, 500)


def test_live_and_ready(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok", "model": None}
    ready = client.get("/readyz").json()
    assert ready["status"] == "ready"
    assert ready["model"].startswith("markov/")


def test_every_answer_has_an_id_of_its_own_and_safe_headers(client: httpx.Client) -> None:
    answers = [client.get(path) for path in ("/healthz", "/v1/model", "/nowhere", "/", "/metrics")]
    assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "server" not in answer.headers


def test_metrics_count_what_happened(client: httpx.Client) -> None:
    client.post("/v1/recommendations", json={"session": ["Movie_A", "nope"], "top_k": 1})
    client.post("/v1/recommendations", json={"session": []})
    text = client.get("/metrics").text
    for line in (
        'crossrec_request_seconds_count{route="/v1/recommendations",status="200"}',
        'crossrec_session_items_total{known="no"}',
        'crossrec_recommended_items_total{type="Movie"}',
        'crossrec_fallbacks_total{session="empty"}',
        'crossrec_item_cache_total{result="hit"}',
        "crossrec_batch_size_count",
        "crossrec_queue_seconds_count",
        "crossrec_engine_seconds_count",
        "crossrec_queue_length 0.0",
        "crossrec_champion_loads_total 1.0",
        'crossrec_model_info{data_version="',
    ):
        assert line in text


def test_addresses_that_do_not_exist_are_counted_together(client: httpx.Client) -> None:
    client.get("/some/secret/path?token=1")
    text = client.get("/metrics").text
    assert 'route="other",status="404"' in text
    assert "secret" not in text


def test_without_a_champion_the_server_comes_up_and_takes_the_first_one(tmp_path: Path) -> None:
    with running(settings_of(tmp_path)) as address, httpx.Client(base_url=address) as client:
        assert client.get("/healthz").status_code == 200
        error = refusal(client.get("/readyz"), 503)
        assert error["code"] == "not_ready"
        assert "crossrec run" in error["message"]
        refusal(client.post("/v1/recommendations", json={"session": []}), 503)
        refusal(client.get("/v1/model"), 503)
        promote_model(tmp_path)
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/recommendations", json={"session": []}).status_code == 200
