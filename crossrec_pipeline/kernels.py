"""Functions in; compiled ones out, kept on disk where that is possible."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def kernel(**options: Any) -> Callable[[_Function], _Function]:
    """Compile a function with numba, once for all processes if there is a place to keep it.

    Numba keeps what it compiles beside the source, or else in the user's cache, or where
    NUMBA_CACHE_DIR says. Where none of these can be written, as in a container whose file system
    is read-only, each process compiles anew.

    Parameters
    ----------
    **options
        Those of `numba.njit`.
    """

    def compiled(function: _Function) -> _Function:
        try:
            return cast("_Function", njit(cache=True, **options)(function))
        except RuntimeError:  # there is no such place
            return cast("_Function", njit(**options)(function))

    return compiled
