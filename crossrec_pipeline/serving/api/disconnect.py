"""A request's ASGI receive channel in, whether its client is gone out; without waiting."""

from starlette.types import Receive


def is_disconnected(receive: Receive) -> bool:
    """Say whether the client closed the connection, once the whole body was read.

    The channel is asked one step far: it answers at once when the client is gone, and would wait
    otherwise. Much cheaper than a task that waits beside every request.
    """
    waiting = receive()
    try:
        waiting.send(None)  # type: ignore[attr-defined]
    except StopIteration as answered:
        return answered.value["type"] == "http.disconnect"
    waiting.close()  # type: ignore[attr-defined]
    return False
