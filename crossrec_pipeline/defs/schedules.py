"""The job that builds everything, and the daily audit of what is there."""

import dagster as dg

WHOLE_STREET = dg.define_asset_job(
    "build_everything",
    selection=dg.AssetSelection.all(),
    description="From the raw catalogues to the champion, in one run.",
)

AUDIT = dg.define_asset_job(
    "audit_data",
    selection=dg.AssetSelection.all_asset_checks(),
    description="Runs every check on the data as it stands; builds nothing.",
)

DAILY_AUDIT = dg.ScheduleDefinition(
    name="daily_audit",
    job=AUDIT,
    cron_schedule="30 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Every night: are the checks still met? Rebuilding is not scheduled: it follows changes."
    ),
)
