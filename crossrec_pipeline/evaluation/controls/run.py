"""Sessions and the main model in; the table of all controls out, one part of it after the other."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import polars as pl

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.digests import json_digest
from crossrec_pipeline.evaluation.controls.experiments import (
    MainModel,
    check_ranks,
    measure_last_item_only,
    measure_other_seed,
    measure_shuffled_domains,
    measure_shuffled_order,
    measure_single_domain,
    measure_uniform_log,
)
from crossrec_pipeline.evaluation.controls.table import ControlsTable
from crossrec_pipeline.models.base import Progress
from crossrec_pipeline.sessions.store import SessionDataset

CONTROLS_FILE = "controls.parquet"
_PARTS = "controls"
_VERSION = "1"
"""Of how controls are made: another one measures all of them again."""


def measure_controls(
    dataset: SessionDataset,
    main: MainModel,
    n_seeds: int,
    directory: Path,
    progress: Progress,
) -> ControlsTable:
    """Measure every control, and put them together as ``controls.parquet``.

    Each control's rows are written to ``controls/`` as soon as they are known: a call that was
    broken off goes on with those that are missing. Other sessions, or another main model (of which
    the data version tells), begin anew.

    Parameters
    ----------
    dataset
        Sessions of the main model.
    main
        What controls are trained like, and compared with.
    n_seeds
        Further seeds to train it with.
    directory
        Where both lie; rows of other sessions or models are deleted at the end.
    progress
        Receives lines before and after each control.

    Raises
    ------
    EvaluationError
        If the main model's ranks are of other sessions.
    """
    check_ranks(main, dataset.test)
    plan = _plan(dataset, main, n_seeds, progress)
    sessions_digest = dataset.digest
    paths, frames = [], []
    for number, (control, measure) in enumerate(plan.items(), start=1):
        digest = json_digest([_VERSION, control, sessions_digest, main.data_version, main.seed])
        path = directory / _PARTS / f"{control}-{digest}.parquet"
        if path.exists():
            progress(f"{control} ({number}/{len(plan)}) was measured before")
        else:
            progress(f"{control} ({number}/{len(plan)})")
            rows = measure().select(pl.lit(control).alias("control"), pl.all())
            with atomic_file(path) as part:
                rows.write_parquet(part)
        paths.append(path)
        frames.append(pl.read_parquet(path))
        for line in _lines(frames[-1]):
            progress(line)
    table = ControlsTable(
        pl.concat(frames), sessions_digest, main.data_version, datetime.now(UTC).isoformat()
    )
    table.save(directory / CONTROLS_FILE)
    for path in set((directory / _PARTS).glob("*.parquet")) - set(paths):
        path.unlink()
    return table


def _plan(
    dataset: SessionDataset, main: MainModel, n_seeds: int, say: Progress
) -> dict[str, Callable[[], pl.DataFrame]]:
    """List what there is to measure, by control."""
    plan = {
        "uniform_log": partial(measure_uniform_log, dataset, main),
        "shuffled_order": partial(measure_shuffled_order, dataset, main),
        "last_item_only": partial(measure_last_item_only, dataset, main),
    }
    if len(dataset.vocabulary.types) > 1:
        plan["shuffled_domains"] = partial(measure_shuffled_domains, dataset, main)
        plan["single_domain"] = partial(measure_single_domain, dataset, main, say)
    else:
        say("shuffled_domains and single_domain are left out: the items are of one type")
    for number in range(1, n_seeds + 1):
        plan[f"other_seed_{number}"] = partial(
            measure_other_seed, dataset, main, main.seed + number
        )
    return plan


def _lines(rows: pl.DataFrame) -> list[str]:
    """Say what a control's recall came to."""
    return [
        f"  {row['target_type'] or 'overall'}: recall@{row['k']} {row['value']:.4f}, "
        f"{row['reference']} {row['reference_value']:.4f} "
        f"(difference {row['difference']:+.4f}, {_bounds(row['low'], row['high'])})"
        for row in rows.filter(pl.col("metric") == "recall", pl.col("n") > 0).iter_rows(named=True)
    ]


def _bounds(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "no interval"
    return f"95 % {low:+.4f} to {high:+.4f}"
