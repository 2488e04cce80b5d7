"""What is made in the data directory, output by output; brought from a store, and to it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from crossrec_pipeline.domains import load_domains
from crossrec_pipeline.models.registry import KINDS
from crossrec_pipeline.settings import Settings
from crossrec_pipeline.storage.store import Store
from crossrec_pipeline.storage.transfers import Progress
from crossrec_pipeline.storage.working_copy import Output

WAREHOUSE = Output("warehouse", ("warehouse.duckdb",))
EMBEDDINGS = Output(
    "content/embeddings", ("content/embeddings.parquet", "content/hashed_encoder.safetensors")
)
DELIVERIES = Output(
    "interactions/deliveries",
    (
        "interactions/deliveries/ledger.json",
        "interactions/deliveries/pieces/*",
        "interactions/rejected/undated.parquet",
    ),
)
ENRICHMENTS = Output(
    "content/enrichments",
    ("content/enrichments.parquet", "content/enrichments_refused.parquet"),
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
EXPORTS = Output(
    "serving/export", ("serving/catalogue.parquet", "serving/similar.parquet", "serving/*/*")
)
CHARTS = Output("exploration/charts", ("exploration/charts.html",))


def raw_catalogue(domain: str) -> Output:
    """Return the raw table of a domain."""
    return Output(f"catalogue/raw/{domain}", (f"raw/{domain}.parquet",))


def bundles(kind: str) -> Output:
    """Return the bundles of a kind of model."""
    return Output(f"models/bundles/{kind}", (f"models/{kind}/*",))


ALL_BUNDLES = tuple(bundles(kind) for kind in KINDS)


def raw_catalogues(settings: Settings) -> list[Output]:
    """List the raw tables of all domains."""
    return [raw_catalogue(spec.name) for spec in load_domains(settings.domains)]


def all_outputs(settings: Settings) -> list[Output]:
    """List everything that is made."""
    return [
        *raw_catalogues(settings),
        WAREHOUSE,
        ENRICHMENTS,
        EMBEDDINGS,
        DELIVERIES,
        EVENTS,
        LOG_VERDICT,
        DAY_VERDICTS,
        SESSION_DAYS,
        SESSIONS,
        TUNING,
        *ALL_BUNDLES,
        CHAMPION,
        RANKS,
        REPORT,
        CONTROLS,
        EXPORTS,
        CHARTS,
    ]


def fetch_outputs(settings: Settings, outputs: Sequence[Output], say: Progress) -> None:
    """Bring outputs to the data directory, where the store has others than lie there.

    Without a store in the settings nothing is done.

    Raises
    ------
    StorageError
        If the store cannot be read.
    """
    if settings.store is not None:
        Store(settings.store).fetch_all(outputs, settings.data_dir, say)


def publish_outputs(settings: Settings, outputs: Iterable[Output], say: Progress) -> None:
    """Bring outputs of the data directory to the store, where it has others.

    Without a store in the settings nothing is done.

    Raises
    ------
    StorageError
        If the store cannot be written.
    """
    if settings.store is not None:
        store = Store(settings.store)
        for output in outputs:
            store.publish(output, settings.data_dir, say)


@contextmanager
def stored_outputs(
    settings: Settings, reads: Sequence[Output], writes: Sequence[Output], say: Progress
) -> Iterator[None]:
    """Fetch what a piece of work reads and changes; publish what it changed, unless it failed.

    Raises
    ------
    StorageError
        If the store cannot be read or written.
    """
    fetch_outputs(settings, [*reads, *writes], say)
    yield
    publish_outputs(settings, writes, say)
