"""The sources outside: external assets whose data version a sensor reports when content changes."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import dagster as dg

from crossrec_pipeline.catalogue import load as catalogue_load
from crossrec_pipeline.digests import json_digest
from crossrec_pipeline.domains import DomainSpec, load_domains
from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.interactions import load as events_load
from crossrec_pipeline.interactions.deliveries import (
    is_growing,
    location_fingerprint,
    shown_location,
)
from crossrec_pipeline.interactions.deliveries.location import is_database
from crossrec_pipeline.settings import Settings
from crossrec_pipeline.storage.local_copy import remote_fingerprint
from crossrec_pipeline.storage.location import is_url

EVENTS_SOURCE = dg.AssetKey(["sources", "events"])
SIMULATED = ("simulated", "uniform")


@dataclass(frozen=True)
class Source:
    """Something outside the pipeline whose content is watched.

    Attributes
    ----------
    fingerprint
        Cheap look (names, times, sizes); equal fingerprints mean equal content.
    version
        Content version; reads everything, but of a log that grows.
    """

    key: dg.AssetKey
    location: str
    fingerprint: Callable[[], str]
    version: Callable[[], str]


def source_key(domain: str) -> dg.AssetKey:
    """Return the key of a domain's source."""
    return dg.AssetKey(["sources", domain])


def watched_sources(settings: Settings) -> list[Source]:
    """List every source the settings name, with how to look at it."""
    return [
        *(_catalogue_source(spec, settings) for spec in load_domains(settings.domains)),
        _events_source(settings),
    ]


def _catalogue_source(spec: DomainSpec, settings: Settings) -> Source:
    reader = catalogue_load.SourceReader.from_settings(settings)
    location = settings.source(spec.name)
    return Source(
        source_key(spec.name),
        location,
        lambda: reader.fingerprint(spec, location),
        lambda: reader.version(spec, location),
    )


def _events_source(settings: Settings) -> Source:
    location = settings.events
    if location in SIMULATED:
        version = json_digest([location, settings.simulation.model_dump()])
        return Source(EVENTS_SOURCE, location, lambda: version, lambda: version)
    if is_growing(location):
        # What was delivered is known once it is read, which is the work of interactions/deliveries.
        def look() -> str:
            return location_fingerprint(location, settings.log, settings.event_columns)

        return Source(EVENTS_SOURCE, shown_location(location), look, look)
    if is_url(location):
        # The listing says which content there is; nothing is read.
        return Source(
            EVENTS_SOURCE,
            location,
            lambda: remote_fingerprint(location),
            lambda: remote_fingerprint(location),
        )
    return Source(
        EVENTS_SOURCE,
        location,
        lambda: events_load.log_fingerprint(location),
        lambda: events_load.log_version(location),
    )


def delivered_sources(settings: Settings) -> list[dg.AssetKey]:
    """List the sources that somebody delivers: neither the embedded sample nor simulated."""
    return [
        source_key(spec.name)
        for spec in load_domains(settings.domains)
        if settings.source(spec.name) != "sample"
    ] + ([] if settings.events in SIMULATED else [EVENTS_SOURCE])


def source_specs(settings: Settings) -> list[dg.AssetSpec]:
    """Declare the sources as external assets."""
    window = timedelta(days=settings.quality.fresh_within_days)
    delivered = delivered_sources(settings)

    def policy(key: dg.AssetKey) -> dg.FreshnessPolicy | None:
        # The embedded sample never changes: only deliveries can be late.
        return dg.FreshnessPolicy.time_window(fail_window=window) if key in delivered else None

    specs = [
        dg.AssetSpec(
            source_key(spec.name),
            group_name="sources",
            owners=["team:data"],
            kinds={"huggingface" if settings.source(spec.name).startswith("hub") else "csv"},
            description=(
                f"The {spec.name} catalogue as delivered, outside the pipeline. Watched by the "
                "sensor `watch_sources`; its data version is the hash of its content."
            ),
            metadata={
                "location": settings.source(spec.name),
                "hub data set": spec.hub_id or "none",
            },
            freshness_policy=policy(source_key(spec.name)),
        )
        for spec in load_domains(settings.domains)
    ]
    simulated = settings.events in SIMULATED
    events = dg.AssetSpec(
        EVENTS_SOURCE,
        group_name="sources",
        owners=["team:data"],
        kinds={"python" if simulated else "postgres" if is_database(settings.events) else "file"},
        description="The interaction log as delivered, or the settings of the simulated one.",
        metadata={"location": shown_location(settings.events)},
        freshness_policy=policy(EVENTS_SOURCE),
    )
    return [*specs, events]


def known_version(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    """Return the data version last reported for a source, if any."""
    event = instance.get_latest_materialization_event(key)
    if event is None or event.asset_materialization is None:
        return None
    return (event.asset_materialization.tags or {}).get("dagster/data_version")


def version_report(source: Source, version: str) -> dg.AssetMaterialization:
    """Say that a source now has this content.

    A materialization, not an observation: automation conditions ignore observations of an
    external asset.
    """
    return dg.AssetMaterialization(
        asset_key=source.key,
        description=f"content {version}",
        metadata={"location": source.location},
        tags={"dagster/data_version": version},
    )


def report_sources(settings: Settings, instance: dg.DagsterInstance) -> list[dg.AssetKey]:
    """Look at every source now and report those whose content is new.

    Raises
    ------
    CrossrecError
        If a source cannot be read.
    """
    changed = []
    for source in watched_sources(settings):
        version = source.version()
        if known_version(instance, source.key) != version:
            instance.report_runless_asset_event(version_report(source, version))
            changed.append(source.key)
    return changed


def watch_sensor(settings: Settings) -> dg.SensorDefinition:
    """Make the sensor that watches the sources; it needs no run to look at them."""

    @dg.sensor(
        name="watch_sources",
        minimum_interval_seconds=settings.poll_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Looks at every source: first at names, times and sizes, then, if these moved, at the "
            "content. Reports a new data version only when the content is new."
        ),
    )
    def watch_sources(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        seen: dict[str, list[str]] = json.loads(context.cursor or "{}")
        events: list[dg.AssetMaterialization] = []
        problems: list[str] = []
        for source in watched_sources(settings):
            name = source.key.to_user_string()
            try:
                fingerprint = source.fingerprint()
                known_fingerprint, version = seen.get(name, ["", ""])
                if fingerprint != known_fingerprint:
                    version = source.version()
                seen[name] = [fingerprint, version]
            except CrossrecError as error:
                # One unreadable source must not hide the changes of the others.
                problems.append(f"{name}: {error}")
                continue
            if known_version(context.instance, source.key) != version:
                events.append(version_report(source, version))
        for problem in problems:
            context.log.error(problem)
        cursor = json.dumps(seen, sort_keys=True)
        if events:
            return dg.SensorResult(asset_events=events, cursor=cursor)
        context.update_cursor(cursor)
        looked = time.strftime("%H:%M:%S")
        return dg.SkipReason("; ".join(problems) or f"no source changed (looked at {looked})")

    return watch_sources
