"""The state of a training in, one file out that is whole or not there; and back.

The file is safetensors: tensors, and in its header a JSON text with the rest. Nothing in it is
executed when it is read.
"""

import json
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.digests import files_digest, text_digest
from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.state import State
from crossrec_pipeline.models.item_content import ItemContent
from crossrec_pipeline.sessions.store import SessionStore

FILE = "training.safetensors"

_MODELS = Path(__file__).parent.parent

CODE = files_digest(
    [
        _MODELS / "item_content.py",
        *(
            path
            for package in ("gru4rec", "inner_product")
            for path in (_MODELS / package).glob("*.py")
        ),
    ]
)
"""Digest of the code that learns, and ranks on validation, as it was when it was loaded."""

_CONTENT = "checkpoint"
_TENSOR = "$tensor"
_READING_ERRORS = (OSError, SafetensorError, ValueError, KeyError, TypeError)


class UnusableCheckpointError(TrainingError):
    """There is a checkpoint, but this training cannot go on from it."""


@dataclass(frozen=True)
class Checkpoints:
    """Where a training leaves its state, so that it can go on after it was broken off.

    Attributes
    ----------
    folder
        Holds one file; give each model a folder of its own, which nothing else uses.
    minutes
        How much of a training may be lost at most; the end of an epoch is kept in any case.
    """

    folder: Path
    minutes: float = 5.0

    @property
    def path(self) -> Path:
        """The one file, about as large as weights, best weights and optimiser together."""
        return self.folder / FILE

    def save(self, identity: State, state: State) -> None:
        """Put a state in the place of the one before.

        Raises
        ------
        OSError
            If it cannot be written; the one before stays.
        """
        tensors: dict[str, Tensor] = {}
        content = {"identity": identity, "state": _without_tensors(state, "", tensors)}
        with atomic_file(self.path) as partial:
            try:
                save_file(tensors, partial, metadata={_CONTENT: json.dumps(content)})
            except SafetensorError as error:
                raise OSError(f"{partial} cannot be written: {error}") from error

    def load(self, identity: State) -> State | None:
        """Return the state that was saved last, or None if there is none.

        Raises
        ------
        UnusableCheckpointError
            If the file is damaged, or of a training that differs; the message says in what.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                content = json.loads(file.metadata()[_CONTENT])
                found = content["identity"]
                if found == identity:
                    return _with_tensors(content["state"], file.get_tensor)
                differences = "; ".join(_differences(found, identity))
        except _READING_ERRORS as error:
            raise UnusableCheckpointError(
                f"The checkpoint {self.path} cannot be read ({error})."
            ) from error
        raise UnusableCheckpointError(
            f"The checkpoint {self.path} is of another training ({differences})."
        )

    def remove(self) -> None:
        """Delete the folder: the training is done and its model kept."""
        shutil.rmtree(self.folder, ignore_errors=True)


def training_identity(
    config: GRU4RecConfig,
    n_items: int,
    train: SessionStore,
    validation: SessionStore | None,
    device: torch.device,
    n_processes: int,
    content: ItemContent | None = None,
) -> State:
    """Name everything that decides what a training comes to; equal ones come to equal weights.

    Contents are given by digests: of the sessions, and of the code that learns.
    """
    return {
        "configuration": config.model_dump(mode="json", exclude={"device"}),
        "number of items": n_items,
        "train sessions": _sessions_digest(train, config),
        "validation sessions": (
            None if validation is None else _sessions_digest(validation, config)
        ),
        "code": CODE,
        "torch": torch.__version__,
        "device": device.type,
        "number of processes": n_processes,
        "content of items": None if content is None else content.digest,
    }


def _sessions_digest(store: SessionStore, config: GRU4RecConfig) -> str:
    """Digest what training reads of a store, without a copy of it in memory."""
    arrays = (np.ascontiguousarray(array) for array in (store.item_index, store.offsets))
    events = store.events_digest() if config.event_inputs else []
    return text_digest(*(sha256(array.data).hexdigest() for array in arrays), *events)


def _differences(found: State, expected: State) -> list[str]:
    """Say in what two identities differ; contents are named, values are shown."""
    lines = []
    for name, now in expected.items():
        then = found.get(name)
        if then == now:
            continue
        if name == "configuration" and isinstance(then, dict):
            lines += [
                f"{field} {then.get(field)}, now {now.get(field)}"
                for field in {**then, **now}
                if then.get(field) != now.get(field)
            ]
        elif name.endswith("sessions") or name in ("code", "content of items"):
            lines.append(f"other {name}")
        else:
            lines.append(f"{name} {then}, now {now}")
    return lines


def _without_tensors(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Put tensors and arrays into `tensors`, and the name of each in its place."""
    if isinstance(value, dict):
        return {
            key: _without_tensors(below, f"{path}/{key}" if path else key, tensors)
            for key, below in value.items()
        }
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if isinstance(value, Tensor):
        tensors[path] = value.detach().contiguous().cpu()
        return {_TENSOR: path}
    return value


def _with_tensors(value: Any, tensor: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value.keys() == {_TENSOR}:
        return tensor(value[_TENSOR])
    return {key: _with_tensors(below, tensor) for key, below in value.items()}
