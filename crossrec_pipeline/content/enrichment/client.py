"""Messages in; what an OpenAI-compatible endpoint replies out, checked, or why there is none.

``POST {base_url}/chat/completions`` by httpx2; tenacity repeats what may come right by itself.
"""

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Annotated, Any, Self

import httpx2
from pydantic import BaseModel, Field, ValidationError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from crossrec_pipeline.content.enrichment.budget import Budget, Tokens, most_tokens
from crossrec_pipeline.content.enrichment.endpoint import (
    authorisation,
    completions_url,
    shown_endpoint,
    without_secrets,
)
from crossrec_pipeline.content.enrichment.pace import Clock, Pace
from crossrec_pipeline.content.enrichment.prompt import REPLY_SCHEMA, Message, correction
from crossrec_pipeline.content.enrichment.reply import Enrichment, ReplyError, read_reply
from crossrec_pipeline.errors import EnrichmentError
from crossrec_pipeline.settings import EnrichmentSettings

LONGEST_WAIT_SECONDS = 300.0
"""An endpoint that asks for a longer pause is left alone until the next run."""

_FIRST_WAIT_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 60.0
_MOST_REPLIES = 2
"""A reply that breaks the schema is asked for once more."""

_PREFIX = "CROSSREC_ENRICHMENT__"
_PASSING = frozenset({408, 409, 425, 429})
_UNREADABLE = frozenset({400, 413, 415, 422})
_RESPONSE_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "enrichment", "strict": True, "schema": REPLY_SCHEMA},
}


class RefusedError(Exception):
    """There is no usable reply to this question; asking again would bring none."""


class FailedError(Exception):
    """The endpoint did not reply to this question, however often it was asked; it may later."""


class _PassingError(Exception):
    """What may come right by itself: busy, broken for a moment, or not reached."""


class _BadRequestError(Exception):
    """The endpoint does not accept the request as it is."""


class _ReplyMessage(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _ReplyMessage
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: Annotated[int, Field(ge=0)]
    completion_tokens: Annotated[int, Field(ge=0)] = 0


class _Completion(BaseModel):
    choices: Annotated[list[_Choice], Field(min_length=1)]


class Client:
    """Asks an endpoint; use it as an asynchronous context manager.

    It finds out by itself whether the endpoint holds replies to a schema (``response_format``), and
    by which name it bounds them (``max_tokens`` or ``max_completion_tokens``).
    """

    def __init__(self, settings: EnrichmentSettings, budget: Budget, clock: Clock) -> None:
        self._settings = settings
        self._budget = budget
        self._pace = Pace(settings.requests_per_minute, clock)
        self._http = httpx2.AsyncClient(
            headers=authorisation(settings),
            timeout=settings.timeout_seconds,
            limits=httpx2.Limits(max_connections=settings.concurrency),
        )
        self._url = completions_url(settings)
        self._schema_is_taken: bool | None = None
        self._bound_name = "max_tokens"
        self._retrying = AsyncRetrying(
            retry=retry_if_exception_type(_PassingError),
            stop=stop_after_attempt(settings.max_attempts),
            wait=_backoff,
            sleep=clock.sleep,
            reraise=True,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    async def ask(self, messages: list[Message]) -> Enrichment:
        """Ask for a description; once more, with the reason, where the reply cannot be used.

        Raises
        ------
        RefusedError
            If the endpoint does not take the question, or both replies cannot be used.
        FailedError
            If there was no reply, however often it was asked.
        BudgetSpentError
            If one more request might cost more than is allowed.
        EnrichmentError
            If no question can be answered: the key, the URL, the model or the account is wrong.
        """
        reason = ""
        for _ in range(_MOST_REPLIES):
            choice = await self._complete(messages)
            content = choice.message.content or ""
            try:
                return read_reply(content)
            except ReplyError as error:
                reason = self._why_unusable(choice, str(error))
            messages = [*messages, *correction(content, reason)]
        raise RefusedError(f"the reply cannot be used: {reason}")

    def _why_unusable(self, choice: _Choice, reason: str) -> str:
        if choice.finish_reason == "length":
            return f"it was cut off at {_PREFIX}MAX_REPLY_TOKENS={self._settings.max_reply_tokens}"
        if choice.finish_reason == "content_filter" or choice.message.refusal:
            raise RefusedError("the endpoint or the model declined to answer")
        return reason

    async def _complete(self, messages: list[Message]) -> _Choice:
        """Post a question, in words that the endpoint takes."""
        with_schema = self._schema_is_taken is not False
        while True:
            bound_name = self._bound_name
            body = self._body(messages, bound_name, with_schema=with_schema)
            try:
                choice = await self._retrying(self._post, messages, body)
            except _PassingError as error:
                raise FailedError(str(error)) from None
            except _BadRequestError as error:
                if bound_name == "max_tokens" and "max_completion_tokens" in str(error):
                    self._bound_name = "max_completion_tokens"
                elif with_schema and self._schema_is_taken is None:
                    with_schema = False
                else:
                    raise RefusedError(f"the endpoint refused the question: {error}") from None
            else:
                self._schema_is_taken = with_schema
                return choice

    def _body(
        self, messages: list[Message], bound_name: str, *, with_schema: bool
    ) -> dict[str, Any]:
        return {
            "model": self._settings.model,
            "messages": messages,
            bound_name: self._settings.max_reply_tokens,
            **({"response_format": _RESPONSE_FORMAT} if with_schema else {}),
            **self._settings.request_fields,
        }

    async def _post(self, messages: list[Message], body: Mapping[str, Any]) -> _Choice:
        schema = json.dumps(body.get("response_format", ""))
        most = most_tokens(messages, schema, self._settings.max_reply_tokens)
        await self._pace.turn()
        self._budget.take_request(most)
        # What is not known to have cost nothing is taken to have cost the most.
        used = most
        try:
            response = await self._http.post(self._url, json=dict(body))
            used = _tokens_used(response, most)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            used = Tokens(0, 0)
            raise _PassingError(self._line(f"it cannot be reached ({_words(error)})")) from None
        except httpx2.TimeoutException:
            seconds = f"{_PREFIX}TIMEOUT_SECONDS={self._settings.timeout_seconds:g}"
            raise _PassingError(f"no reply within {seconds}") from None
        except httpx2.TransportError as error:
            raise _PassingError(self._line(f"the connection broke ({_words(error)})")) from None
        except httpx2.DecodingError:
            raise FailedError("its answer cannot be decoded") from None
        finally:
            self._budget.settle(most, used)
        self._raise_for_status(response)
        try:
            return _Completion.model_validate_json(response.content).choices[0]
        except ValidationError:
            raise FailedError(
                f"{shown_endpoint(self._settings)} answers with something that is no chat "
                f"completion; see {_PREFIX}BASE_URL"
            ) from None

    def _raise_for_status(self, response: httpx2.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        said = self._line(f"{status} {_error_text(response)}")
        where = shown_endpoint(self._settings)
        if status in (401, 403):
            found = "does not accept" if self._settings.api_key else "asks for"
            raise EnrichmentError(
                f"{where} {found} {_PREFIX}API_KEY: {said}. Set a key that may use the model "
                f"{self._settings.model}."
            )
        if status == 402 or (status == 429 and "insufficient_quota" in response.text):
            raise EnrichmentError(f"{where} says that the account is used up: {said}.")
        if status in (404, 405) or 300 <= status < 400:
            raise EnrichmentError(
                f"{where} has no {_PREFIX}MODEL={self._settings.model}, or is not the "
                f"{_PREFIX}BASE_URL (what comes before /chat/completions, often ending in /v1): "
                f"{said}."
            )
        if status in _PASSING or status >= 500:
            self._hold(response, said)
            raise _PassingError(said)
        if status in _UNREADABLE:
            raise _BadRequestError(said)
        raise RefusedError(f"the endpoint refused the question: {said}")

    def _hold(self, response: httpx2.Response, said: str) -> None:
        """Let no request begin before the endpoint wants one.

        Raises
        ------
        EnrichmentError
            If that is too far away.
        """
        seconds = retry_after_seconds(response.headers)
        if seconds is None:
            return
        if seconds > LONGEST_WAIT_SECONDS:
            raise EnrichmentError(
                f"{shown_endpoint(self._settings)} asks to wait {seconds:.0f} seconds: {said}. The "
                f"next run goes on; with a smaller {_PREFIX}REQUESTS_PER_MINUTE it may not come to "
                "that."
            )
        self._pace.hold(seconds)

    def _line(self, text: str) -> str:
        return without_secrets(text, self._settings)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Read how long an endpoint wants to be left alone: seconds, or a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _backoff(state: RetryCallState) -> float:
    """Wait longer after each attempt, by a random share: clients must not come back at once."""
    return wait_random_exponential(_FIRST_WAIT_SECONDS, max=_LONGEST_BACKOFF_SECONDS)(state)


def _tokens_used(response: httpx2.Response, most: Tokens) -> Tokens:
    """Read what a response cost; one that is an error cost nothing, unless it says otherwise."""
    try:
        usage = _Usage.model_validate(response.json()["usage"])
    except (ValueError, KeyError, TypeError):
        return most if response.status_code == 200 else Tokens(0, 0)
    return Tokens(usage.prompt_tokens, usage.completion_tokens)


def _error_text(response: httpx2.Response) -> str:
    """Find the message in an error's body; endpoints put it into different places."""
    try:
        body = response.json()
    except ValueError:
        return response.text[:1_000]
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return error if isinstance(error, str) else json.dumps(error)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
