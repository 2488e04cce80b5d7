"""What the main model loses when something is taken from the sessions: started by a person."""

import json

import dagster as dg
import polars as pl

from crossrec_pipeline.defs.evaluation import RANKS_KEY, ranked_bundles, ranks_path
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.metadata import column_schema, markdown_table
from crossrec_pipeline.defs.models import (
    MAIN_MODEL,
    item_content,
    model_key,
    require_bundle,
)
from crossrec_pipeline.defs.sessions import SEQUENCES_KEY
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.digests import frame_digest
from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.controls.experiments import MainModel, Train
from crossrec_pipeline.evaluation.controls.run import CONTROLS_FILE, measure_controls
from crossrec_pipeline.evaluation.controls.table import CONTROLS
from crossrec_pipeline.models.base import Progress
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.registry import CONFIG
from crossrec_pipeline.outputs import CONTROLS as CONTROLS_OUTPUT
from crossrec_pipeline.outputs import EMBEDDINGS, RANKS, SESSIONS, WAREHOUSE, bundles
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline.settings import Settings

CONTROLS_KEY = dg.AssetKey(["evaluation", "controls"])

CONTROLS_SPEC = dg.AssetSpec(
    CONTROLS_KEY,
    deps=[SEQUENCES_KEY, model_key(MAIN_MODEL), RANKS_KEY],
    group_name="evaluation",
    kinds={"parquet"},
    owners=["team:ml"],
    description=(
        f"{MAIN_MODEL} trained again on sessions from which order, history, the link between "
        "domains, the other domains, or everything was taken, and from other seeds. Made by the "
        "job `run_controls` or `crossrec run --controls`; the report shows it when it is next made."
    ),
)


@dg.op(pool="training")
@reports_errors
@stored(
    reads=[SESSIONS, RANKS, WAREHOUSE, EMBEDDINGS, bundles(MAIN_MODEL)], writes=[CONTROLS_OUTPUT]
)
def train_controls(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> None:
    """Train and rank one control after the other; report the table."""
    dataset = SessionDataset.open(settings.sessions_dir)
    table = measure_controls(
        dataset,
        _main_model(settings, context.log.info),
        settings.controls.seeds,
        settings.evaluation_dir,
        context.log.info,
    )
    shown = table.rows.with_columns(pl.col(pl.Float64).round(4))
    context.log_event(
        dg.AssetMaterialization(
            CONTROLS_KEY,
            metadata={
                "dagster/row_count": table.rows.height,
                "dagster/column_schema": column_schema(CONTROLS),
                "controls": dg.MetadataValue.md(markdown_table(shown)),
                "sessions": table.sessions_digest,
                f"models/{MAIN_MODEL}": table.model_data_version,
                "path": dg.MetadataValue.path(settings.evaluation_dir / CONTROLS_FILE),
            },
            tags={"dagster/data_version": frame_digest(table.rows)},
        )
    )


def _main_model(settings: Settings, say: Progress) -> MainModel:
    """Take the newest bundle, its own configuration and its ranks.

    The settings may be others by now; what is compared must differ in the sessions alone.

    Raises
    ------
    EvaluationError
        If another bundle was ranked last.
    """
    bundle = require_bundle(settings, MAIN_MODEL)
    ranked = ranked_bundles(settings).get(MAIN_MODEL)
    if ranked != bundle.data_version:
        raise EvaluationError(
            f"evaluation/ranks has ranks of another {MAIN_MODEL} ({ranked or 'none'}) than the "
            f"newest bundle ({bundle.data_version}). Materialise evaluation/ranks first."
        )
    config = GRU4RecConfig(**json.loads((bundle.path / CONFIG).read_text()))
    return MainModel(
        MAIN_MODEL,
        bundle.data_version,
        config.seed,
        pl.read_parquet(ranks_path(settings, MAIN_MODEL)),
        _trainer(config, settings, say),
    )


def _trainer(config: GRU4RecConfig, settings: Settings, say: Progress) -> Train:
    """Train in this process; one that was broken off goes on from its checkpoint."""
    from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints
    from crossrec_pipeline.models.gru4rec.model import GRU4Rec

    checkpoints = Checkpoints(
        settings.checkpoints_dir / "controls", settings.training.checkpoint_minutes
    )

    def train(
        train: SessionStore, vocabulary: Vocabulary, validation: SessionStore, seed: int
    ) -> GRU4Rec:
        content, _ = item_content(settings, vocabulary, config.content)
        model = GRU4Rec(config.model_copy(update={"seed": seed}), content=content)
        model.fit(train, vocabulary, validation, say, checkpoints=checkpoints)
        checkpoints.remove()
        return model

    return train


@dg.job(
    name="run_controls",
    description="Trains what the main model is compared with; goes on if broken off.",
)
def run_controls() -> None:
    """Measure the controls."""
    train_controls()


WEEKLY_CONTROLS = dg.ScheduleDefinition(
    name="weekly_controls",
    job=run_controls,
    cron_schedule="0 5 * * 0",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description=(
        "Every Sunday: what is the main model made of? Off, since it trains it again and again."
    ),
)
