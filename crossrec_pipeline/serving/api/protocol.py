"""Bytes of a connection in, requests out: uvicorn's own protocol, with an end to its patience."""

import asyncio

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from crossrec_pipeline.serving.api.errors import error_body

REQUEST_TIMEOUT = "request_timeout_seconds"
"""Key of the lifespan's state that says how long a request may take to arrive."""


class PatientProtocol(HttpToolsProtocol):
    """Closes connections that do not send a whole request in time.

    Without it a client that sends its headers byte by byte, or nothing at all, holds a connection
    for ever. Where a route waits for a body, that answers instead.
    """

    _deadline: asyncio.TimerHandle | None = None
    _is_within_request = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on; wait for the rest of a request that is not whole."""
        super().data_received(data)
        if not self._is_within_request:
            self._cease_to_wait()
        elif self._deadline is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cease to wait."""
        self._cease_to_wait()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Note that a request began."""
        self._is_within_request = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that it is whole."""
        self._is_within_request = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as every other error, and close the connection."""
        body = error_body("bad_request", "This is not a valid HTTP request.")
        head = (
            b"content-type: application/json\r\nx-content-type-options: nosniff\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        )
        self.transport.write(STATUS_LINE[400] + head + body)
        self.transport.close()

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(self.app_state[REQUEST_TIMEOUT], self._give_up)

    def _cease_to_wait(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait()  # a route has the request, and waits for its body no longer than this
        else:
            self.transport.close()
