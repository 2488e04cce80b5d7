"""Events in, one line of JSON each on standard error out. No content of requests is among them."""

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson

UVICORN_LOGGER = "uvicorn.error"

_only_errors = threading.Event()


def log_event(event: str, *, level: str = "info", **fields: Any) -> None:
    """Write one line; fields that are None are left out."""
    if level == "info" and _only_errors.is_set():
        return
    shown = {name: value for name, value in fields.items() if value is not None}
    line = {"time": datetime.now(UTC).isoformat(), "level": level, "event": event, **shown}
    _write(orjson.dumps(line, default=str))


@contextmanager
def only_errors() -> Iterator[None]:
    """Write errors alone meanwhile: what runs the service here has an output of its own."""
    _only_errors.set()
    try:
        yield
    finally:
        _only_errors.clear()


class JsonLines(logging.Handler):
    """Writes what other libraries log in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        trace = None
        if record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info)
        log_event(
            "log",
            level=record.levelname.lower(),
            logger=record.name,
            message=record.getMessage(),
            trace=trace,
        )


def log_as_json() -> None:
    """Have uvicorn's errors written as lines of JSON."""
    logger = logging.getLogger("uvicorn")
    logger.handlers = [JsonLines()]
    logger.setLevel(logging.ERROR)  # clients can cause warnings as many as they like
    logger.propagate = False


def trace_of(error: BaseException) -> str:
    """Write out where an error came from."""
    return "".join(traceback.format_exception(error))


def _write(line: bytes) -> None:
    # One write a line: those of several processes must not get into each other.
    sys.stderr.buffer.write(line + b"\n")
    sys.stderr.buffer.flush()
