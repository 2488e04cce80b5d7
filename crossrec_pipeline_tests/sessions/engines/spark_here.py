"""Spark on this machine, for tests: whether it can run, and a Spark Connect server."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

MASTER = "local[2]"
MEMORY_BYTES = 1 << 30

_PATIENCE_SECONDS = 60

NEEDS_SPARK = [
    # One Spark at a time: each takes a gigabyte.
    pytest.mark.xdist_group("spark"),
    pytest.mark.skipif(
        find_spec("pyspark") is None or shutil.which("java") is None,
        reason="needs Java and crossrec-pipeline[spark]",
    ),
]


@contextmanager
def connect_server(log: Path) -> Iterator[str]:
    """Start a Spark Connect server on a free port, yield its address, and stop it."""
    import pyspark

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "4",
    }
    options = [word for pair in configuration.items() for word in ("--conf", "=".join(pair))]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                str(Path(pyspark.__file__).parent / "bin" / "spark-submit"),
                *("--master", MASTER, "--driver-memory", "1g"),
                *("--class", "org.apache.spark.sql.connect.service.SparkConnectServer"),
                *options,
                "spark-internal",
            ],
            env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(port, server, log)
        yield f"sc://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"Spark Connect does not start: {log.read_text()[-2000:]}")
