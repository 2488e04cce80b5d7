"""The settings and the built sessions and models go in; what the report says of them comes out."""

import json
import shlex

from crossrec_pipeline.defs.leaks import leak_findings
from crossrec_pipeline.defs.models import MAIN_MODEL, model_kinds, require_bundle
from crossrec_pipeline.defs.sessions import statistics_path
from crossrec_pipeline.evaluation.report import PartCounts, ReportContext
from crossrec_pipeline.evaluation.report.context import LeakVerdict
from crossrec_pipeline.interactions.deliveries import shown_location
from crossrec_pipeline.sessions.leaks import LEAKS
from crossrec_pipeline.sessions.store import PARTS, SessionDataset
from crossrec_pipeline.settings import Settings


def report_context(settings: Settings, dataset: SessionDataset) -> ReportContext:
    """Put together what is said of the sessions, the models and the settings."""
    counts = json.loads(statistics_path(settings).read_text())
    bundles = {kind: require_bundle(settings, kind) for kind in model_kinds(settings)}
    simulated = settings.events in ("simulated", "uniform")
    return ReportContext(
        title="Next-item recommendations across domains",
        main_model=MAIN_MODEL,
        events=f"{settings.events}, seed {settings.simulation.seed}"
        if simulated
        else shown_location(settings.events),
        n_items_by_type=dict(
            dataset.vocabulary.frame["item_type"].value_counts(sort=True, name="n").iter_rows()
        ),
        parts=[
            PartCounts(
                part,
                store.n_sessions,
                store.n_events,
                len(set(store.item_index.tolist())),
                counts["cold_events"].get(part, 0),
            )
            for part in PARTS
            if (store := getattr(dataset, part))
        ],
        validation_start=counts["validation_cut"],
        test_start=counts["test_cut"],
        data_versions={
            "sessions/sequences": dataset.digest,
            **{f"models/{kind}": bundle.data_version for kind, bundle in bundles.items()},
        },
        command=_command(settings),
        notes=_notes(settings),
        leak_audit=[
            LeakVerdict(found.name.replace("_", " "), found.passed, f"{LEAKS[found.name]} {found}")
            for found in leak_findings(settings)
        ],
        training=bundles[MAIN_MODEL].manifest["training"]["history"],
    )


def _command(settings: Settings) -> str:
    """Say how to get the figures again: the settings that are not the defaults, and the command."""
    usual = Settings.model_construct()
    sections = ("log", "simulation", "sessions", "split", "training")
    given = [
        f"CROSSREC_{section.upper()}__{name.upper()}={'null' if value is None else value}"
        for section in sections
        for name, value in getattr(settings, section)
        if value != getattr(getattr(usual, section), name)
    ]
    if settings.events != usual.events:
        given.insert(0, f"CROSSREC_EVENTS={shlex.quote(shown_location(settings.events))}")
    return " ".join([*given, "crossrec run"])


def _notes(settings: Settings) -> list[str]:
    sessions = settings.sessions
    notes = [
        f"A session ends after {sessions.gap_minutes:g} minutes without an event, unless the log "
        f"names its sessions; an item needs {sessions.min_support} events in train to be ranked."
    ]
    if settings.events == "uniform":
        notes.append(
            "Items were put into random sessions: there is nothing to learn, and a model that is "
            "further from chance than noise allows is measured wrongly."
        )
    return notes
