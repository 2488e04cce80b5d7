"""A loss in, its gradients in float32 out: computed in one precision or, on CUDA, in two."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

import torch
from torch import Tensor

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.gru4rec.state import State, Stateful


class Precision(Stateful, Protocol):
    """How a step's numbers are computed."""

    def autocast(self) -> AbstractContextManager:
        """Return the context to compute the loss in."""
        ...

    def gradients(self, loss: Tensor, leaves: Sequence[Tensor]) -> list[Tensor] | None:
        """Return the gradient of each leaf, or None if the step is to be left out."""
        ...


class OnePrecision:
    """Everything in the precision of the weights."""

    def autocast(self) -> AbstractContextManager:
        """Return a context that changes nothing."""
        return nullcontext()

    def gradients(self, loss: Tensor, leaves: Sequence[Tensor]) -> list[Tensor]:
        """Return the gradient of each leaf."""
        return list(torch.autograd.grad(loss, leaves))

    def state(self) -> State:
        """Return nothing: nothing is remembered."""
        return {}

    def load_state(self, state: State) -> None:
        """Do nothing."""


class BFloat16(OnePrecision):
    """Matrix products in bfloat16, which has float32's range."""

    def __init__(self, device_type: str) -> None:
        self._device_type = device_type

    def autocast(self) -> AbstractContextManager:
        """Return torch's own choice of which operations to compute in bfloat16."""
        return torch.autocast(self._device_type, torch.bfloat16)


class Float16:
    """Matrix products in float16, whose range is small (Micikevicius et al. 2018).

    The loss is multiplied by a scale that keeps small gradients above zero. Where a gradient
    overflows, the step is left out and the scale halved; after 2,000 steps without, it is doubled.
    """

    STEPS_BEFORE_GROWTH = 2000

    def __init__(self, device_type: str) -> None:
        self._device_type = device_type
        self.scale = 2.0**16
        self._good_steps = 0

    def autocast(self) -> AbstractContextManager:
        """Return torch's own choice of which operations to compute in float16."""
        return torch.autocast(self._device_type, torch.float16)

    def gradients(self, loss: Tensor, leaves: Sequence[Tensor]) -> list[Tensor] | None:
        """Return the gradient of each leaf, or None if one overflowed."""
        gradients = [g / self.scale for g in torch.autograd.grad(loss * self.scale, leaves)]
        if not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
            self.scale /= 2
            self._good_steps = 0
            return None
        self._good_steps += 1
        if self._good_steps == self.STEPS_BEFORE_GROWTH:
            self.scale *= 2
            self._good_steps = 0
        return gradients

    def state(self) -> State:
        """Return the scale, and for how many steps it has been good."""
        return {"scale": self.scale, "good_steps": self._good_steps}

    def load_state(self, state: State) -> None:
        """Take over what `state` gave."""
        self.scale, self._good_steps = state["scale"], state["good_steps"]


def precision_on(
    device: torch.device, name: Literal["float32", "bfloat16", "float16"]
) -> Precision:
    """Return the way to compute in the named precision on a device.

    Raises
    ------
    TrainingError
        If precisions are to be mixed elsewhere than on a CUDA device.
    """
    if name == "float32":
        return OnePrecision()
    if device.type != "cuda":
        raise TrainingError(
            f"GRU4Rec: precision='{name}' needs a CUDA device, but training is on the "
            f"{device.type.upper()}, where it is slower. Take precision='float32', or give a "
            "CUDA device."
        )
    return BFloat16(device.type) if name == "bfloat16" else Float16(device.type)
