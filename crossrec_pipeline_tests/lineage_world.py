"""A whole pipeline in a temporary folder, driven by its automation conditions without a daemon."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import dagster as dg
import polars as pl

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.sources import report_sources
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.settings import load_settings, project_root

Row = dict[str, str]
ROWS = 250
TITLES = {"movies": "names", "books": "Book"}
RIVALS = ("vstan", "sequential_rules")
"""What the hybrid needs; all of them are trained in test_pipeline_end_to_end.py."""
TAKEN_IN = {"catalogue/raw_movies", "catalogue/staged_items"}
PUBLISHED = {"catalogue/items", "catalogue/rejected_items"}
DOWNSTREAM = {
    "content/embeddings",
    "catalogue/item_links",
    "interactions/events",
    "sessions/sequences",
    *(f"models/{kind}" for kind in ("popularity", "markov", *RIVALS, "gru4rec", "hybrid")),
    "evaluation/ranks",
    "evaluation/report",
    "models/champion",
    "serving/export",
    "exploration/charts",
}
STREET = TAKEN_IN | PUBLISHED | DOWNSTREAM
NULL_ROW = 17
_MAX_TICKS = 12


def as_is(rows: list[Row]) -> list[Row]:
    return rows


def blanks_around_titles(rows: list[Row]) -> list[Row]:
    return [{**row, TITLES["movies"]: f"  {row[TITLES['movies']]} "} for row in rows]


def one_genre_edited(rows: list[Row]) -> list[Row]:
    return [{**rows[0], "genre": "Western"}, *rows[1:]]


def one_title_missing(rows: list[Row]) -> list[Row]:
    return [
        {**row, TITLES["movies"]: "" if n == NULL_ROW else row[TITLES["movies"]]}
        for n, row in enumerate(rows)
    ]


def every_twentieth_title_missing(rows: list[Row]) -> list[Row]:
    return [
        {**row, TITLES["movies"]: "" if n % 20 == 0 else row[TITLES["movies"]]}
        for n, row in enumerate(rows)
    ]


def a_third_of_the_rows_lost(rows: list[Row]) -> list[Row]:
    return rows[: len(rows) * 2 // 3]


class SmallCatalogues:
    """Two small catalogues of a user's own, and what the pipeline has made of them."""

    rivals: tuple[str, ...] = RIVALS

    def __init__(self, folder: Path):
        self.files = {domain: folder / f"{domain}.csv" for domain in TITLES}
        self.delivered = {domain: _sample(domain) for domain in TITLES}
        for domain in TITLES:
            self.deliver(domain, lambda rows: rows)
        self.settings = load_settings(
            data_dir=folder / "data",
            domains=tuple(TITLES),
            sources={domain: str(path) for domain, path in self.files.items()},
            simulation={"n_events": 6_000, "n_users": 300, "n_days": 20},
            training={"epochs": 1, "device": "cpu"},
            evaluation={"rivals": self.rivals},
            gate={"challenger": "gru4rec"},
            content={"encoder": "hashed"},
        )
        self.warehouse = Warehouse(path=str(self.settings.warehouse_path))

    def deliver(self, domain: str, change: Callable[[list[Row]], list[Row]]) -> None:
        """Write a domain's file anew: its first delivery, changed."""
        rows = change([dict(row) for row in self.delivered[domain]])
        with self.files[domain].open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(self.delivered[domain][0]))
            writer.writeheader()
            writer.writerows(rows)

    def accept(self, domain: str, change: Callable[[list[Row]], list[Row]]) -> None:
        """Change a domain's file for good: later deliveries start from it."""
        self.deliver(domain, change)
        self.delivered[domain] = change([dict(row) for row in self.delivered[domain]])

    def items(self) -> pl.DataFrame:
        """Read the published items."""
        return self.warehouse.read("catalogue.items").sort("item_id")

    def rejected(self) -> pl.DataFrame:
        """Read the published rejected rows."""
        return self.warehouse.read("catalogue.rejected_items")

    def champion(self) -> bytes:
        """Read the pointer to the served model."""
        return (self.settings.models_dir / "champion.json").read_bytes()


class World(SmallCatalogues):
    """The pipeline that watches the catalogues, driven without a daemon."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.instance = dg.DagsterInstance.ephemeral()
        self.defs = build_definitions(self.settings)
        self.failures: list[str] = []
        """Why each failed step of the last `settle` (and builds since) failed."""
        self.requested: list[list[str]] = []
        """What each tick of the last `settle` asked for."""
        self._cursor: dg.AssetDaemonCursor | None = None

    def build(self, keys: Iterable[str] | None = None) -> set[str]:
        """Build assets by hand in one run, all of them by default; say what was materialised."""
        selection = None if keys is None else [dg.AssetKey(key.split("/")) for key in keys]
        result = self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
            asset_selection=selection, instance=self.instance, raise_on_error=False
        )
        self.failures += [
            f"{event.step_key}: {_first_cause(event.step_failure_data.error)}"
            for event in result.all_events
            if event.event_type == dg.DagsterEventType.STEP_FAILURE
        ]
        return {
            event.asset_key.to_user_string()
            for event in result.get_asset_materialization_events()
            if event.asset_key
        }

    def look(self) -> list[str]:
        """Report the sources whose content is new."""
        return [key.to_user_string() for key in report_sources(self.settings, self.instance)]

    def settle(self) -> set[str]:
        """Look at the sources, then build what is asked for until nothing more is."""
        self.look()
        self.requested, self.failures = [], []
        ran: set[str] = set()
        for _ in range(_MAX_TICKS):
            tick = dg.evaluate_automation_conditions(self.defs, self.instance, cursor=self._cursor)
            self._cursor = tick.cursor
            keys = sorted(
                result.key.to_user_string()
                for result in tick.results
                if isinstance(result.key, dg.AssetKey) and tick.get_num_requested(result.key)
            )
            if not keys:
                return ran
            self.requested.append(keys)
            ran |= self.build(keys)
        raise AssertionError(f"still asking after {_MAX_TICKS} ticks: {self.requested}")


def _first_cause(error: object) -> str:
    while (cause := getattr(error, "cause", None)) is not None:
        error = cause
    return str(getattr(error, "message", error)).strip()


def _sample(domain: str) -> list[Row]:
    path = project_root() / "data" / "sample" / f"{domain}.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))[:ROWS]
