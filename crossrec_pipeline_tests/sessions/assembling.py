"""From a small log to whole sessions, and to a data set cut where the test says."""

from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from crossrec_pipeline.sessions.days import bring_up_to_date
from crossrec_pipeline.sessions.parts import write_parts
from crossrec_pipeline.sessions.split import CutTimes
from crossrec_pipeline.sessions.statistics import SessionStatistics
from crossrec_pipeline.sessions.stitched_log import StitchedLog, stitch_log
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import SessionSettings

MEMORY = 10**9


def stitch_events(
    events_dir: Path, scratch: Path, catalogue_ids: pl.Series, settings: SessionSettings
) -> StitchedLog:
    """Build all days of a log and stitch them; `scratch` must outlive the result."""
    by_day = scratch / "by_day"
    days = bring_up_to_date(events_dir, by_day, settings.gap_minutes).days
    return stitch_log(by_day, days, catalogue_ids, settings, scratch, MEMORY)


def assemble_with_cuts(
    events_dir: Path, items: pl.DataFrame, settings: SessionSettings, cuts: CutTimes
) -> tuple[SessionDataset, SessionStatistics]:
    """Make the data set of a log, cut at given times."""
    with TemporaryDirectory() as directory:
        scratch, target = Path(directory) / "scratch", Path(directory) / "sessions"
        scratch.mkdir()
        target.mkdir()
        log = stitch_events(events_dir, scratch, items["item_id"], settings)
        statistics = write_parts(log, cuts, items, settings, target, scratch)
        return SessionDataset.open(target).in_memory(), statistics
