"""``torchrun --nproc-per-node 2 -m crossrec_pipeline.models.gru4rec --sessions … --models …``."""

import sys

from crossrec_pipeline.models.gru4rec.training_job import exit_code, job_of


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _train() -> None:
    bundle = job_of().run(_say)
    if bundle is not None:
        sys.stdout.write(f"{bundle.path}\n")


if __name__ == "__main__":
    sys.exit(exit_code(_train))
