"""Trained models as versioned bundles."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import dagster as dg
from pydantic import ValidationError

from crossrec_pipeline.defs.automation import after_upstream, with_upstream
from crossrec_pipeline.defs.catalogue import ITEMS_KEY
from crossrec_pipeline.defs.content import EMBEDDINGS_KEY
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.links import ITEM_LINKS_KEY, ITEM_LINKS_TABLE
from crossrec_pipeline.defs.metadata import counts_table
from crossrec_pipeline.defs.sessions import SEQUENCES_KEY
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.defs.torchrun import train_in_processes
from crossrec_pipeline.errors import BundleError, SettingsError
from crossrec_pipeline.models.base import FitReport, Recommender
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig, preset
from crossrec_pipeline.models.gru4rec.tuned import tuned_overrides
from crossrec_pipeline.models.item_content import ItemContent
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.popularity import Popularity
from crossrec_pipeline.models.registry import (
    CONFIG,
    Bundle,
    bundle_card,
    latest_bundle,
    load_bundle,
    model_class,
    prune_bundles,
    save_bundle,
)
from crossrec_pipeline.outputs import (
    CHAMPION,
    EMBEDDINGS,
    SESSIONS,
    TUNING,
    WAREHOUSE,
    bundles,
)
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline.settings import Settings, TrainingSettings

BUNDLES_KEPT = 5
MAIN_MODEL = "gru4rec"
RIVALS: Mapping[str, str] = {
    "session_popularity": "What the session has had most, then what is popular (S-POP).",
    "association_rules": "What train sessions hold together with the session's items.",
    "sequential_rules": "What came after the session's items in train, the sooner the better.",
    "item_knn": "Items whose train sessions are those of the session's items (cosine).",
    "sknn": "What the most similar train sessions hold.",
    "vsknn": "Session neighbours; later events and rare items weigh more.",
    "vmis": "Session neighbours among the latest sessions of each item.",
    "stan": "Session neighbours; place, age and distance weigh.",
    "vstan": "Session neighbours with the weights of STAN and V-SKNN.",
}
"""Kinds that are fitted in a moment, and what they go by."""
HYBRID = "hybrid"
HYBRID_MEMBERS = (MAIN_MODEL, "vstan", "sequential_rules")
REPORT_KEY = dg.AssetKey(["evaluation", "report"])
CHAMPION_KEY = dg.AssetKey(["models", "champion"])


def model_key(kind: str) -> dg.AssetKey:
    """Return the key of a model's asset."""
    return dg.AssetKey(["models", kind])


def model_kinds(settings: Settings) -> tuple[str, ...]:
    """List the kinds that are trained and compared: the hybrid where all its members are."""
    rivals = (kind for kind in RIVALS if kind in settings.evaluation.rivals)
    kinds = ("popularity", "markov", *rivals, MAIN_MODEL)
    return (*kinds, HYBRID) if set(HYBRID_MEMBERS) <= set(kinds) else kinds


def model_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """List the assets of the models that are trained."""
    kinds = model_kinds(settings)
    chosen = [kind for kind in RIVALS if kind in kinds]
    return [
        popularity,
        markov,
        _gru4rec(reads_content=True) if settings.training.content else gru4rec,
        *([_rivals(chosen)] if chosen else []),
        *([hybrid] if HYBRID in kinds else []),
    ]


def require_bundle(settings: Settings, kind: str) -> Bundle:
    """Return the newest bundle of a kind.

    Raises
    ------
    BundleError
        If none has been trained.
    """
    bundle = latest_bundle(settings.models_dir, kind)
    if bundle is None:
        raise BundleError(
            f"There is no {kind} bundle in {settings.models_dir}: materialise models/{kind}."
        )
    return bundle


def _save(
    model: Recommender,
    report: FitReport,
    dataset: SessionDataset,
    settings: Settings,
    seed: int | None = None,
    inputs: Mapping[str, str] = MappingProxyType({}),
) -> Bundle:
    """Keep a fitted model as a bundle."""
    return save_bundle(
        model,
        dataset.vocabulary,
        settings.models_dir,
        inputs={SEQUENCES_KEY.to_user_string(): dataset.digest, **inputs},
        history=report.history,
        summary=report.summary,
        seeds={} if seed is None else {"training": seed},
    )


def _publish(bundle: Bundle, dataset: SessionDataset, settings: Settings) -> dict[str, Any]:
    """Delete the oldest bundles of the kind, and say what the UI shows of the new one."""
    prune_bundles(settings.models_dir, bundle.kind, BUNDLES_KEPT)
    summary = bundle.manifest["training"]["summary"]
    return {
        "bundle": dg.MetadataValue.path(bundle.path),
        "items": dataset.vocabulary.n_items,
        "training events": dataset.train.n_events,
        "configuration": dg.MetadataValue.json(json.loads((bundle.path / CONFIG).read_text())),
        "training": counts_table({k: str(v) for k, v in summary.items()}, "figure", "value"),
        "model card": dg.MetadataValue.md(bundle_card(bundle)),
    }


def _baseline(kind: str, make: Callable[[], Recommender], description: str) -> dg.AssetsDefinition:
    """Make the asset of a model that counts: nothing to set, quick to fit."""

    @dg.asset(
        key=model_key(kind),
        deps=[SEQUENCES_KEY],
        group_name="models",
        kinds={"numpy"},
        owners=["team:ml"],
        code_version="1",
        automation_condition=after_upstream(),
        description=description,
    )
    @reports_errors
    @stored(reads=[SESSIONS, CHAMPION], writes=[bundles(kind)])
    def baseline(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> dg.MaterializeResult:
        dataset, model = SessionDataset.open(settings.sessions_dir), make()
        report = model.fit(dataset.train, dataset.vocabulary, dataset.validation, context.log.info)
        bundle = _save(model, report, dataset, settings)
        version = dg.DataVersion(bundle.data_version)
        return dg.MaterializeResult(
            metadata=_publish(bundle, dataset, settings), data_version=version
        )

    return baseline


popularity = _baseline(
    "popularity",
    Popularity,
    "Items by their number of events in train: what every model must beat.",
)
markov = _baseline(
    "markov", Markov, "First-order Markov chain: which item followed the last one, in train."
)


def _rivals(kinds: Sequence[str]) -> dg.AssetsDefinition:
    """Make the assets of rivals: one step fits them, so that compiled code is loaded once."""

    @dg.multi_asset(
        name="rivals",
        specs=[
            dg.AssetSpec(
                model_key(kind),
                deps=[SEQUENCES_KEY],
                group_name="models",
                kinds={"numba"},
                owners=["team:ml"],
                code_version="1",
                automation_condition=after_upstream(),
                description=RIVALS[kind],
            )
            for kind in kinds
        ],
        can_subset=True,
    )
    @reports_errors
    @stored(reads=[SESSIONS, CHAMPION], writes=[bundles(kind) for kind in kinds])
    def rivals(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult]:
        dataset = SessionDataset.open(settings.sessions_dir)
        for kind in kinds:
            if model_key(kind) not in context.selected_asset_keys:
                continue
            model = model_class(kind)()
            began = time.perf_counter()
            report = model.fit(
                dataset.train, dataset.vocabulary, dataset.validation, context.log.info
            )
            seconds = round(time.perf_counter() - began, 3)
            bundle = _save(model, _with_seconds(report, seconds), dataset, settings)
            yield dg.MaterializeResult(
                asset_key=model_key(kind),
                metadata=_publish(bundle, dataset, settings),
                data_version=dg.DataVersion(bundle.data_version),
            )

    return rivals


def _with_seconds(report: FitReport, seconds: float) -> FitReport:
    return FitReport(report.history, {**report.summary, "seconds": seconds})


class TrainingConfig(dg.Config):
    """Overrides of the training settings for one run, from the launchpad."""

    preset: str | None = None
    seed: int | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    device: str | None = None
    processes: int | None = None

    def over(self, settings: TrainingSettings) -> TrainingSettings:
        """Return the settings with what was given here put in.

        Raises
        ------
        SettingsError
            If a value is impossible.
        """
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        try:
            return TrainingSettings.model_validate({**settings.model_dump(), **given})
        except ValidationError as error:
            raise SettingsError(f"The training configuration cannot be used: {error}") from None


def gru4rec_config(settings: Settings, training: TrainingSettings) -> GRU4RecConfig:
    """Put a configuration together from a preset and what the settings say of it.

    Raises
    ------
    SettingsError
        If the preset is what a search found, and there has been none.
    """
    given = {
        name: value
        for name in ("epochs", "learning_rate")
        if (value := getattr(training, name)) is not None
    }
    if training.content:
        given["content"] = training.content
    if taken := sorted(_OWN_FIELDS & training.options.keys()):
        raise SettingsError(
            f"CROSSREC_TRAINING__OPTIONS names {', '.join(taken)}, which have settings of their "
            f"own. Set CROSSREC_TRAINING__{taken[0].upper()} instead."
        )
    found, base = {}, training.preset
    if training.preset == "tuned":
        found, base = tuned_overrides(settings.tuning_dir), "default"
    own = {"seed": training.seed, "device": training.device, **given}
    return preset(base, **{**found, **training.options, **own})


_OWN_FIELDS = {"epochs", "learning_rate", "content", "seed", "device"}


def item_content(
    settings: Settings, vocabulary: Vocabulary, parts: Sequence[str]
) -> tuple[ItemContent | None, dict[str, str]]:
    """Look the vocabulary's items up in the catalogue and among the embeddings.

    Parameters
    ----------
    parts
        What a GRU4Rec reads of items; nothing is looked up for none.

    Returns
    -------
    content, inputs
        And data versions of what was read, by name.

    Raises
    ------
    ContentError
        If items were not embedded.
    """
    from crossrec_pipeline.content.embeddings import EMBEDDINGS_FILE, ItemEmbeddings

    if not parts:
        return None, {}
    warehouse = Warehouse(path=str(settings.warehouse_path))
    embeddings = ItemEmbeddings.open(settings.content_dir / EMBEDDINGS_FILE)
    content = ItemContent.of(
        vocabulary.frame.select("item_id", "item_type"),
        warehouse.read("catalogue.items"),
        embeddings,
    )
    return content, {EMBEDDINGS_KEY.to_user_string(): embeddings.version}


def found_by_search(settings: Settings) -> dict[str, Any]:
    """Return what a search found, where it is used and there has been one."""
    if settings.training.preset != "tuned":
        return {}
    try:
        return tuned_overrides(settings.tuning_dir)
    except SettingsError:
        # Loading must not fail; training says so.
        return {}


def _epoch_observation(row: Mapping[str, float]) -> dg.AssetObservation:
    """Show an epoch's figures on the asset's page while training goes on."""
    names = {"recall_at_20": "validation recall@20", "events_per_second": "events/s"}
    return dg.AssetObservation(
        asset_key=model_key(MAIN_MODEL),
        description=f"epoch {row['epoch']:.0f}",
        metadata={names.get(name, name): value for name, value in row.items()},
    )


def _gru4rec(*, reads_content: bool) -> dg.AssetsDefinition:
    """Make the asset of GRU4Rec, downstream of embeddings and catalogue if it reads them."""

    @dg.asset(
        key=model_key(MAIN_MODEL),
        deps=[SEQUENCES_KEY, *([EMBEDDINGS_KEY, ITEMS_KEY] if reads_content else [])],
        group_name="models",
        kinds={"pytorch"},
        owners=["team:ml"],
        code_version="2",
        pool="training",
        automation_condition=after_upstream(),
        description=(
            "GRU4Rec, a recurrent network over the items of a session. Early stopping looks at "
            "Recall@20 on validation only."
        ),
    )
    @reports_errors
    @stored(
        reads=[SESSIONS, TUNING, CHAMPION, *([EMBEDDINGS, WAREHOUSE] if reads_content else [])],
        writes=[bundles(MAIN_MODEL)],
    )
    def gru4rec(
        context: dg.AssetExecutionContext,
        config: TrainingConfig,
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        """Train the network; go on where a training that was broken off left."""
        from crossrec_pipeline.evaluation.charts import training_curves
        from crossrec_pipeline.rendering import png_markdown

        training = config.over(settings.training)
        dataset = SessionDataset.open(settings.sessions_dir)
        if training.processes == training.nodes == 1:
            bundle = _train_here(context, dataset, settings, training)
        else:
            bundle = _train_in_processes(context, dataset, settings, training)
        return dg.MaterializeResult(
            metadata={
                **_publish(bundle, dataset, settings),
                "preset": training.preset,
                "content": ", ".join(training.content) or "none",
                "loss and validation recall": dg.MetadataValue.md(
                    png_markdown(training_curves(bundle.manifest["training"]["history"]))
                ),
            },
            data_version=dg.DataVersion(bundle.data_version),
        )

    return gru4rec


gru4rec = _gru4rec(reads_content=False)


def _train_here(
    context: dg.AssetExecutionContext,
    dataset: SessionDataset,
    settings: Settings,
    training: TrainingSettings,
) -> Bundle:
    """Train in this process; each epoch is observed when it is done."""
    from crossrec_pipeline.models.gru4rec.model import GRU4Rec
    from crossrec_pipeline.models.gru4rec.stored_checkpoints import checkpoints_in

    content, inputs = item_content(settings, dataset.vocabulary, training.content)
    model = GRU4Rec(gru4rec_config(settings, training), content=content)
    checkpoints = checkpoints_in(
        settings.checkpoints_dir / MAIN_MODEL, training.checkpoint_minutes, settings.store
    )
    report = model.fit(
        dataset.train,
        dataset.vocabulary,
        dataset.validation,
        context.log.info,
        checkpoints=checkpoints,
        on_epoch=lambda row: context.log_event(_epoch_observation(row)),
    )
    bundle = _save(model, report, dataset, settings, training.seed, inputs)
    checkpoints.remove()
    return bundle


def _train_in_processes(
    context: dg.AssetExecutionContext,
    dataset: SessionDataset,
    settings: Settings,
    training: TrainingSettings,
) -> Bundle:
    """Let torchrun train; its lines are logged as they come, epochs are observed at the end."""
    config = gru4rec_config(settings, training)
    checkpoints_dir = settings.checkpoints_dir / MAIN_MODEL
    content, inputs = item_content(settings, dataset.vocabulary, training.content)
    content_path = None
    if content is not None:
        content_path = settings.checkpoints_dir / "item_content.safetensors"
        content.save(content_path)
    bundle = train_in_processes(
        context, config, settings, training, checkpoints_dir, content_path, inputs
    )
    for row in bundle.manifest["training"]["history"]:
        context.log_event(_epoch_observation(row))
    return bundle


@dg.asset(
    key=model_key(HYBRID),
    deps=[*(model_key(kind) for kind in HYBRID_MEMBERS), SEQUENCES_KEY, ITEMS_KEY, ITEM_LINKS_KEY],
    group_name="models",
    kinds={"lightgbm"},
    owners=["team:ml"],
    code_version="3",
    pool=DUCKDB_POOL,
    # These are read, and their changes come back through the members.
    automation_condition=with_upstream(
        ignoring=dg.AssetSelection.assets(ITEMS_KEY, ITEM_LINKS_KEY, SEQUENCES_KEY)
    ),
    description=(
        f"{', '.join(HYBRID_MEMBERS)}, blended by weights for each type of item; trees rank the "
        "best of the blend again, if validation says that they should."
    ),
)
@reports_errors
@stored(
    reads=[SESSIONS, WAREHOUSE, CHAMPION, *map(bundles, HYBRID_MEMBERS)],
    writes=[bundles(HYBRID)],
)
def hybrid(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: Warehouse
) -> dg.MaterializeResult:
    """Learn from validation how to put the members together."""
    from crossrec_pipeline.models.hybrid.attributes import ItemAttributes
    from crossrec_pipeline.models.hybrid.model import Hybrid

    dataset = SessionDataset.open(settings.sessions_dir)
    bundles = {kind: require_bundle(settings, kind) for kind in HYBRID_MEMBERS}
    members = {kind: load_bundle(bundle.path).model for kind, bundle in bundles.items()}
    attributes = ItemAttributes.from_catalogue(
        warehouse.read("catalogue.items"), dataset.vocabulary, warehouse.read(ITEM_LINKS_TABLE)
    )
    model = Hybrid(members, attributes)
    began = time.perf_counter()
    report = model.fit(dataset.train, dataset.vocabulary, dataset.validation, context.log.info)
    seconds = round(time.perf_counter() - began, 3)
    bundle = _save(
        model,
        _with_seconds(report, seconds),
        dataset,
        settings,
        inputs={f"models/{kind}": bundle.data_version for kind, bundle in bundles.items()},
    )
    return dg.MaterializeResult(
        metadata=_publish(bundle, dataset, settings),
        data_version=dg.DataVersion(bundle.data_version),
    )
