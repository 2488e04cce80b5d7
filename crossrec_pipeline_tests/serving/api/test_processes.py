"""``crossrec serve`` as a process: how it starts, stops, and outlives its workers."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from crossrec_pipeline_tests.serving.api.running import promote_model, read_answer, until

ASKED = {"session": ["Movie_A"]}
SERVE = "import sys; from crossrec_pipeline.cli import main; sys.argv[0] = 'crossrec'; main()"


class Served:
    """A process of ``crossrec serve``, and what it wrote."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self.address = address

    def stop(self, how: signal.Signals) -> tuple[int, str]:
        """Send a signal; return the exit code and what was written to standard error."""
        self.process.send_signal(how)
        _, error = self.process.communicate(timeout=30)
        return self.process.returncode, error


@contextmanager
def serving(data_dir: Path, *options: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, "serve", "--port", "0", *options],
        env={**os.environ, "CROSSREC_DATA_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert address is not None, process.communicate()[1]
        httpx.get(address[0] + "/healthz", timeout=60)
        yield Served(process, address[0])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found: Path = tmp_path_factory.mktemp("processes")
    promote_model(found)
    return found


def test_request_under_way_is_answered_before_it_stops(data_dir: Path) -> None:
    body = b'{"session": ["Movie_A"]}'
    with serving(data_dir) as served:
        port = int(served.address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(
                b"POST /v1/recommendations HTTP/1.1\r\nHost: x\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            )
            connection.sendall(body[:5])
            # What comes after it is answered, so it was begun.
            assert httpx.get(served.address + "/healthz").status_code == 200
            served.process.send_signal(signal.SIGTERM)
            until(lambda: not accepts(port))
            connection.sendall(body[5:])
            answer = read_answer(connection)
        _, error = served.process.communicate(timeout=30)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"Movie_B"' in answer
    assert served.process.returncode == 0
    events = [json.loads(line) for line in error.splitlines() if line.startswith("{")]
    names = [event["event"] for event in events]
    assert names[:2] == ["champion_loaded", "started"]
    assert names[-1] == "stopped"
    request = next(event for event in events if event["event"] == "request")
    assert set(request) >= {"time", "level", "id", "method", "route", "status", "ms", "bytes"}
    assert "Movie_A" not in error


def accepts(port: int) -> bool:
    """Say whether anyone listens at a port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def test_ctrl_c_stops_it_without_a_trace(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        assert httpx.get(served.address + "/readyz").status_code == 503
        code, error = served.stop(signal.SIGINT)
        assert code == 130
        assert "Traceback" not in error
        assert "there is no champion" in error


def test_port_that_is_taken_is_told_with_the_remedy(data_dir: Path) -> None:
    with serving(data_dir) as served:
        port = served.address.rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-c", SERVE, "serve", "--port", port],
            env={**os.environ, "CROSSREC_DATA_DIR": str(data_dir)},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert second.returncode == 2
    assert f"port {port}" in second.stderr
    assert "--port" in second.stderr
    assert "Traceback" not in second.stderr


def test_killed_worker_is_replaced_and_metrics_of_all_workers_are_added_up(
    data_dir: Path,
) -> None:
    with serving(data_dir, "--workers", "2") as served:
        supervisor = psutil.Process(served.process.pid)

        def workers() -> list[psutil.Process]:
            return [
                child
                for child in supervisor.children()
                if "spawn_main" in " ".join(child.cmdline())
            ]

        def loads() -> float:
            text = httpx.get(served.address + "/metrics").text
            found = re.search(r"crossrec_champion_loads_total ([\d.]+)", text)
            return float(found[1]) if found else 0.0

        until(lambda: loads() == 2)
        before = workers()
        assert len(before) == 2
        before[0].kill()
        begin = time.monotonic()
        statuses = set()
        while loads() < 3:
            statuses.add(httpx.post(served.address + "/v1/recommendations", json=ASKED).status_code)
            assert time.monotonic() - begin < 30
        assert statuses == {200}
        assert len(workers()) == 2
        assert before[0].pid not in {worker.pid for worker in workers()}
        code, _ = served.stop(signal.SIGTERM)
        assert code == 0
        assert not any(worker.is_running() for worker in before)
