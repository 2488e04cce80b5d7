import base64
from typing import Any

import pytest

from crossrec_pipeline.content.enrichment.endpoint import (
    authorisation,
    completions_url,
    shown_endpoint,
    without_secrets,
)
from crossrec_pipeline_tests.content.enrichment.small_catalogue import settings

KEY = "sk-very-secret-key"


def test_the_address_has_neither_user_nor_password():
    found = settings("https://ann:p%40ss@llm.example:8443/v1/")
    assert shown_endpoint(found) == "https://llm.example:8443/v1"
    assert completions_url(found) == "https://llm.example:8443/v1/chat/completions"


@pytest.mark.parametrize(
    ("url", "changes", "expected"),
    [
        ("http://localhost/v1", {}, {}),
        ("http://localhost/v1", {"api_key": KEY}, {"Authorization": f"Bearer {KEY}"}),
        (
            "http://ann:p%40ss@localhost/v1",
            {},
            {"Authorization": f"Basic {base64.b64encode(b'ann:p@ss').decode()}"},
        ),
    ],
)
def test_who_asks_is_said_by_key_or_password(
    url: str, changes: dict[str, Any], expected: dict[str, str]
):
    assert authorisation(settings(url, **changes)) == expected


@pytest.mark.parametrize("secret", ["p%40ss", "p@ss", base64.b64encode(b"ann:p@ss").decode()])
def test_no_message_shows_a_password(secret: str):
    found = settings("http://ann:p%40ss@localhost/v1")
    assert without_secrets(f"wrong: {secret}!", found) == "wrong: ***!"


def test_no_message_shows_the_key():
    found = settings("http://localhost/v1", api_key=KEY)
    assert without_secrets(f"Incorrect API key: {KEY}", found) == "Incorrect API key: ***"


def test_a_message_is_one_short_line():
    shown = without_secrets("a\n\x1b[31mb" + "x" * 10_000, settings("http://localhost/v1"))
    assert shown.startswith("a [31mb")
    assert len(shown) == 200
    assert shown.isprintable()
