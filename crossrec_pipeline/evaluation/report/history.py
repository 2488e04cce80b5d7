"""One record a report: what was measured and of what, kept so that later reports show the trend."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.measures import HEADLINE_CUTOFF
from crossrec_pipeline.evaluation.slices import CHANCE

RECORDS_KEPT = 50
PAGES_KEPT = 10
RECORDED = ("recall", "mrr")
"""Metrics of the next item at `HEADLINE_CUTOFF`."""


@dataclass(frozen=True)
class Recorded:
    """One figure with its 95 % interval, where it has one."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ReportRecord:
    """What is kept of a report.

    Attributes
    ----------
    time
        When it was made, ISO 8601 in UTC, to the microsecond.
    metrics_version
        Content version of its metrics.
    data_versions
        Content version of each input by name.
    code_version
        Version of this package.
    main_model
        The model it was about.
    figures
        By model and metric (`RECORDED`).
    """

    time: str
    metrics_version: str
    data_versions: Mapping[str, str]
    code_version: str
    main_model: str
    figures: Mapping[str, Mapping[str, Recorded]]


def new_record(
    metrics: pl.DataFrame,
    *,
    metrics_version: str,
    data_versions: Mapping[str, str],
    code_version: str,
    main_model: str,
    time: datetime,
) -> ReportRecord:
    """Take from the metrics what is kept of them; other parameters as in `ReportRecord`."""
    rows = metrics.filter(
        (pl.col("slice") == "overall")
        & (pl.col("relevance") == "next")
        & (pl.col("k") == HEADLINE_CUTOFF)
        & pl.col("metric").is_in(RECORDED)
        & (pl.col("model") != CHANCE)
    ).sort("model", "metric")
    figures: dict[str, dict[str, Recorded]] = {}
    for model, metric, *values in rows.select(
        "model", "metric", "value", "low", "high"
    ).iter_rows():
        figures.setdefault(model, {})[metric] = Recorded(*values)
    return ReportRecord(
        time.astimezone(UTC).isoformat(timespec="microseconds"),
        metrics_version,
        dict(data_versions),
        code_version,
        main_model,
        figures,
    )


def with_record(records: Sequence[ReportRecord], record: ReportRecord) -> list[ReportRecord]:
    """Add a record, unless the newest one is of the same metrics: nothing new was measured."""
    if records and records[-1].metrics_version == record.metrics_version:
        return list(records)
    return [*records, record][-RECORDS_KEPT:]


def read_history(directory: Path) -> list[ReportRecord]:
    """Return the kept records, oldest first.

    Raises
    ------
    EvaluationError
        If a file of the directory is no record.
    """
    return [_read(path) for path in sorted(directory.glob("*.json"))]


def keep(records: Sequence[ReportRecord], page: str, directory: Path) -> None:
    """Write the newest record and its page where they are not kept yet; delete what is too old.

    Parameters
    ----------
    records
        What `with_record` gave.
    page
        The HTML page of the newest one.
    directory
        Holds ``<time>.json`` and ``<time>.html``.
    """
    name = _file_name(records[-1])
    path = directory / f"{name}.json"
    if not path.exists():
        # The page first: a record without its page would never get one.
        with atomic_file(directory / f"{name}.html") as partial:
            partial.write_text(page, encoding="utf-8")
        with atomic_file(path) as partial:
            partial.write_text(json.dumps(asdict(records[-1]), indent=1), encoding="utf-8")
    for pattern, n_kept in (("*.json", RECORDS_KEPT), ("*.html", PAGES_KEPT)):
        for old in sorted(directory.glob(pattern))[:-n_kept]:
            old.unlink()


def _file_name(record: ReportRecord) -> str:
    return f"{datetime.fromisoformat(record.time):%Y%m%dT%H%M%S%fZ}"


def _read(path: Path) -> ReportRecord:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        figures = {
            model: {metric: Recorded(**figure) for metric, figure in by_metric.items()}
            for model, by_metric in content.pop("figures").items()
        }
        return ReportRecord(**content, figures=figures)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EvaluationError(
            f"{path} is no record of a report ({error!r}). Delete it: only the trend needs it."
        ) from error
