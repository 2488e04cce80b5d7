"""What torchrun runs in each process of ``models/gru4rec``; the first one tells Dagster of it.

The arguments are those of ``python -m crossrec_pipeline.models.gru4rec``, which trains the same
without Dagster.
"""

import os
import sys

from dagster_pipes import open_dagster_pipes

from crossrec_pipeline.models.gru4rec.training_job import exit_code, job_of


def _train() -> None:
    job = job_of()
    if os.environ["RANK"] != "0":
        job.run(lambda _: None)
        return
    with open_dagster_pipes() as pipes:
        bundle = job.run(pipes.log.info)
        assert bundle is not None
        pipes.report_custom_message({"bundle": str(bundle.path)})


if __name__ == "__main__":
    sys.exit(exit_code(_train))
