"""What a part of training remembers, written down as plain values, and taken up again."""

from typing import Any, Protocol

import numpy as np

State = dict[str, Any]
"""Names to tensors, arrays, JSON-like values, or further states. No objects: a file of it is safe
to read. What was an array may come back as a tensor on the CPU."""


class Stateful(Protocol):
    """A part of training that remembers something from step to step.

    Whoever is made with the same arguments and loads the state behaves the same from then on, to
    the last bit. Whatever changes in a step belongs into it: moments, sums, counters, random
    generators. Weights do not; they are the network's.
    """

    def state(self) -> State:
        """Return what is remembered now; it may share memory with this object."""
        ...

    def load_state(self, state: State) -> None:
        """Take over what another object's `state` gave, as a copy."""
        ...


def generator_state(generator: np.random.Generator) -> State:
    """Return where a random generator is."""
    return dict(generator.bit_generator.state)


def load_generator_state(generator: np.random.Generator, state: State) -> None:
    """Take a random generator of the same kind to where another one was."""
    generator.bit_generator.state = state
