"""What is made in the data directory, output by output: what a store keeps versions of."""

from crossrec_pipeline.models.registry import KINDS
from crossrec_pipeline.storage.working_copy import Output

WAREHOUSE = Output("warehouse", ("warehouse.duckdb",))
DELIVERIES = Output(
    "interactions/deliveries",
    (
        "interactions/deliveries/ledger.json",
        "interactions/deliveries/pieces/*",
        "interactions/rejected/undated.parquet",
    ),
)
EVENTS = Output(
    "interactions/events",
    (
        "interactions/events/*",
        "interactions/rejected_events.parquet",
        "interactions/rejected/date=*.parquet",
    ),
)
DAY_VERDICTS = Output("interactions/verdicts", ("interactions/verdicts/*",))
LOG_VERDICT = Output("interactions/verdict", ("interactions/verdict.json",))
SESSION_DAYS = Output("sessions/by_day", ("sessions_by_day/*",))
SESSIONS = Output("sessions/sequences", ("sessions", "session_statistics.json"))
TUNING = Output("models/tuning", ("tuning/gru4rec",))
CHAMPION = Output("models/champion", ("models/champion.json", "models/promotions.jsonl"))
RANKS = Output(
    "evaluation/ranks",
    (
        "evaluation/ranks",
        "evaluation/top_lists",
        "evaluation/list_metrics.parquet",
        "evaluation/costs.json",
    ),
)
REPORT = Output(
    "evaluation/report",
    (
        "evaluation/metrics.parquet",
        "evaluation/comparisons.parquet",
        "evaluation/report.md",
        "evaluation/report.html",
        "evaluation/history",
    ),
)
CONTROLS = Output("evaluation/controls", ("evaluation/controls.parquet", "evaluation/controls"))
EXPORTS = Output("serving/export", ("serving/catalogue.parquet", "serving/*/*"))
CHARTS = Output("exploration/charts", ("exploration/charts.html",))


def raw_catalogue(domain: str) -> Output:
    """Return the raw table of a domain."""
    return Output(f"catalogue/raw/{domain}", (f"raw/{domain}.parquet",))


def bundles(kind: str) -> Output:
    """Return the bundles of a kind of model."""
    return Output(f"models/bundles/{kind}", (f"models/{kind}/*",))


ALL_BUNDLES = tuple(bundles(kind) for kind in KINDS)
