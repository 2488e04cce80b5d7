"""What a model replied in; a description of an item out, or why it cannot be used."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

_FENCED = re.compile(r"\A```(?:json)?\s*(.*?)\s*```\Z", re.DOTALL)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_LINK = re.compile(
    r"https?:|www\.|\b[a-z0-9-]+\.(?:com|net|org|io|ru|cn|de|uk|info|biz|xyz|app|dev|top|shop)\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"</?[a-z!][^>]*>|\[[^\]]*\]\([^)]*\)|`|\*\*|__|&[a-z]+;|^\s*#", re.IGNORECASE)


class ReplyError(ValueError):
    """A reply cannot be used; the message says why, and repeats nothing of the reply."""


def _plain_text(longest: int) -> AfterValidator:
    """Fold white space and normalise; refuse what is empty, too long, or no plain text."""

    def read(text: str) -> str:
        text = unicodedata.normalize("NFC", " ".join(text.split()))
        if not 1 <= len(text) <= longest:
            raise ValueError(f"1 to {longest} characters are allowed, not {len(text)}")
        if any(unicodedata.category(char).startswith("C") for char in text):
            raise ValueError("control characters are not allowed")
        if _LINK.search(text):
            raise ValueError("links are not allowed")
        if _MARKUP.search(text):
            raise ValueError("markup is not allowed")
        return text

    return AfterValidator(read)


def _single_word(text: str) -> str:
    if " " in text:
        raise ValueError("each must be a single word")
    return text


def _without_repeats(texts: list[str]) -> list[str]:
    return list({text.casefold(): text for text in reversed(texts)}.values())[::-1]


class Enrichment(BaseModel):
    """A written description of an item.

    Attributes
    ----------
    mood
        One to five single words.
    themes
        One to six short phrases.
    text
        One or two sentences, at most 300 characters.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    mood: Annotated[
        list[Annotated[str, _plain_text(30), AfterValidator(_single_word)]],
        Field(min_length=1, max_length=5),
        AfterValidator(_without_repeats),
    ]
    themes: Annotated[
        list[Annotated[str, _plain_text(60)]],
        Field(min_length=1, max_length=6),
        AfterValidator(_without_repeats),
    ]
    text: Annotated[str, _plain_text(300)]


def read_reply(reply: str) -> Enrichment:
    """Read a reply strictly: one JSON object of exactly the fields of `Enrichment`.

    What models put around it unasked is left out: a code fence, and what they thought before
    (``<think>``). Texts are trimmed; what is said twice is kept once.

    Raises
    ------
    ReplyError
        With a reason for each field that is wrong, in words that can be sent to the model.
    """
    text = _THOUGHT.sub("", reply).strip()
    if fenced := _FENCED.match(text):
        text = fenced[1]
    if not text:
        raise ReplyError("it is empty")
    try:
        return Enrichment.model_validate_json(text)
    except ValidationError as error:
        raise ReplyError("; ".join(dict.fromkeys(_reasons(error)))) from None


def _reasons(error: ValidationError) -> list[str]:
    """Put what is wrong into words, without repeating what the model said."""
    reasons = []
    for problem in error.errors(include_url=False, include_input=False):
        if problem["type"] == "json_invalid":
            reasons.append("it is no JSON object")
            continue
        field = str(problem["loc"][0]) if problem["loc"] else ""
        if problem["type"] == "extra_forbidden":
            reasons.append("it has a field besides mood, themes and text")
        elif field:
            reasons.append(f"{field}: {_lower_first(problem['msg'].removeprefix('Value error, '))}")
        else:
            reasons.append("it is no JSON object")
    return reasons


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
