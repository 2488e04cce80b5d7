"""The job that builds everything, and the daily audit of what is there."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from crossrec_pipeline.defs.interactions import EVENTS_KEY
from crossrec_pipeline.interactions.deliveries import is_growing
from crossrec_pipeline.settings import Settings

_AUDIT = "audit_data"
_AUDIT_DESCRIPTION = "Runs every check on the data as it stands; builds nothing."


def data_jobs(settings: Settings) -> list[UnresolvedAssetJobDefinition]:
    """List the jobs about all data.

    Of a log that grows, one run cannot build everything: its days are partitions. They are checked
    when they are made, so the audit has nothing to ask of them.
    """
    checks = dg.AssetSelection.all_asset_checks()
    if is_growing(settings.events):
        of_days = dg.AssetSelection.checks_for_assets(EVENTS_KEY)
        return [dg.define_asset_job(_AUDIT, checks - of_days, description=_AUDIT_DESCRIPTION)]
    return [
        dg.define_asset_job(
            "build_everything",
            selection=dg.AssetSelection.all(),
            description="From the raw catalogues to the champion, in one run.",
        ),
        dg.define_asset_job(_AUDIT, checks, description=_AUDIT_DESCRIPTION),
    ]


DAILY_AUDIT = dg.ScheduleDefinition(
    name="daily_audit",
    job_name=_AUDIT,
    cron_schedule="30 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Every night: are the checks still met? Rebuilding is not scheduled: it follows changes."
    ),
)
