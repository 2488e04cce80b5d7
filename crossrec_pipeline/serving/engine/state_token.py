"""States after a session in; bytes that a client hands back with its next query out.

Nothing of a token is believed but what can do no harm: one that does not fit is passed over.
"""

import hashlib
import struct
from dataclasses import dataclass

import numpy as np

_HEAD = struct.Struct("<B8sI8s")
_FORMAT = 1
_MOST = 1 + 1e-6
"""Cells of a state are means of earlier cells and hyperbolic tangents, but for rounding."""


@dataclass(frozen=True)
class StateToken:
    """Where a session was left.

    Attributes
    ----------
    n_events
        How many of its first events have been read.
    state
        Of all layers after them, float32 [layers, H].
    """

    n_events: int
    state: np.ndarray


def write_token(model: str, session: np.ndarray, state: np.ndarray) -> bytes:
    """Write a token: 21 bytes and the states.

    Parameters
    ----------
    model
        Data version of the model.
    session
        Item indexes of all events read, int [L].
    state
        After them, float32 [layers, H].
    """
    head = _HEAD.pack(_FORMAT, _digest(model.encode()), len(session), _of_items(session))
    return head + state.astype("<f4").tobytes()


def read_token(
    token: bytes, model: str, session: np.ndarray, shape: tuple[int, int]
) -> StateToken | None:
    """Read what `write_token` wrote for a beginning of a session, or for all of it.

    Parameters
    ----------
    token
        Whatever came.
    model
        Data version of the model.
    session
        The session to continue, int [L].
    shape
        Layers and H.

    Returns
    -------
    StateToken or None
        None for a token of another format, model or session, and for states that no session has.
    """
    if len(token) != _HEAD.size + 4 * shape[0] * shape[1]:
        return None
    version, of_model, n_events, of_items = _HEAD.unpack_from(token)
    if version != _FORMAT or of_model != _digest(model.encode()):
        return None
    if not 1 <= n_events <= len(session) or of_items != _of_items(session[:n_events]):
        return None
    state = np.frombuffer(token, dtype="<f4", offset=_HEAD.size).reshape(shape)
    if not np.abs(state).max() <= _MOST:  # nor if it is not a number
        return None
    return StateToken(n_events, state.astype(np.float32))


def _of_items(session: np.ndarray) -> bytes:
    return _digest(np.ascontiguousarray(session, dtype="<i4").tobytes())


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=8).digest()
