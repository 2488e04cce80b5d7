"""What the engine `pyspark` runs beside Dagster: days of events in, their sessions on disk out.

Java and Spark's own threads are in this process, and their memory goes with it. What to do comes
through Dagster Pipes, and what became of it goes back so.
"""

import sys
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import date
from pathlib import Path

from dagster_pipes import PipesContext, open_dagster_pipes

from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.sessions.engines.exchange import (
    Exchange,
    exchange_in_place,
    exchange_through,
)
from crossrec_pipeline.sessions.engines.spark import first_cause, sessionise_days
from crossrec_pipeline.sessions.engines.spark_session import spark_session


def _work(pipes: PipesContext) -> None:
    days = [date.fromisoformat(day) for day in pipes.get_extra("days")]
    target_dir = Path(pipes.get_extra("target_dir"))
    with (
        _exchange(pipes, days, target_dir) as exchange,
        spark_session(pipes.get_extra("master"), pipes.get_extra("memory_bytes")) as spark,
    ):
        made = sessionise_days(
            spark,
            Path(pipes.get_extra("events_dir")),
            days,
            exchange,
            target_dir,
            pipes.get_extra("gap_minutes"),
            pipes.log.info,
            event_types=pipes.get_extra("event_types"),
        )
        version = spark.version
    pipes.report_custom_message(
        {
            "spark": version,
            "days": [
                {
                    "day": of.day.isoformat(),
                    "sessions": asdict(of.sessions),
                    "n_without_id": of.n_without_id,
                }
                for of in made
            ],
        }
    )


def _exchange(
    pipes: PipesContext, days: list[date], target_dir: Path
) -> AbstractContextManager[Exchange]:
    events_dir, storage = Path(pipes.get_extra("events_dir")), pipes.get_extra("storage")
    if storage is None:
        return exchange_in_place(events_dir, target_dir)
    return exchange_through(storage, events_dir, days)


def main() -> int:
    """Do the work; leave what went wrong, in words, where Dagster's side looks for it."""
    with open_dagster_pipes() as pipes:
        try:
            _work(pipes)
        except CrossrecError as error:
            said = str(error)
        except Exception as error:
            said = f"The job of Spark failed with {type(error).__name__}: {first_cause(error)}"
        else:
            return 0
        Path(pipes.get_extra("error_file")).write_text(said)
        return 2


if __name__ == "__main__":
    sys.exit(main())
