"""Settings and the texts of the catalogue in; the encoder that is used, and why, out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crossrec_pipeline.content.encoders.base import Progress, TextEncoder
from crossrec_pipeline.content.encoders.sentence_models import (
    fetch_model,
    find_model,
    library_is_installed,
    library_missing,
)
from crossrec_pipeline.settings import ContentSettings

HASHED_STATE_FILE = "hashed_encoder.safetensors"


@dataclass(frozen=True)
class Choice:
    """An encoder, and why it is this one, in words."""

    encoder: TextEncoder
    reason: str


def choose_encoder(
    content: ContentSettings, texts: Sequence[str], content_dir: Path, say: Progress
) -> Choice:
    """Take the encoder that the settings name, or the best one that needs no network.

    Parameters
    ----------
    content
        Settings.
    texts
        Of the whole catalogue: what hashed words are fitted on, where they have not been yet.
    content_dir
        Holds what was fitted.
    say
        Receives a line now and then.

    Raises
    ------
    ContentError
        If the encoder that the settings name cannot be used.
    """
    if content.encoder == "hashed":
        return Choice(_hashed(texts, content_dir, say), "CROSSREC_CONTENT__ENCODER=hashed")
    if content.encoder == "sentence":
        if not library_is_installed():
            raise library_missing("it is not installed")
        folder = find_model(content.model) or fetch_model(content.model)
        return Choice(_sentence(content, folder), "CROSSREC_CONTENT__ENCODER=sentence")
    if not library_is_installed():
        why = "the extra `text` is not installed"
    elif (folder := find_model(content.model)) is None:
        why = f"there is no model {content.model} on this machine"
    else:
        return Choice(_sentence(content, folder), f"{content.model} is on this machine")
    return Choice(_hashed(texts, content_dir, say), why)


# Both import what takes seconds to load.


def _hashed(texts: Sequence[str], content_dir: Path, say: Progress) -> TextEncoder:
    from crossrec_pipeline.content.encoders.hashed import open_or_fit

    return open_or_fit([text for text in texts if text], content_dir / HASHED_STATE_FILE, say)


def _sentence(content: ContentSettings, folder: Path) -> TextEncoder:
    from crossrec_pipeline.content.encoders.sentence import SentenceEncoder

    return SentenceEncoder(
        folder,
        content.model,
        max_tokens=content.max_tokens,
        batch_size=content.batch_size,
        device=content.device,
    )
