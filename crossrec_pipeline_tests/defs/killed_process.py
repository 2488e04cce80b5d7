"""What torchrun runs in place of `defs.training_process`: one process is killed in a step, once.

``CROSSREC_TEST_KILLED`` is the number of that process and a file that says that it has happened.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from crossrec_pipeline.defs import training_process
from crossrec_pipeline.models.gru4rec import train
from crossrec_pipeline.models.gru4rec.training_job import exit_code

_steps = iter(range(1, 1_000))
_keep_state = train.keep_state


def _killed(*args: Any) -> None:
    _keep_state(*args)
    rank, _, path = os.environ["CROSSREC_TEST_KILLED"].partition(":")
    if os.environ["RANK"] == rank and next(_steps) == 6 and not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _train() -> None:
    train.keep_state = _killed
    training_process._train()


if __name__ == "__main__":
    sys.exit(exit_code(_train))
