"""A step's inputs are fetched from the store before it, and its outputs published after it.

So any machine can take any step, with an empty disk too. Without a store nothing is done.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

import dagster as dg

from crossrec_pipeline.outputs import fetch_outputs, publish_outputs
from crossrec_pipeline.settings import Settings
from crossrec_pipeline.storage.working_copy import Output

Named = Output | Callable[[Settings], Iterable[Output]]
"""An output, or those that the settings say."""

_Body = TypeVar("_Body", bound=Callable[..., Any])


def stored(
    *, reads: Sequence[Named] = (), writes: Sequence[Named] = ()
) -> Callable[[_Body], _Body]:
    """Fetch what an asset or check body reads, and publish what it writes before it is reported.

    Parameters
    ----------
    reads
        Outputs that are only read.
    writes
        Outputs that are changed: what they were before is fetched too. A body that yields its
        results has them published before each one.
    """

    def decorate(function: _Body) -> _Body:
        signature = inspect.signature(function)

        def settings_of(args: Sequence[Any], kwargs: dict[str, Any]) -> Settings:
            return signature.bind(*args, **kwargs).arguments["settings"]

        @functools.wraps(function)
        def returning(*args: Any, **kwargs: Any) -> Any:
            settings = settings_of(args, kwargs)
            say = dg.get_dagster_logger().info
            fetch_outputs(settings, _named([*reads, *writes], settings), say)
            result = function(*args, **kwargs)
            publish_outputs(settings, _named(writes, settings), say)
            return result

        @functools.wraps(function)
        def yielding(*args: Any, **kwargs: Any) -> Iterator[Any]:
            settings = settings_of(args, kwargs)
            say = dg.get_dagster_logger().info
            fetch_outputs(settings, _named([*reads, *writes], settings), say)
            for result in function(*args, **kwargs):
                publish_outputs(settings, _named(writes, settings), say)
                yield result
            publish_outputs(settings, _named(writes, settings), say)

        # Dagster treats generators differently, so the wrapper must be one where the body is.
        wrapper = yielding if inspect.isgeneratorfunction(function) else returning
        return cast("_Body", wrapper)

    return decorate


def _named(outputs: Iterable[Named], settings: Settings) -> list[Output]:
    found = [
        output
        for each in outputs
        for output in ([each] if isinstance(each, Output) else each(settings))
    ]
    return list(dict.fromkeys(found))
