"""The search for GRU4Rec's configuration: started by a person, never by a change."""

import dagster as dg

from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.metadata import markdown_table
from crossrec_pipeline.defs.models import gru4rec_config, item_content
from crossrec_pipeline.defs.sessions import SEQUENCES_KEY
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.digests import json_digest
from crossrec_pipeline.outputs import EMBEDDINGS, SESSIONS, TUNING, WAREHOUSE
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings

TUNED_KEY = dg.AssetKey(["models", "tuned_configuration"])

TUNED = dg.AssetSpec(
    TUNED_KEY,
    deps=[SEQUENCES_KEY],
    group_name="models",
    kinds={"json"},
    owners=["team:ml"],
    description=(
        "What the last search found best on validation, with its trials. Made by the job "
        "`tune_gru4rec` or `crossrec tune`; used where CROSSREC_TRAINING__PRESET is `tuned`."
    ),
)


class TuningConfig(dg.Config):
    """How much to search."""

    trials: int = 20


@dg.op(pool="training")
@reports_errors
@stored(reads=[SESSIONS, WAREHOUSE, EMBEDDINGS], writes=[TUNING])
def search_configuration(
    context: dg.OpExecutionContext, config: TuningConfig, settings: dg.ResourceParam[Settings]
) -> None:
    """Train and judge one configuration after the other; report the best one."""
    from crossrec_pipeline.evaluation.charts import trials_chart
    from crossrec_pipeline.models.gru4rec.tuning import tune
    from crossrec_pipeline.rendering import png_markdown

    base = gru4rec_config(
        settings, settings.training.model_copy(update={"preset": _base(settings)})
    )
    dataset = SessionDataset.open(settings.sessions_dir)
    content, _ = item_content(settings, dataset.vocabulary, base.content)
    tuned = tune(
        dataset, base, config.trials, settings.tuning_dir, context.log.info, content=content
    )
    context.log_event(
        dg.AssetMaterialization(
            TUNED_KEY,
            metadata={
                "best": dg.MetadataValue.json(tuned.overrides),
                "validation recall@20": tuned.validation_recall,
                "trials": dg.MetadataValue.md(markdown_table(tuned.trials)),
                "recall by trial": dg.MetadataValue.md(png_markdown(trials_chart(tuned.trials))),
                "path": dg.MetadataValue.path(settings.tuning_dir / "best.json"),
            },
            tags={"dagster/data_version": json_digest(tuned.overrides)},
        )
    )


def _base(settings: Settings) -> str:
    """Name the preset that is varied: never what an earlier search found."""
    return "default" if settings.training.preset == "tuned" else settings.training.preset


@dg.job(
    name="tune_gru4rec",
    description="Searches for GRU4Rec's configuration on validation; goes on if broken off.",
)
def tune_gru4rec() -> None:
    """Run the search."""
    search_configuration()
