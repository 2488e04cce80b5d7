"""The one place where Dagster's pieces meet."""

from datetime import timedelta

import dagster as dg

from crossrec_pipeline.content.enrichment import PROMPT_VERSION
from crossrec_pipeline.defs import (
    automation,
    catalogue,
    champion,
    checks,
    content,
    controls,
    day_sensor,
    days,
    deliveries,
    enrichments,
    evaluation,
    exploration,
    interactions,
    links,
    models,
    schedules,
    serving,
    sessions,
    sources,
    tuning,
)
from crossrec_pipeline.digests import json_digest
from crossrec_pipeline.domains import load_domains
from crossrec_pipeline.interactions.deliveries import is_growing
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.settings import SessionSettings, Settings, load_settings

MODEL_FRESH_FOR = timedelta(days=31)


def build_definitions(settings: Settings) -> dg.Definitions:
    """Put assets, checks, sensors, schedules and resources together for one set of settings.

    Raises
    ------
    SettingsError
        If a domain cannot be found, or the challenger is no model that is trained.
    """
    domains = load_domains(settings.domains)
    defs = dg.Definitions(
        assets=[
            *sources.source_specs(settings),
            *(catalogue.raw_asset(spec) for spec in domains),
            catalogue.staged_asset(domains),
            catalogue.publish_catalogue,
            *(
                [enrichments.enrichments, content.embeddings_of_enriched]
                if settings.enrichment.is_on
                else [content.embeddings]
            ),
            links.item_links,
            *_log_assets(settings),
            *models.model_assets(settings),
            evaluation.ranks_asset(settings),
            evaluation.report,
            champion.champion_asset(settings),
            serving.export,
            exploration.charts,
            tuning.TUNED,
            controls.CONTROLS_SPEC,
        ],
        asset_checks=[
            *checks.all_checks(settings),
            *([enrichments.coverage_check] if settings.enrichment.is_on else []),
            links.links_reviewed,
            champion.gate_check,
            serving.replay_check,
        ],
        sensors=[
            sources.watch_sensor(settings),
            automation.automation_sensor(),
            automation.log_failed_runs,
            *([day_sensor.day_sensor(settings)] if is_growing(settings.events) else []),
        ],
        jobs=[
            *schedules.data_jobs(settings),
            *([enrichments.enrich_job()] if settings.enrichment.is_on else []),
            tuning.tune_gru4rec,
            controls.run_controls,
        ],
        schedules=[
            schedules.DAILY_AUDIT,
            controls.WEEKLY_CONTROLS,
            *([enrichments.NIGHTLY_ENRICHMENT] if settings.enrichment.is_on else []),
        ],
        resources={
            "settings": settings,
            "warehouse": Warehouse(path=str(settings.warehouse_path)),
        },
        executor=dg.multiprocess_executor.configured({"max_concurrent": 2}),
    )
    return defs.map_asset_specs(func=lambda spec: _with_policy(spec, settings))


def _log_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """List what is made of the log: of one that grows, day by day."""
    if is_growing(settings.events):
        return [deliveries.deliveries, days.days_asset(settings), sessions.sequences_of_days]
    return [interactions.events, sessions.sequences]


def _with_policy(spec: dg.AssetSpec, settings: Settings) -> dg.AssetSpec:
    """Make the settings that shape an asset a part of its code version, and keep models fresh.

    Changing a setting then marks exactly what depends on it as changed, like changing its code.
    """
    domains = {spec.name: spec.digest for spec in load_domains(settings.domains)}
    shaping = {
        interactions.EVENTS_KEY: [settings.event_columns],
        days.BY_DAY_KEY: [settings.sessions.gap_minutes, *_if_asked(settings.sessions)],
        sessions.SEQUENCES_KEY: [settings.sessions, settings.split, settings.log.window_days],
        models.model_key(models.MAIN_MODEL): [settings.training, models.found_by_search(settings)],
        evaluation.RANKS_KEY: [models.model_kinds(settings)],
        models.CHAMPION_KEY: [settings.gate],
        serving.EXPORT_KEY: [settings.serving.new_item_boost],
        catalogue.STAGED_ITEMS: [domains],
        content.EMBEDDINGS_KEY: [settings.content],
        enrichments.ENRICHMENTS_KEY: [settings.enrichment.model, PROMPT_VERSION],
        links.ITEM_LINKS_KEY: [sorted(links.story_order(settings).items())],
        **{catalogue.raw_key(name): [digest] for name, digest in domains.items()},
    }.get(spec.key)
    if shaping is not None:
        digest = json_digest([str(section) for section in shaping])
        spec = spec.replace_attributes(code_version=f"{spec.code_version}-{digest[:8]}")
    if spec.key in (models.model_key(models.MAIN_MODEL), models.REPORT_KEY):
        policy = dg.FreshnessPolicy.time_window(fail_window=MODEL_FRESH_FOR)
        spec = spec.replace_attributes(freshness_policy=policy)
    return spec


def _if_asked(sessions: SessionSettings) -> list[str]:
    """Name what is kept of events besides their items, if anything."""
    return ["event inputs"] if sessions.event_inputs else []


@dg.definitions
def defs() -> dg.Definitions:
    """Load the project with the settings of the environment."""
    return build_definitions(load_settings())
