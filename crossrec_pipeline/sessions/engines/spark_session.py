"""In: a master. Out: a session of Spark on it, or what is missing.

`pyspark` is an extra of this package and is imported when a function is called.
"""

import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crossrec_pipeline.errors import SessionsError, SettingsError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_CONNECT = "sc"
_CONNECT_PORT = 15002
_PATIENCE_SECONDS = 20.0

_SETTING = "CROSSREC_SESSIONS__SPARK_MASTER"

_CONFIGURATION = {"spark.sql.session.timeZone": "UTC"}
_DRIVER_CONFIGURATION = {
    "spark.app.name": "crossrec",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
"""What a client of Spark Connect cannot set: the server has it."""

_FEW_CORES_PARTITIONS = {"spark.sql.shuffle.partitions": "16"}
"""For `local`: Spark's 200 are for clusters. What a partition cannot hold is spilled."""


@contextmanager
def spark_session(master: str, memory_bytes: int) -> Iterator["SparkSession"]:
    """Open a session of Spark, and stop it afterwards; Ctrl-C then does what it did before.

    Parameters
    ----------
    master
        As Spark's own ``--master`` takes it, such as ``local[*]``, ``yarn`` or
        ``spark://host:7077``; ``sc://host:15002`` for Spark Connect.
    memory_bytes
        Java's heap in this process, which with ``local`` is all that Spark has.

    Raises
    ------
    SettingsError
        If PySpark, or the Java it needs here, is not installed.
    SessionsError
        If the master does not answer.
    """
    _require_installed(master)
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    configuration = dict(_CONFIGURATION)
    if is_connect(master):
        _require_answer(master)
        builder = SparkSession.builder.remote(master)
    else:
        builder = SparkSession.builder.master(master)
        configuration |= {
            **_DRIVER_CONFIGURATION,
            "spark.driver.memory": f"{max(memory_bytes >> 20, 512)}m",
            **(_FEW_CORES_PARTITIONS if master.startswith("local") else {}),
        }
    for name, value in configuration.items():
        builder = builder.config(name, value)
    with _own_interrupts():
        try:
            session = builder.getOrCreate()
        except (PySparkException, RuntimeError) as error:
            raise SessionsError(
                f"Spark does not start on {_SETTING}={master!r}: {error}"
            ) from error
        try:
            yield session
        finally:
            session.stop()


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Put the handler of Ctrl-C back: Spark's stays, and fails where its session is gone."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        # Only the main thread may, and only there does Spark take it.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


def is_connect(master: str) -> bool:
    """Say whether a master is reached through Spark Connect, without Java on this machine."""
    return urlsplit(master).scheme == _CONNECT


def _require_installed(master: str) -> None:
    if find_spec("pyspark") is None:
        raise SettingsError(
            "CROSSREC_SESSIONS__ENGINE='pyspark' needs PySpark, which is not installed. Run pip "
            "install 'crossrec-pipeline[spark]', or choose another engine."
        )
    if not is_connect(master) and not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise SettingsError(
            f"{_SETTING}={master!r} runs Java on this machine, and there is none. Install Java 17 "
            "(and set JAVA_HOME if it is not on the PATH), or name a Spark Connect server, such as "
            "sc://host:15002."
        )


def _require_answer(master: str) -> None:
    """Knock before Spark does, which would try again for minutes."""
    place = urlsplit(master)
    address = (place.hostname or "", place.port or _CONNECT_PORT)
    try:
        socket.create_connection(address, timeout=_PATIENCE_SECONDS).close()
    except OSError as error:
        raise SessionsError(
            f"Nobody answers at {_SETTING}={master!r} ({error}). Start a Spark Connect server "
            "there, or correct the address."
        ) from error
