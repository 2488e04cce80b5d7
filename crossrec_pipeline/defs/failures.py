"""Errors meant for people become Dagster failures that say just that; few are worth a retry."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import dagster as dg

from crossrec_pipeline.errors import (
    CrossrecError,
    SourceUnavailableError,
    StorageUnavailableError,
)

_WAIT_SECONDS = 10
_Body = TypeVar("_Body", bound=Callable[..., Any])


@contextmanager
def _as_failure() -> Iterator[None]:
    try:
        yield
    except (SourceUnavailableError, StorageUnavailableError) as error:
        raise dg.RetryRequested(max_retries=2, seconds_to_wait=_WAIT_SECONDS) from error
    except CrossrecError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


def reports_errors(function: _Body) -> _Body:
    """Turn a CrossrecError of an asset or check body into a failure without retries.

    A wrong file does not get better by trying again. A source or store that cannot be reached
    might: that alone is asked for again. (A `RetryPolicy` would also repeat what a person
    interrupted.)
    """

    @functools.wraps(function)
    def returning(*args: Any, **kwargs: Any) -> Any:
        with _as_failure():
            return function(*args, **kwargs)

    @functools.wraps(function)
    def yielding(*args: Any, **kwargs: Any) -> Any:
        with _as_failure():
            yield from function(*args, **kwargs)

    # Dagster treats generators differently, so the wrapper must be one where the body is.
    wrapper = yielding if inspect.isgeneratorfunction(function) else returning
    return cast("_Body", wrapper)
