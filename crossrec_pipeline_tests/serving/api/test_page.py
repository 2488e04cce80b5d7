from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from crossrec_pipeline.serving.api.page import add_page


def page_of(folder: Path) -> TestClient:
    app = FastAPI()
    add_page(app, folder)
    return TestClient(app)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>page</title>")
    (tmp_path / "assets" / "index-1a2b.js").write_text("1")
    return tmp_path


def test_page_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    answer = page_of(tmp_path).get("/")
    assert answer.status_code == 200
    assert "make web" in answer.text
    assert "Node 20" in answer.text


def test_page_is_asked_for_again_and_its_assets_are_kept(built: Path) -> None:
    client = page_of(built)
    assert client.get("/").headers["cache-control"] == "no-cache"
    asset = client.get("/assets/index-1a2b.js")
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert asset.headers["content-type"].startswith("text/javascript")


def test_asset_that_is_not_there_is_not_kept(built: Path) -> None:
    answer = page_of(built).get("/assets/other.js")
    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("cache-control", "")


def test_page_takes_nothing_from_the_addresses_beside_it(built: Path) -> None:
    app = FastAPI()
    app.add_api_route("/v1/ask", lambda: None, methods=["POST"])
    add_page(app, built)
    client = TestClient(app)
    answer = client.get("/v1/ask")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert client.head("/").status_code == 200
    assert client.post("/").status_code == 405


@pytest.mark.parametrize("path", ["/../secret", "/%2e%2e/secret", "/assets/..%2f..%2fsecret"])
def test_nothing_outside_the_page_is_served(built: Path, path: str) -> None:
    (built.parent / "secret").write_text("hidden")
    assert page_of(built).get(path).status_code == 404


def test_service_without_a_page_still_answers(client: httpx.Client) -> None:
    assert client.get("/").status_code == 200
