"""The blocking checks of the split sessions: what of the future lies in the past."""

import json
from collections.abc import Iterator

import dagster as dg
import polars as pl

from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.sessions import SEQUENCES_KEY, statistics_path
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.outputs import EVENTS, SESSIONS
from crossrec_pipeline.sessions.leaks import LEAKS, LeakFinding, audit_leaks, read_log_items
from crossrec_pipeline.sessions.split import CutTimes
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings


def leak_findings(settings: Settings) -> list[LeakFinding]:
    """Audit the sessions that lie in the data directory against the log they were made of."""
    dataset = SessionDataset.open(settings.sessions_dir)
    return audit_leaks(dataset, _cuts(settings), log_items(settings))


def log_items(settings: Settings) -> pl.DataFrame:
    """Count each item's events in the log before the validation cut (columns of `LOG_ITEMS`)."""
    return read_log_items(settings.events_dir, _cuts(settings).validation_us)


def _cuts(settings: Settings) -> CutTimes:
    counts = json.loads(statistics_path(settings).read_text())
    return CutTimes.from_iso(counts["validation_cut"], counts["test_cut"])


@dg.multi_asset_check(
    name="audit_leaks",
    specs=[
        dg.AssetCheckSpec(name, asset=SEQUENCES_KEY, description=description, blocking=True)
        for name, description in LEAKS.items()
    ],
)
@reports_errors
@stored(reads=[SESSIONS, EVENTS])
def audit_sequences(settings: dg.ResourceParam[Settings]) -> Iterator[dg.AssetCheckResult]:
    """Look for each leak; no model is trained on sessions that have one."""
    for finding in leak_findings(settings):
        yield dg.AssetCheckResult(
            asset_key=SEQUENCES_KEY,
            check_name=finding.name,
            passed=finding.passed,
            description=str(finding),
            metadata={"found": finding.n_found, "examples": list(finding.examples)},
        )
