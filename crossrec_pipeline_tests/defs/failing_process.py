"""What torchrun runs in place of `defs.training_process`: the second process fails in a step."""

import os
import sys
from typing import Any

from crossrec_pipeline.models.gru4rec import train
from crossrec_pipeline.models.gru4rec.training_job import exit_code, job_of

_steps = iter(range(1, 1_000))
_keep_state = train.keep_state


def _failing(*args: Any) -> None:
    _keep_state(*args)
    if os.environ["RANK"] == "1" and next(_steps) == 3:
        raise MemoryError("there is no room for a fourth step")


def _train() -> None:
    train.keep_state = _failing
    job_of().run(lambda _: None)


if __name__ == "__main__":
    sys.exit(exit_code(_train))
