"""Sessions of item indexes in; a GRU4Rec's states after each event, and what scores items, out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.session_kernels import add_products, in_panels, run_layer


@dataclass(frozen=True)
class _Layer:
    """Weights of one layer, matrices as `in_panels` lays them out.

    Attributes
    ----------
    weight_ih
        [E, 3 H]; None where input vectors are parts of the gates already.
    weight_hh, bias_ih, bias_hh
        [H, 3 H], and float32 [3 H] and [3 H].
    """

    weight_ih: np.ndarray | None
    weight_hh: np.ndarray
    bias_ih: np.ndarray
    bias_hh: np.ndarray


class SessionStates:
    """Runs sessions through a GRU4Rec, as its network does in evaluation.

    Parameters
    ----------
    config
        Of the network.
    tensors
        Its parameters by name, as `GRU4Rec.save_weights` writes them, of shapes that fit.
    """

    def __init__(self, config: GRU4RecConfig, tensors: Mapping[str, np.ndarray]) -> None:
        self.shape = config.n_layers, config.hidden_size
        self._embedding = tensors["input_embedding"]
        self._skip = in_panels(tensors["skip"]) if config.skip_connection else None
        self._layers = [_layer(tensors, number) for number in range(config.n_layers)]

    def run(self, sessions: Sequence[np.ndarray], begin: np.ndarray) -> np.ndarray:
        """Read sessions, event by event.

        Parameters
        ----------
        sessions
            Item indexes, none of them empty, int32 [L] each.
        begin
            State each session is taken up in, float32 [layers, S, H].

        Returns
        -------
        float32 [layers, N, H]
            States after each event, session after session.
        """
        lengths = np.array([len(session) for session in sessions], dtype=np.int64)
        longest_first = np.argsort(-lengths, kind="stable")
        begins = (np.cumsum(lengths) - lengths)[longest_first]
        vectors = self._embedding[np.concatenate(sessions)]
        states = np.empty((len(self._layers), len(vectors), self.shape[1]), dtype=np.float32)
        for layer, after, state in zip(self._layers, states, begin, strict=True):
            run_layer(
                _inputs(layer, vectors),
                begins,
                lengths[longest_first],
                state[longest_first],
                layer.weight_hh,
                layer.bias_hh,
                after,
            )
            vectors = after
        return states

    def last_hidden(self, sessions: Sequence[np.ndarray]) -> np.ndarray:
        """Return what scores items after whole sessions, none of them empty, float32 [S, H]."""
        n_layers, width = self.shape
        after = self.run(sessions, np.zeros((n_layers, len(sessions), width), dtype=np.float32))
        last_event = np.cumsum([len(session) for session in sessions]) - 1
        return self.hidden(after[-1, last_event], np.array([session[-1] for session in sessions]))

    def hidden(self, state: np.ndarray, last_item: np.ndarray) -> np.ndarray:
        """Return what items are scored by.

        Parameters
        ----------
        state
            Of the top layer, float32 [S, H].
        last_item
            Item of the event before, int [S].
        """
        hidden = np.array(state)
        if self._skip is not None:
            add_products(self._embedding[last_item], self._skip, hidden)
        return hidden


def expected_shapes(config: GRU4RecConfig, n_items: int) -> dict[str, tuple[int, ...]]:
    """Name the parameters of a network and their shapes."""
    width, entry = config.hidden_size, config.input_width
    shapes: dict[str, tuple[int, ...]] = {
        "input_embedding": (n_items, entry),
        "output_bias": (n_items,),
    }
    if not config.tied:
        shapes["output_weight"] = (n_items, width)
    if config.skip_connection:
        shapes["skip"] = (entry, width)
    for layer in range(config.n_layers):
        shapes[f"gru.weight_hh_l{layer}"] = (3 * width, width)
        shapes[f"gru.bias_ih_l{layer}"] = shapes[f"gru.bias_hh_l{layer}"] = (3 * width,)
        if layer or config.embedding != "none":
            shapes[f"gru.weight_ih_l{layer}"] = (3 * width, width if layer else entry)
    return shapes


def check_tensors(tensors: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse tensors that are not those of a network.

    Raises
    ------
    BundleError
        If one is missing, or of another shape or type.
    """
    for name, shape in shapes.items():
        tensor = tensors.get(name)
        found = "missing" if tensor is None else f"{tensor.dtype} {list(tensor.shape)}"
        if tensor is None or tensor.shape != shape or tensor.dtype != np.float32:
            raise BundleError(
                f"The weights of this GRU4Rec do not fit its configuration: {name} is {found} "
                f"instead of float32 {list(shape)}. Restore the bundle from a copy, or train the "
                "model again."
            )


def _layer(tensors: Mapping[str, np.ndarray], number: int) -> _Layer:
    weight_ih = tensors.get(f"gru.weight_ih_l{number}")
    return _Layer(
        None if weight_ih is None else in_panels(weight_ih.T),
        in_panels(tensors[f"gru.weight_hh_l{number}"].T),
        np.array(tensors[f"gru.bias_ih_l{number}"]),
        np.array(tensors[f"gru.bias_hh_l{number}"]),
    )


def _inputs(layer: _Layer, vectors: np.ndarray) -> np.ndarray:
    """Return what events add to the gates, float32 [N, 3 H]."""
    if layer.weight_ih is None:
        return vectors + layer.bias_ih
    inputs = np.tile(layer.bias_ih, (len(vectors), 1))
    add_products(vectors, layer.weight_ih, inputs)
    return inputs
