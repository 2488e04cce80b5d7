"""What a model keeps beside its network in; tensors under a prefix of their own, and back, out."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

_ABOUT = "about"


def with_prefix(
    prefix: str, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Name arrays by a prefix, and put what JSON can hold beside them, as bytes.

    Parameters
    ----------
    prefix
        What no other tensor's name begins with.
    arrays
        By name; none is called `about`.
    about
        Whatever else there is to keep.
    """
    text = np.frombuffer(json.dumps(about).encode(), dtype=np.uint8).copy()
    return {prefix + name: value for name, value in {**arrays, _ABOUT: text}.items()}


def without_prefix(
    prefix: str, tensors: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Find the arrays and the rest that `with_prefix` named; None where there are none."""
    own = {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
    if _ABOUT not in own:
        return None
    about = json.loads(own.pop(_ABOUT).tobytes().decode())
    return own, about
