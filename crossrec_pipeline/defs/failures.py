"""Errors meant for people become Dagster failures that say just that, and are not retried."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import dagster as dg

from crossrec_pipeline.errors import CrossrecError

_P = ParamSpec("_P")
_R = TypeVar("_R")


def reports_errors(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn a CrossrecError of an asset or check body into a failure without retries.

    A wrong file does not get better by trying again; a crash or a broken connection might.
    """

    @functools.wraps(function)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except CrossrecError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error

    return wrapped
