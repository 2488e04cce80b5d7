"""Champions that come while requests are under way."""

import gc
import json
import weakref
from pathlib import Path
from typing import Any

import httpx
import pytest

from crossrec_pipeline.models.promotions import Champion
from crossrec_pipeline.serving.served import Served, open_served
from crossrec_pipeline_tests.serving.api.running import (
    TRAIN,
    Askers,
    promote_model,
    running,
    save_model,
    settings_of,
    until,
)

OTHER_TRAIN = (*TRAIN, (0, 2), (0, 2), (0, 2))
ASKED = {"session": ["Movie_A"], "top_k": 1, "types": ["Movie", "Music"]}


def test_champion_is_swapped_under_load_without_a_failed_request(tmp_path: Path) -> None:
    old = promote_model(tmp_path)
    settings = settings_of(tmp_path, max_wait_ms=1000)
    with running(settings) as address, Askers(address, ASKED, 4) as askers:
        until(lambda: len(askers.answers) > 50)
        new = promote_model(tmp_path, OTHER_TRAIN)
        until(lambda: httpx.get(address + "/readyz").json()["model"] == new.name)
        n_before = len(askers.answers)
        until(lambda: len(askers.answers) > n_before + 50)
    assert {status for status, _ in askers.answers} == {200}
    # After A came B twice and C once; in the other train C four times. Each answer is of the model
    # that it names.
    best = {old.name: "Movie_B", new.name: "Music_C"}
    for _, answer in askers.answers:
        assert answer["items"][0]["item_id"] == best[answer["model"]["name"]]
    assert {answer["model"]["name"] for _, answer in askers.answers} == set(best)


def test_former_model_is_let_go_of(tmp_path: Path) -> None:
    engines: list[weakref.ref[Any]] = []

    def open_champion(champion: Champion) -> Served:
        served = open_served(champion, tmp_path / "models", tmp_path / "serving")
        engines.append(weakref.ref(served.engine))
        return served

    promote_model(tmp_path)
    with running(settings_of(tmp_path), open_champion) as address:
        httpx.post(address + "/v1/recommendations", json=ASKED)
        new = promote_model(tmp_path, OTHER_TRAIN)
        until(lambda: httpx.get(address + "/readyz").json()["model"] == new.name)
        httpx.post(address + "/v1/recommendations", json=ASKED)

        def is_gone() -> bool:
            gc.collect()
            return engines[0]() is None

        until(is_gone)
        assert engines[1]() is not None


@pytest.mark.parametrize("damage", ["missing", "truncated", "other format"])
def test_broken_champion_is_refused_and_the_former_one_goes_on(tmp_path: Path, damage: str) -> None:
    old = promote_model(tmp_path)
    with running(settings_of(tmp_path)) as address, httpx.Client(base_url=address) as client:
        broken = save_model(tmp_path, OTHER_TRAIN)
        weights = broken.path / "weights.safetensors"
        if damage == "missing":
            weights.unlink()
        elif damage == "truncated":
            weights.write_bytes(weights.read_bytes()[:100])
        else:
            manifest = json.loads((broken.path / "manifest.json").read_text())
            manifest["format_version"] = 99
            (broken.path / "manifest.json").write_text(json.dumps(manifest))
        pointer = tmp_path / "models" / "champion.json"
        champion = json.loads(pointer.read_text())
        champion |= {"version": broken.version, "data_version": broken.data_version}
        pointer.with_suffix(".new").write_text(json.dumps(champion))
        pointer.with_suffix(".new").replace(pointer)
        until(lambda: client.get("/v1/model").json()["refused"] is not None)
        model = client.get("/v1/model").json()
        assert model["name"] == old.name
        assert model["refused"]["name"] == broken.name
        assert model["refused"]["reason"]
        answer = client.post("/v1/recommendations", json=ASKED)
        assert answer.json()["model"]["name"] == old.name
        assert "crossrec_champion_refusals_total 1.0" in client.get("/metrics").text
        # Once another one is promoted, all is well.
        new = promote_model(tmp_path, OTHER_TRAIN)
        until(lambda: client.get("/readyz").json()["model"] == new.name)
        assert client.get("/v1/model").json()["refused"] is None


def test_pointer_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    old = promote_model(tmp_path)
    with running(settings_of(tmp_path)) as address, httpx.Client(base_url=address) as client:
        (tmp_path / "models" / "champion.json").write_text("{")
        until(lambda: client.get("/v1/model").json()["refused"] is not None)
        assert client.get("/v1/model").json()["name"] == old.name
