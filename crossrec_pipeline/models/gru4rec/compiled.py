"""A tensor in; whether the compiled kernels can work on it out."""

import torch
from torch import Tensor

KERNEL_DTYPE = torch.float32


def is_for_kernels(tensor: Tensor) -> bool:
    """Whether a tensor is of the kind that the kernels are written for: float32, on the CPU.

    Everything they do is done by torch alone for other tensors, and tested to be the same.
    """
    return tensor.device.type == "cpu" and tensor.dtype == KERNEL_DTYPE
