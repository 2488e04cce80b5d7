"""The one home of every path, default and option: defaults < environment (``CROSSREC_*``)."""

import difflib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.storage.location import is_url

SHORTEST_API_KEY = 16

_PREFIX = "CROSSREC_"
_SECRETS = frozenset({"api_keys", "api_key", "base_url"})
"""Fields whose values no message shows; a URL may hold a password."""
_PACKAGE_PARENT = Path(__file__).resolve().parents[1]


def project_root() -> Path:
    """Return the checkout this package runs from, or the working directory when installed."""
    return _PACKAGE_PARENT if (_PACKAGE_PARENT / "workspace.yaml").exists() else Path.cwd()


def _comma_separated(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ContentSettings(_Section):
    """How the words of items become vectors."""

    encoder: Annotated[
        Literal["auto", "sentence", "hashed"],
        Field(description="auto: the sentence model where it is on this machine, else hashed"),
    ] = "auto"
    model: Annotated[
        str, Field(min_length=1, description="sentence model: a folder, or its name on the hub")
    ] = "all-MiniLM-L6-v2"
    max_tokens: Annotated[
        int, Field(ge=8, description="of a text that the sentence model reads; about 3/4 words")
    ] = 128
    # How they are computed is no part of what they are, so not shown with them.
    batch_size: Annotated[
        int, Field(ge=1, repr=False, description="texts that the sentence model takes at once")
    ] = 32
    device: Annotated[
        Literal["auto", "cpu", "cuda"], Field(repr=False, description="of the sentence model")
    ] = "auto"


class SimulationSettings(_Section):
    """Size and seed of a simulated interaction log (used when ``events`` is not a file)."""

    seed: int = 7
    n_events: Annotated[int, Field(gt=0, description="events to draw, met within 1 %")] = 240_000
    n_users: Annotated[int, Field(gt=0)] = 4_000
    n_days: Annotated[int, Field(gt=0)] = 60
    first_day: str = "2023-01-01"


class LogSettings(_Section):
    """How a log that grows by the day is read (see ``events``); a whole log needs none of this."""

    first_day: Annotated[
        date | None, Field(description="earlier events are left out; default: the first day seen")
    ] = None
    late_days: Annotated[
        int, Field(ge=0, description="days back that a database is asked for again")
    ] = 3
    table: Annotated[str | None, Field(description="of a database: schema.table or a view")] = None
    window_days: Annotated[
        int | None, Field(gt=0, description="only the last so many days are used")
    ] = None


class SessionSettings(_Section):
    """How events become sessions."""

    gap_minutes: Annotated[float, Field(gt=0)] = 30.0
    min_length: Annotated[int, Field(ge=2)] = 2
    max_length: Annotated[int, Field(ge=2)] = 50
    min_support: Annotated[int, Field(ge=1, description="events an item needs in train")] = 5
    support_rounds: Annotated[
        int | None,
        Field(ge=1, description="of filtering rare items, then short sessions; null: to the end"),
    ] = 1
    collapse_repeats: bool = True
    event_inputs: Annotated[
        bool, Field(description="keep the type of each event and the time since the one before")
    ] = False
    # How they are computed is no part of what they are, so not shown with them: another value
    # must not build them again.
    memory_limit: Annotated[
        str | None, Field(repr=False, description="such as 2GB; default: half of the memory")
    ] = None
    engine: Annotated[
        Literal["arrays", "duckdb", "polars", "pyspark"],
        Field(repr=False, description="what makes the sessions of each day"),
    ] = "arrays"
    spark_master: Annotated[
        str, Field(repr=False, description="of the engine pyspark; or sc://host:15002")
    ] = "local[*]"
    spark_storage: Annotated[
        str | None,
        Field(repr=False, description="URL of a folder for a cluster that has no disk in common"),
    ] = None

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Leave `event_inputs` out while they are off: the rest is as it is without them."""
        for name, value in super().__repr_args__():
            if name != "event_inputs" or value:
                yield name, value


class SplitSettings(_Section):
    """Where time is cut: the last shares of the events are validation and test.

    With `validation_days` and `test_days` it is cut at midnight (UTC) instead.
    """

    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    validation_days: Annotated[
        int | None, Field(ge=1, description="whole days at the end, before those of test")
    ] = None
    test_days: Annotated[int | None, Field(ge=1, description="whole days at the end")] = None

    @model_validator(mode="after")
    def _require_both_days_or_neither(self) -> Self:
        if (self.validation_days is None) != (self.test_days is None):
            raise ValueError("validation_days and test_days are set both, or neither")
        return self


ContentPart = Literal["type", "text", "genres", "creators"]
"""What a GRU4Rec can read of items."""


class TrainingSettings(_Section):
    """Which GRU4Rec is trained. Fields left empty come from the preset."""

    preset: Literal["default", "classic", "paper", "clicks", "tuned"] = "default"
    """`tuned`: the preset `default` with what `crossrec tune` last found best."""
    seed: int = 0
    epochs: Annotated[int, Field(gt=0)] | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None
    content: Annotated[tuple[ContentPart, ...], NoDecode] = ()
    """What GRU4Rec reads of items: type, text, genres, creators; comma-separated."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further fields of its configuration, as a JSON object: ``{"adapter_rank": 8}``."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: Annotated[
        int, Field(gt=0, description="started by torchrun, with a share of each batch each")
    ] = 1
    # No part of what decides the model, so not shown with it: another value must not retrain it.
    checkpoint_minutes: Annotated[
        float, Field(gt=0, repr=False, description="training that a crash may cost at most")
    ] = 5.0
    max_restarts: Annotated[
        int, Field(ge=0, repr=False, description="after a process was killed, from the checkpoint")
    ] = 2
    nodes: Annotated[int, Field(gt=0, description="machines, each with `processes`")] = 1
    rendezvous: Annotated[
        str | None, Field(repr=False, description="host:port of the first node, for several")
    ] = None

    @field_validator("content", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return _comma_separated(value)


class EnrichmentSettings(_Section):
    """Who writes descriptions of items, and what that may cost; without `base_url` nobody does.

    The bounds are those of one run: the next one goes on where it stopped.
    """

    base_url: Annotated[
        str | None,
        Field(repr=False, description="what comes before /chat/completions; may hold a password"),
    ] = None
    model: Annotated[str | None, Field(min_length=1, description="as the endpoint calls it")] = None
    api_key: SecretStr | None = None
    request_fields: dict[str, Any] = Field(default_factory=dict)
    """Further fields of each request, such as ``{"temperature": 0}``."""

    max_items: Annotated[int, Field(gt=0, description="items asked for")] = 1_000
    max_requests: Annotated[int | None, Field(gt=0, description="repeated ones included")] = 2_000
    max_tokens: Annotated[int | None, Field(gt=0, description="read and written")] = 2_000_000
    max_cost: Annotated[float | None, Field(gt=0, description="in the currency of the prices")] = (
        None
    )
    prompt_price: Annotated[float, Field(ge=0, description="of 10^6 tokens that are read")] = 0.0
    reply_price: Annotated[float, Field(ge=0, description="of 10^6 tokens that are written")] = 0.0
    max_minutes: Annotated[float | None, Field(gt=0)] = 60.0
    max_reply_tokens: Annotated[
        int, Field(gt=0, description="of one reply, what a model thinks to itself included")
    ] = 500

    requests_per_minute: Annotated[float, Field(gt=0)] = 60.0
    concurrency: Annotated[int, Field(ge=1, le=64, description="requests at a time")] = 4
    timeout_seconds: Annotated[float, Field(gt=0, description="of one request")] = 60.0
    max_attempts: Annotated[
        int, Field(ge=1, description="of one question, while the endpoint is busy or fails")
    ] = 5
    max_failures_in_row: Annotated[
        int, Field(ge=1, description="items without a usable answer, after which a run stops")
    ] = 10
    min_share: Annotated[
        float, Field(ge=0, le=1, description="of the items with a description; else a warning")
    ] = 0.9

    @field_validator("base_url")
    @classmethod
    def _require_endpoint(cls, base_url: str | None) -> str | None:
        if base_url is None:
            return None
        try:
            parts = urlsplit(base_url)
            is_endpoint = parts.scheme in ("http", "https") and bool(parts.hostname)
            _ = parts.port
        except ValueError:
            raise ValueError("it cannot be read as a URL") from None
        if not is_endpoint or parts.query or parts.fragment:
            raise ValueError(
                "an endpoint is an http:// or https:// URL without ? or #, such as "
                "http://localhost:11434/v1"
            )
        if parts.path.rstrip("/").endswith("/chat/completions"):
            raise ValueError("leave /chat/completions out: it is put behind the URL")
        return base_url.rstrip("/")

    @model_validator(mode="after")
    def _require_what_belongs_together(self) -> Self:
        if self.base_url is not None and self.model is None:
            raise ValueError("base_url needs a model: set CROSSREC_ENRICHMENT__MODEL")
        if self.base_url is not None and self.api_key and urlsplit(self.base_url).username:
            raise ValueError("give an api_key, or a user in base_url, not both")
        if self.max_cost is not None and not self.prompt_price and not self.reply_price:
            raise ValueError("max_cost needs prompt_price, reply_price, or both")
        return self

    @property
    def is_on(self) -> bool:
        """Say whether somebody is asked."""
        return self.base_url is not None


class QualitySettings(_Section):
    """Bounds of the checks."""

    max_rejected_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    max_shrink: Annotated[float, Field(ge=0, le=1)] = 0.10
    max_fill_drift: Annotated[
        float, Field(ge=0, le=1, description="change of a fill rate against the last good build")
    ] = 0.05
    max_rejected_events_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    fresh_within_days: Annotated[float, Field(gt=0)] = 8.0
    max_links_of_item: Annotated[
        int, Field(gt=0, description="links of one item with others of its story or work")
    ] = 25


Rival = Literal[
    "session_popularity",
    "association_rules",
    "sequential_rules",
    "item_knn",
    "sknn",
    "vsknn",
    "vmis",
    "stan",
    "vstan",
]


class EvaluationSettings(_Section):
    """What is trained and compared besides GRU4Rec, popularity and Markov."""

    rivals: Annotated[tuple[Rival, ...], NoDecode] = get_args(Rival)
    """Comma-separated in the environment. The hybrid is trained where its members are."""

    @field_validator("rivals", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return _comma_separated(value)


class GateSettings(_Section):
    """What a newly trained model must hold to be served in place of the champion."""

    challenger: str = "hybrid"
    """The kind of model that is served."""
    confidence: Annotated[float, Field(gt=0, lt=1, description="of the paired intervals")] = 0.95
    tolerance: Annotated[
        float, Field(ge=0, le=1, description="Recall@20 or MRR@20 that may be lost")
    ] = 0.0
    min_predictions: Annotated[
        int, Field(ge=1, description="fewer of a target type are not judged")
    ] = 200
    max_bundle_mb: Annotated[float, Field(gt=0)] = 500.0
    max_latency_ms: Annotated[
        float, Field(gt=0, description="95th percentile of scoring one session")
    ] = 50.0


class ControlSettings(_Section):
    """How much is trained beside the main model, to see what its figures are made of."""

    seeds: Annotated[int, Field(ge=0, description="further seeds of the main model")] = 2


class ServingSettings(_Section):
    """How the service listens, what it lets in, and how long anything may take."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="0 takes a free one")] = 8000
    workers: Annotated[int, Field(ge=1, le=256, description="processes, each with the model")] = 1
    poll_seconds: Annotated[
        float, Field(gt=0, description="between two looks at the champion's pointer")
    ] = 1.0

    new_item_boost: Annotated[
        float,
        Field(
            ge=-30,
            le=30,
            description="added to the scores of items that came after the training, nats",
        ),
    ] = 0.0

    max_batch: Annotated[int, Field(ge=1, description="sessions ranked at once")] = 32
    max_wait_ms: Annotated[
        float, Field(gt=0, description="a request that would wait longer is turned away (503)")
    ] = 50.0
    deadline_ms: Annotated[
        float, Field(gt=0, description="a request is given up when it took this long (503)")
    ] = 1000.0
    max_connections: Annotated[int, Field(ge=1, description="of one worker")] = 2000
    max_body_bytes: Annotated[int, Field(ge=1024)] = 65_536
    request_timeout_seconds: Annotated[
        float, Field(gt=0, description="in which a whole request must have arrived (408)")
    ] = 10.0
    keep_alive_seconds: Annotated[
        int, Field(ge=1, description="after which an idle connection is closed")
    ] = 30
    drain_seconds: Annotated[
        int, Field(ge=1, description="for requests under way when the service is stopped")
    ] = 10

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Who gives one of them may ask; without any, everyone may. Comma-separated."""
    protect_metrics: Annotated[bool, Field(description="/metrics asks for an API key too")] = False
    rate_per_second: Annotated[
        float, Field(ge=0, description="requests of one client on one worker; 0 sets no limit")
    ] = 0.0
    rate_burst: Annotated[
        int, Field(ge=1, description="requests a client may make at once, after a pause")
    ] = 100
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins whose pages may call the service, such as ``https://shop.example``; comma-separated.
    """
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses or networks whose ``X-Forwarded-For`` is believed; comma-separated."""
    log_requests: Annotated[bool, Field(description="one line of JSON for each")] = True
    check_url: str | None = None
    """A running service that the check of the served lists asks; without any it starts its own."""

    @field_validator("api_keys", "cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return _comma_separated(value)

    @field_validator("api_keys")
    @classmethod
    def _refuse_short_keys(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < SHORTEST_API_KEY for key in keys):
            raise ValueError(f"an API key has at least {SHORTEST_API_KEY} characters")
        return keys


class Settings(BaseSettings):
    """All settings. ``CROSSREC_SESSIONS__GAP_MINUTES=20`` sets ``sessions.gap_minutes``."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        env_parse_none_str="null",
        extra="ignore",
        frozen=True,
    )

    data_dir: Path = Field(default_factory=lambda: project_root() / "data")
    sample_dir: Path = Field(default_factory=lambda: project_root() / "data" / "sample")

    store: str | None = None
    """A URL (``s3://bucket/prefix``) that keeps what is made in ``data_dir`` for other machines."""

    domains: Annotated[tuple[str, ...], NoDecode] = ("movies", "music", "books")
    """Built-in names, or ``package.module:ATTRIBUTE`` of a DomainSpec. Comma-separated in the
    environment."""
    sources: dict[str, str] = Field(default_factory=dict)
    """Per domain: ``sample`` (default), ``hub``, ``hub@<revision>``, or a path, glob or URL."""
    hub_cache_dir: Path | None = None
    hub_mirror: str | None = None
    """A folder ``<org>/<name>/`` per data set, or the URL of one, read in place of the hub."""

    events: str = "simulated"
    """``simulated``, ``uniform`` (the null control), the path, glob or URL of a log, or a log that
    grows by the day: a directory, a path with ``{date}``, or ``postgresql://…``."""
    event_columns: dict[str, str] = Field(default_factory=dict)
    """Ours to the log's column names, for example ``{"item_id": "asin"}``."""

    content: ContentSettings = ContentSettings()
    log: LogSettings = LogSettings()
    simulation: SimulationSettings = SimulationSettings()
    sessions: SessionSettings = SessionSettings()
    split: SplitSettings = SplitSettings()
    training: TrainingSettings = TrainingSettings()
    enrichment: EnrichmentSettings = EnrichmentSettings()
    quality: QualitySettings = QualitySettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    gate: GateSettings = GateSettings()
    controls: ControlSettings = ControlSettings()
    serving: ServingSettings = ServingSettings()

    poll_seconds: Annotated[int, Field(gt=0)] = 30

    @field_validator("domains", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return _comma_separated(value)

    @field_validator("store")
    @classmethod
    def _require_url(cls, store: str | None) -> str | None:
        if store is not None and not is_url(store):
            raise ValueError("a store is a URL, such as s3://bucket/prefix or file:///mnt/store")
        return store

    def source(self, domain: str) -> str:
        """Return where a domain's catalogue comes from."""
        return self.sources.get(domain, "sample")

    @cached_property
    def warehouse_path(self) -> Path:
        """The DuckDB file."""
        return self.data_dir / "warehouse.duckdb"

    @cached_property
    def copies_dir(self) -> Path:
        """Copies of what sources deliver at a URL."""
        return self.data_dir / "copies"

    @cached_property
    def raw_dir(self) -> Path:
        """One Parquet file a domain: the source as delivered."""
        return self.data_dir / "raw"

    @cached_property
    def content_dir(self) -> Path:
        """What is made of the words of items."""
        return self.data_dir / "content"

    @cached_property
    def events_dir(self) -> Path:
        """Accepted events, Parquet by day."""
        return self.data_dir / "interactions" / "events"

    @cached_property
    def log_verdict_path(self) -> Path:
        """Whether the accepted events have passed their checks."""
        return self.data_dir / "interactions" / "verdict.json"

    @cached_property
    def rejected_events_path(self) -> Path:
        """Refused events with their reasons."""
        return self.data_dir / "interactions" / "rejected_events.parquet"

    @cached_property
    def deliveries_dir(self) -> Path:
        """Of a growing log: what was delivered, by the day of the event, and the ledger of it."""
        return self.data_dir / "interactions" / "deliveries"

    @cached_property
    def rejected_dir(self) -> Path:
        """Of a growing log: refused events with their reasons, Parquet by day."""
        return self.data_dir / "interactions" / "rejected"

    @cached_property
    def day_verdicts_dir(self) -> Path:
        """Of a growing log: what the checks said of each day."""
        return self.data_dir / "interactions" / "verdicts"

    @cached_property
    def sessions_by_day_dir(self) -> Path:
        """Sessions cut at midnight, Parquet by day: what a rebuild need not make again."""
        return self.data_dir / "sessions_by_day"

    @cached_property
    def sessions_dir(self) -> Path:
        """The memory-mapped session data set."""
        return self.data_dir / "sessions"

    @cached_property
    def models_dir(self) -> Path:
        """Versioned model bundles and the champion pointer."""
        return self.data_dir / "models"

    @cached_property
    def checkpoints_dir(self) -> Path:
        """Trainings that are not done; empty when none is under way or was broken off."""
        return self.data_dir / "checkpoints"

    @cached_property
    def tuning_dir(self) -> Path:
        """The search for GRU4Rec's configuration, and what it found."""
        return self.data_dir / "tuning" / "gru4rec"

    @cached_property
    def serving_dir(self) -> Path:
        """What the service reads: details of items, and the serving export of each model."""
        return self.data_dir / "serving"

    @cached_property
    def evaluation_dir(self) -> Path:
        """Ranks and reports."""
        return self.data_dir / "evaluation"


NOT_SETTINGS = frozenset({"CROSSREC_REAL_DATA", "CROSSREC_DAGSTER_CHART"})
"""Variables of ours that are no settings: they tell the tests where real catalogues and Dagster's
Helm chart lie."""


def unknown_variables(environment: Iterable[str]) -> list[str]:
    """Say of each ``CROSSREC_*`` name that no setting has it, with the nearest one that is.

    They cannot be refused, since other programs may share the prefix; most likely they are
    misspelt.
    """
    names = _names(Settings)
    mappings = tuple(
        f"{name.upper()}__"
        for name, field in Settings.model_fields.items()
        if get_origin(field.annotation) is dict
    )
    lines = []
    for variable in sorted(environment):
        if variable in NOT_SETTINGS or not variable.upper().startswith(_PREFIX):
            continue
        name = variable.upper().removeprefix(_PREFIX)
        if name not in names and not name.startswith(mappings):
            near = difflib.get_close_matches(name, names, n=1)
            meant = f" Did you mean {_PREFIX}{near[0]}?" if near else ""
            lines.append(f"{variable} is no setting.{meant}")
    return lines


def _names(section: type[BaseModel]) -> list[str]:
    """List what can be set, sections as a whole and each field of theirs, without the prefix."""
    names = []
    for name, field in section.model_fields.items():
        names.append(name.upper())
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += [f"{name.upper()}__{below}" for below in _names(field.annotation)]
    return names


def _is_secret(name: object) -> bool:
    """Say whether a field holds a secret; a misspelt one may too."""
    lower = str(name).lower()
    return lower in _SECRETS or "key" in lower


def _shown(value: object) -> str:
    """Write a value as it was given, a section without its secrets."""
    if isinstance(value, Mapping):
        value = {key: "***" if _is_secret(key) else each for key, each in value.items()}
    return repr(value)


def load_settings(**overrides: object) -> Settings:
    """Read the settings; explicit `overrides` win over the environment.

    Raises
    ------
    SettingsError
        Naming each variable that has an impossible value, what was found and what is expected.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = _PREFIX + "__".join(str(part).upper() for part in problem["loc"])
            secret = any(_is_secret(part) for part in problem["loc"])
            found = "***" if secret else _shown(problem["input"])
            lines.append(f"{name}={found}: {problem['msg']}")
        raise SettingsError("\n".join(lines)) from None
    except ValueError as error:  # a nested value that is not valid JSON
        raise SettingsError(f"A CROSSREC_* setting cannot be read: {error}") from None
