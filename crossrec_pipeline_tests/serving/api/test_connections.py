"""What clients do to connections: nothing of it may hold the server up."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from crossrec_pipeline_tests.serving.api.running import (
    SteeredEngine,
    port_of,
    promote_model,
    read_answer,
    running,
    settings_of,
    steered,
    until,
)

BODY = b'{"session": ["Movie_A"]}'
HEAD = (
    b"POST /v1/recommendations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
)
TIMEOUT = 0.4


@pytest.fixture(scope="module")
def engine() -> SteeredEngine:
    return SteeredEngine()


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory, engine: SteeredEngine) -> Iterator[str]:
    """A server that waits for a request only as long as `TIMEOUT` seconds."""
    data_dir: Path = tmp_path_factory.mktemp("hasty")
    promote_model(data_dir)
    settings = settings_of(data_dir, request_timeout_seconds=TIMEOUT, max_wait_ms=10_000)
    with running(settings, steered(engine, data_dir)) as address:
        yield address


def connect(address: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port_of(address)), timeout=10)


def answers(address: str) -> bool:
    answer = httpx.post(address + "/v1/recommendations", json={"session": ["Movie_A"]})
    return answer.status_code == 200


def test_body_that_drips_is_given_up(hasty: str) -> None:
    with connect(hasty) as connection:
        connection.sendall(HEAD)
        begin = time.monotonic()
        for byte in BODY[:6]:
            connection.sendall(bytes([byte]))
            time.sleep(TIMEOUT / 10)
        answer = read_answer(connection)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b'"timeout"' in answer
        assert connection.recv(1) == b""
    assert TIMEOUT * 0.9 < time.monotonic() - begin < TIMEOUT * 5
    assert answers(hasty)


@pytest.mark.parametrize("sent", [b"", b"POST /v1/recomm", HEAD[:-2]])
def test_headers_that_do_not_arrive_close_the_connection(hasty: str, sent: bytes) -> None:
    with connect(hasty) as connection:
        begin = time.monotonic()
        connection.sendall(sent)
        assert connection.recv(1) == b""
    assert TIMEOUT * 0.9 < time.monotonic() - begin < TIMEOUT * 5


def test_second_request_of_a_connection_must_arrive_in_time_too(hasty: str) -> None:
    with connect(hasty) as connection:
        connection.sendall(HEAD + BODY)
        assert read_answer(connection).startswith(b"HTTP/1.1 200")
        connection.sendall(HEAD[:30])
        assert connection.recv(1) == b""


def test_connection_may_rest_between_requests(hasty: str) -> None:
    with connect(hasty) as connection:
        for _ in range(2):
            connection.sendall(HEAD + BODY)
            assert read_answer(connection).startswith(b"HTTP/1.1 200")
            time.sleep(TIMEOUT * 1.5)


def test_body_that_nobody_reads_does_not_hold_the_connection(hasty: str) -> None:
    with connect(hasty) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert read_answer(connection).startswith(b"HTTP/1.1 200")
        assert connection.recv(1) == b""


def test_pipelined_requests_are_answered_in_order(hasty: str) -> None:
    with connect(hasty) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + HEAD + BODY)
        received = b""
        while b"basis" not in received:
            received += connection.recv(65_536)
    assert received.index(b'"ok"') < received.index(b'"basis"')


def test_garbage_is_refused_as_json_and_the_connection_closed(hasty: str) -> None:
    with connect(hasty) as connection:
        connection.sendall(HEAD + BODY + b"\x00\xffgarbage\r\n\r\n")
        received = b""
        while part := connection.recv(65_536):
            received += part
    assert b'"bad_request"' in received
    assert answers(hasty)


def test_query_of_a_client_that_is_gone_is_not_ranked(hasty: str, engine: SteeredEngine) -> None:
    engine.batches.clear()
    engine.leave.clear()
    gone = BODY.replace(b"Movie_A", b"Movie_B")
    with connect(hasty) as first, connect(hasty) as second:
        first.sendall(HEAD + BODY)
        until(lambda: len(engine.batches) == 1)
        second.sendall(HEAD + gone)
        time.sleep(0.1)
        second.close()
        time.sleep(0.1)
        engine.leave.set()
        assert read_answer(first).startswith(b"HTTP/1.1 200")
    assert answers(hasty)
    asked = [query.session.tolist() for batch in engine.batches for query in batch]
    assert asked == [[0], [0]]
    assert 'status="499"' in httpx.get(hasty + "/metrics").text
