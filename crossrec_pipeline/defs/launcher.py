"""torchrun for a program that waits for it: how often to start anew, then torchrun's arguments.

The exit code says all. A process that was killed (by a system that ran out of memory, say) is a
reason to start all of them again: they go on from their checkpoint. An error is not, since it would
come again; torchrun's own ``--max-restarts`` knows no difference.

It is in a process group of its own. A Ctrl-C at the terminal would otherwise come to it twice, from
the terminal and from the program that started it, and at the second one it no longer waits for its
processes to write their checkpoint.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main


def launch(n_restarts: int, arguments: Sequence[str]) -> int:
    """Run torchrun, and return 0, 1 where a process failed, or 130 after an interruption.

    The error of the process that failed first is left in the file that ``TORCHELASTIC_ERROR_FILE``
    names.

    Parameters
    ----------
    n_restarts
        How often to start again after a process was killed.
    arguments
        Of torchrun.
    """
    os.setpgid(0, 0)
    for left in reversed(range(n_restarts + 1)):
        try:
            main(list(arguments))
        except SignalException:
            return 130
        except ChildFailedError as error:
            lost = _lost_process(error)
            if lost is None:
                return 1
            if not left:
                _leave_error(lost)
                return 1
            sys.stderr.write(f"crossrec: {lost}; all start again from the checkpoint\n")
            sys.stderr.flush()
        else:
            break
    return 0


def _lost_process(error: ChildFailedError) -> str | None:
    """Say which process was killed; None where none was.

    Those that are left fail too, or are ended by torchrun (SIGTERM), and may be noticed earlier.
    """
    for rank, failure in error.failures.items():
        if failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM:
            name = signal.Signals(-failure.exitcode).name
            return f"process {rank} of the training was killed ({name})"
    return None


def _leave_error(lost: str) -> None:
    """Leave what a killed process cannot, in the form that torchrun has."""
    said = (
        f"TrainingError: GRU4Rec: {lost}, as a system does that is short of memory. What was "
        "learnt is in the checkpoint: run again, with more memory or fewer processes."
    )
    if path := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        Path(path).write_text(json.dumps({"message": {"message": said}}))


if __name__ == "__main__":
    sys.exit(launch(int(sys.argv[1]), sys.argv[2:]))
