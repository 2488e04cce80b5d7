"""The environment that torchrun sets in; which process of how many this is, and their talk, out.

A process that is alone talks to nobody: all functions then return what they are given.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.gru4rec.state import State

PATIENCE = timedelta(minutes=10)
"""How long a process waits for the others: they may be reading sessions, or writing a file."""


_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Processes:
    """The processes of one training.

    Every function must be called by all of them, in the same order; each waits for the others.

    Attributes
    ----------
    rank
        Number of this one, from 0.
    count
        How many there are.
    device
        Where tensors must be for the processes to exchange them.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = _CPU

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes files and speaks to people."""
        return self.rank == 0

    def own_seed(self, seed: np.random.SeedSequence) -> np.random.SeedSequence:
        """Return a seed that no other process has."""
        if self.count == 1:
            return seed
        return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, self.rank))

    def own_part(self, rows: slice) -> slice:
        """Return this one's share of rows: every `count`-th of them."""
        return slice(rows.start + self.rank, rows.stop, self.count)

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process."""
        return flag if self.count == 1 else self.total([flag])[0] > 0

    def total(self, figures: Sequence[float]) -> list[float]:
        """Add each of the figures up over the processes, in double precision."""
        if self.count == 1:
            return list(figures)
        tensor = torch.tensor(figures, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return tensor.tolist()

    def figures_of_all(self, figures: Sequence[float]) -> np.ndarray:
        """Return the figures of each process, float64 [count, len(figures)]."""
        tensor = torch.tensor(figures, dtype=torch.float64, device=self.device)
        return self.gathered(tensor).cpu().numpy()

    def gathered(self, tensor: Tensor) -> Tensor:
        """Return the tensors of all processes, of one shape [n], as rows [count, n]."""
        if self.count == 1:
            return tensor[None]
        rows = tensor.new_empty(self.count * len(tensor))
        dist.all_gather_single(rows, tensor)
        return rows.view(self.count, -1)

    def add_up(self, tensor: Tensor) -> None:
        """Put the sum over the processes, the same to the last bit in each, into a tensor."""
        if self.count > 1:
            dist.all_reduce(tensor)

    def states_at_first(self, state: State) -> list[State]:
        """Return the states of all processes in the first one, and nothing in the others.

        Tensors in them must be on the CPU.
        """
        if self.count == 1:
            return [state]
        states = [{}] * self.count if self.is_first else None
        dist.gather_object(state, states)
        return states or []


@contextmanager
def process_group(device: torch.device) -> Iterator[Processes]:
    """Join the other processes that torchrun has started, if it has started this one.

    They talk by gloo on the CPU, and by NCCL on CUDA, where each takes the device of its local
    rank. An error is to end the process: the others, who wait for it, then fail too.

    Parameters
    ----------
    device
        Where to train.

    Raises
    ------
    TrainingError
        If there are more processes on this machine than CUDA devices.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    on_cuda = device.type == "cuda"
    if on_cuda:
        local_rank, n_devices = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if local_rank >= n_devices:
            raise TrainingError(
                f"GRU4Rec: {os.environ.get('LOCAL_WORLD_SIZE', 'too many')} processes were started "
                f"on a machine with {n_devices} CUDA devices, and each needs its own. Give "
                f"torchrun --nproc-per-node {n_devices}, or train with device='cpu'."
            )
        torch.cuda.set_device(local_rank)
    dist.init_process_group("nccl" if on_cuda else "gloo", timeout=PATIENCE)
    yield current_processes()
    # After an error the connections stay until the process ends: the others would otherwise report
    # that they lost it before it has reported why.
    dist.destroy_process_group()


def current_processes() -> Processes:
    """Return the processes that `process_group` has joined; this one alone outside of it."""
    if not (dist.is_available() and dist.is_initialized()):
        return Processes()
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    return Processes(dist.get_rank(), dist.get_world_size(), torch.device(device))
