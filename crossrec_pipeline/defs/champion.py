"""The gate between a newly trained model and the pointer to the champion."""

from datetime import UTC, datetime

import dagster as dg
import polars as pl

from crossrec_pipeline.defs.automation import with_upstream
from crossrec_pipeline.defs.evaluation import ranked_bundles, ranks_path
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.leaks import leak_findings, log_items
from crossrec_pipeline.defs.metadata import markdown_table
from crossrec_pipeline.defs.models import (
    CHAMPION_KEY,
    HYBRID,
    HYBRID_MEMBERS,
    REPORT_KEY,
    RIVALS,
    model_key,
    model_kinds,
    require_bundle,
)
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.errors import BundleError, EvaluationError, SettingsError
from crossrec_pipeline.evaluation.gate import (
    CUTOFF,
    Rival,
    champion_ranks,
    judge_latency,
    judge_leaks,
    judge_overall,
    judge_size,
    judge_types,
)
from crossrec_pipeline.models.promotions import read_champion, read_promotions, taken_down
from crossrec_pipeline.models.registry import (
    Bundle,
    LoadedBundle,
    champion_path,
    load_bundle,
    open_bundle,
    promote,
    standby,
)
from crossrec_pipeline.models.verdict import (
    VERDICT_COLUMNS,
    Condition,
    Verdict,
    read_verdict,
    verdict_rows,
    write_verdict,
)
from crossrec_pipeline.outputs import ALL_BUNDLES, EVENTS, RANKS, SESSIONS, bundles
from crossrec_pipeline.outputs import CHAMPION as CHAMPION_OUTPUT
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings

FLOOR = "popularity"
"""What every model must beat, and what is served where the first challenger does not."""

CHAMPION = "the champion"
GATE_CHECK = "promotion_gate"


def challenger_kind(settings: Settings) -> str:
    """Return the kind of model that is served.

    Raises
    ------
    SettingsError
        If no asset trains such a model.
    """
    kind, trained = settings.gate.challenger, model_kinds(settings)
    if kind not in trained:
        needed = [kind for kind in HYBRID_MEMBERS if kind in RIVALS]
        raise SettingsError(
            f"CROSSREC_GATE__CHALLENGER={kind!r} is no model that is trained; expected one of "
            f"{', '.join(trained)}. Which are trained is set by CROSSREC_EVALUATION__RIVALS; "
            f"the {HYBRID} is, where {' and '.join(needed)} are."
        )
    return kind


def champion_asset(settings: Settings) -> dg.AssetsDefinition:
    """Make the asset that judges the newest bundle of the challenger's kind."""

    @dg.asset(
        key=CHAMPION_KEY,
        deps=[REPORT_KEY, model_key(challenger_kind(settings))],
        group_name="models",
        kinds={"json"},
        owners=["team:ml"],
        code_version="2",
        automation_condition=with_upstream(),
        description=(
            "The served model. The newest evaluated bundle takes the champion's place if it is "
            "not significantly worse on the same test sessions, and passes the other conditions "
            "of the gate; else the champion stays."
        ),
    )
    @reports_errors
    @stored(
        reads=[SESSIONS, EVENTS, RANKS, *ALL_BUNDLES],
        writes=[bundles(challenger_kind(settings)), CHAMPION_OUTPUT],
    )
    def champion(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> dg.MaterializeResult:
        challenger = require_bundle(settings, challenger_kind(settings))
        verdict = _judge(challenger, _served(settings), settings)
        write_verdict(challenger.path, verdict)
        context.log.info(f"{challenger.name} {verdict.reason}")
        if verdict.promoted and verdict.champion != challenger.name:
            promote(settings.models_dir, challenger, reason=verdict.reason)
        elif not verdict.promoted and verdict.champion is None:
            _promote_stand_in(challenger, settings)
        now = read_champion(settings.models_dir)
        assert now is not None
        return dg.MaterializeResult(
            metadata={
                "bundle": dg.MetadataValue.path(settings.models_dir / now.kind / now.version),
                "reason": now.reason,
                "challenger": challenger.name,
                "verdict": verdict.reason,
                "conditions": _table(verdict),
            },
            data_version=dg.DataVersion(now.data_version),
        )

    return champion


@dg.asset_check(
    asset=CHAMPION_KEY,
    name=GATE_CHECK,
    description="The newest bundle of the challenger's kind passed the gate and is served.",
)
@reports_errors
@stored(reads=[CHAMPION_OUTPUT, *ALL_BUNDLES])
def gate_check(settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """Show the verdict on the newest bundle; a refusal warns: the champion goes on serving."""
    challenger = require_bundle(settings, challenger_kind(settings))
    verdict = read_verdict(challenger.path)
    served = read_champion(settings.models_dir)
    if verdict is None or served is None:
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{challenger.name} was not judged yet: materialise models/champion.",
        )
    is_served = served.name == challenger.name
    return dg.AssetCheckResult(
        passed=is_served and verdict.promoted,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"{challenger.name} {verdict.reason}. {served.name} is served: {served.reason}"
        ),
        metadata={
            "served": served.name,
            "challenger": challenger.name,
            "conditions": _table(verdict),
        },
    )


def _served(settings: Settings) -> LoadedBundle | str:
    """Load the champion, or say why there is none to compare with."""
    try:
        path = champion_path(settings.models_dir)
        return load_bundle(path) if path else "there is no champion yet"
    except BundleError as error:
        return str(error)


def _judge(challenger: Bundle, served: LoadedBundle | str, settings: Settings) -> Verdict:
    """Judge a bundle by the ranks of the last evaluation, which must be its own."""
    _require_ranks_of(challenger, settings)
    dataset = SessionDataset.open(settings.sessions_dir)
    loaded = load_bundle(challenger.path)
    ranks = pl.read_parquet(ranks_path(settings, challenger.kind))
    floor = pl.read_parquet(ranks_path(settings, FLOOR))["rank"].to_numpy()
    gate = settings.gate
    conditions = [
        *judge_leaks(leak_findings(settings), loaded, dataset.test, log_items(settings)),
        *judge_overall(ranks, Rival(FLOOR, floor), gate),
        judge_size(challenger, gate),
        judge_latency(loaded.model, dataset.test, gate),
        _judge_people(challenger, settings),
    ]
    if isinstance(served, str):
        conditions.append(_not_compared(served))
    elif served.bundle.data_version == challenger.data_version:
        conditions.append(_not_compared("it is the same model"))
    else:
        theirs = champion_ranks(served, dataset.test, dataset.vocabulary)
        rival = Rival(CHAMPION, theirs)
        conditions += [*judge_overall(ranks, rival, gate), *judge_types(ranks, rival, gate)]
    return Verdict(
        challenger=challenger.name,
        champion=None if isinstance(served, str) else served.bundle.name,
        promoted=all(condition.passed for condition in conditions),
        judged_at=datetime.now(UTC).isoformat(),
        recall_at_20=float((ranks["rank"] <= CUTOFF).sum() / ranks.height),
        conditions=tuple(conditions),
    )


def _not_compared(why: str) -> Condition:
    return Condition(f"ranks against {CHAMPION}", None, None, True, f"not judged: {why}")


def _require_ranks_of(challenger: Bundle, settings: Settings) -> None:
    ranked = ranked_bundles(settings)
    for kind in (challenger.kind, FLOOR):
        newest = require_bundle(settings, kind).data_version
        if ranked.get(kind) != newest:
            raise EvaluationError(
                f"evaluation/ranks has ranks of another {kind} ({ranked.get(kind, 'none')}) than "
                f"the newest bundle ({newest}). Materialise evaluation/ranks first."
            )


def _judge_people(challenger: Bundle, settings: Settings) -> Condition:
    """Ask whether a person took this very model down; it is back only by hand."""
    down = taken_down(read_promotions(settings.models_dir)).get(challenger.data_version)
    note = "" if down is None else f"{down.by} to {down.name} at {down.promoted_at}: {down.reason}"
    return Condition("not taken down by a person", None, None, down is None, note)


def _promote_stand_in(challenger: Bundle, settings: Settings) -> None:
    """Serve the best that is left where nothing is served and the challenger was refused."""
    stand_in = standby(settings.models_dir) or require_bundle(settings, FLOOR)
    reason = f"stands in: nothing whole is served, and {challenger.name} was refused"
    promote(settings.models_dir, open_bundle(stand_in.path), reason=reason)


def _table(verdict: Verdict) -> dg.MarkdownMetadataValue:
    rows = verdict_rows(verdict.conditions)
    return dg.MetadataValue.md(
        markdown_table(pl.DataFrame(rows, schema=list(VERDICT_COLUMNS), orient="row"))
    )
