"""Settings in; the endpoint's address, and what may be shown of it and of its messages, out."""

import base64
import re
import unicodedata
from urllib.parse import SplitResult, unquote, urlsplit

from crossrec_pipeline.settings import EnrichmentSettings

_LONGEST_MESSAGE = 200


def completions_url(settings: EnrichmentSettings) -> str:
    """Return the address that questions are posted to, without user and password."""
    return f"{shown_endpoint(settings)}/chat/completions"


def shown_endpoint(settings: EnrichmentSettings) -> str:
    """Return the base URL as it may be shown: without user and password."""
    parts = _parts(settings)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def authorisation(settings: EnrichmentSettings) -> dict[str, str]:
    """Return the header that says who asks: by the API key, or by user and password of the URL."""
    parts = _parts(settings)
    if settings.api_key is not None:
        return {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def without_secrets(text: str, settings: EnrichmentSettings) -> str:
    """Return a message of the endpoint or the network as one short line that shows no secret."""
    for secret in sorted(_secrets(settings), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = "".join(" " if unicodedata.category(char).startswith("C") else char for char in text)
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def _secrets(settings: EnrichmentSettings) -> set[str]:
    parts = _parts(settings)
    password = parts.password or ""
    found = {password, unquote(password)}
    if settings.api_key is not None:
        found.add(settings.api_key.get_secret_value())
    found |= {header.split(" ", 1)[1] for header in authorisation(settings).values()}
    return found - {""}


def _parts(settings: EnrichmentSettings) -> SplitResult:
    if settings.base_url is None:
        raise ValueError("nobody is asked: base_url is not set")
    return urlsplit(settings.base_url)
