"""A server on this machine that speaks the protocol of chat completions, as tests want it to."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

GOOD = {
    "mood": ["wistful", "warm"],
    "themes": ["coming of age", "lost letters"],
    "text": "A gentle story of letters that arrive too late.",
}
PROMPT_TOKENS, REPLY_TOKENS = 100, 40


@dataclass(frozen=True)
class Received:
    """What was posted."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def last_message(self) -> str:
        return self.body["messages"][-1]["content"]

    @property
    def item(self) -> dict[str, Any]:
        """The words of the item that is asked for."""
        entry = self.body["messages"][1]["content"]
        return json.loads(entry.split("\n")[1])


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def says(content: str | None, **changes: Any) -> Reply:
    """Answer with a completion of this content; `changes` are of its choice."""
    message = {"role": "assistant", "content": content}
    return Reply(
        {
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", **changes}],
            "usage": {
                "prompt_tokens": PROMPT_TOKENS,
                "completion_tokens": REPLY_TOKENS,
                "total_tokens": PROMPT_TOKENS + REPLY_TOKENS,
            },
        }
    )


def describes(**changes: Any) -> Reply:
    """Answer with a good description, some fields of which are changed."""
    return says(json.dumps({**GOOD, **changes}))


def fails(status: int, message: str = "no", **headers: str) -> Reply:
    """Answer with an error, as most endpoints write one."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply({"error": {"message": message}}, status, named)


Answering = Callable[[Received], Reply]


class FakeEndpoint:
    """The server; `answer` is called for each request, and may be replaced at any time."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Answering = lambda _: describes()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: else each reply waits for an acknowledgement.
            wbufsize = -1

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.path, headers, body)
                endpoint.received.append(received)
                self._send(endpoint.answer(received))

            def _send(self, reply: Reply) -> None:
                body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body)
                data = body if isinstance(body, bytes) else body.encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                promised = int(reply.headers.get("Content-Length", len(data)))
                if "Content-Length" not in reply.headers:
                    self.send_header("Content-Length", str(promised))
                self.close_connection = promised != len(data)
                self.end_headers()
                self.wfile.write(data)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up is part of some tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def script(self, *replies: Reply) -> None:
        """Answer with these, one after the other, and then with the last one for ever."""
        left = list(replies)
        self.answer = lambda _: left.pop(0) if len(left) > 1 else left[0]

    @property
    def titles(self) -> list[str]:
        """The titles of the items that were asked for, in the order of the requests."""
        return [received.item["title"] for received in self.received]

    @contextmanager
    def running(self) -> Iterator["FakeEndpoint"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


def by_title(replies: dict[str, Sequence[Reply]]) -> Answering:
    """Answer each item by its title, with its replies one after the other; others are described."""
    left = {title: list(each) for title, each in replies.items()}

    def answer(received: Received) -> Reply:
        mine = left.get(received.item["title"])
        if not mine:
            return describes()
        return mine.pop(0) if len(mine) > 1 else mine[0]

    return answer
