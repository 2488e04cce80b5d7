"""What types of events and time gaps bring GRU4Rec, beside item ids alone.

    python benchmarks/event_inputs.py --logs simulated planted

`simulated` is the sample's log, in which types and times are drawn apart from items: there is
nothing to find, and what is found is the harm. In `planted` an event is called after the item type
of the next one, nine times out of ten; else its type is drawn: types tell something, gaps nothing.
Figures, seeds, intervals and adjusted p-values are those of `content.py`. Rows named `by ids` are
of the same models, asked by item ids alone, as the service asks them.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from content import Trained, ablation, print_ablation
from content_logs import simulated
from content_variants import BASE

from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.evaluation.ranking import rank_predictions
from crossrec_pipeline.models.gru4rec.config import preset
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.sessions.store import PARTS, SessionDataset, SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline.settings import SessionSettings

VARIANTS: dict[str, dict[str, Any]] = {
    BASE: {},
    "+ event type": {"event_inputs": ("event_type",)},
    "+ gap": {"event_inputs": ("gap",)},
    "+ both": {"event_inputs": ("event_type", "gap")},
}
BY_IDS = ", by ids"
TELLS = 0.9
"""Share of the planted types that say what comes."""


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    logs = ["simulated", "planted"]
    options.add_argument("--logs", nargs="+", choices=logs, default=logs, metavar="LOG")
    options.add_argument("--events", type=int, default=80_000, help="of the simulated log")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--epochs", type=int, help="at most; the preset's by default")
    options.add_argument("--json", type=Path, help="write all figures there")
    given = options.parse_args()

    sessions = SessionSettings(event_inputs=True)
    dataset = simulated("none", given.events, sessions=sessions).dataset
    everything = {}
    for name in given.logs:
        of_log = dataset if name == "simulated" else planted(dataset)
        everything[name] = measure(name, of_log, given)
    if given.json is not None:
        given.json.write_text(json.dumps(everything, indent=1) + "\n")


def measure(name: str, dataset: SessionDataset, given: argparse.Namespace) -> list[dict[str, Any]]:
    """Print and return everything that is measured on one log."""
    print(f"\n{name}: {dataset.train.n_predictions:,} predictions to learn from,", end=" ")
    print(f"{dataset.test.n_predictions:,} of test, {dataset.vocabulary.n_items:,} items")
    trained: dict[str, Trained] = {}
    for variant, changes in VARIANTS.items():
        models = train(dataset, changes, given)
        trained[variant] = ranked(models, dataset, with_event_inputs=True)
        if changes:
            trained[variant + BY_IDS] = ranked(models, dataset, with_event_inputs=False)
    frame = rank_predictions(trained[BASE].models[0], dataset.test, dataset.vocabulary)
    rows = list(ablation(trained, frame))
    print_ablation(rows, trained)
    return [asdict(row) for row in rows]


def train(
    dataset: SessionDataset, changes: Mapping[str, Any], given: argparse.Namespace
) -> list[GRU4Rec]:
    """Train a row with every seed."""
    epochs = {} if given.epochs is None else {"epochs": given.epochs}
    models, began = [], time.perf_counter()
    for seed in range(given.seeds):
        config = preset("default", **{**changes, **epochs, "seed": seed, "device": "cpu"})
        models.append(GRU4Rec(config, progress_bar=False))
        models[-1].fit(dataset.train, dataset.vocabulary, dataset.validation)
    seconds = time.perf_counter() - began
    print(f"  trained {dict(changes)} in {seconds:.0f} s", file=sys.stderr)
    return models


def ranked(models: list[GRU4Rec], dataset: SessionDataset, *, with_event_inputs: bool) -> Trained:
    """Rank the predictions of test by every model."""
    frames = [
        rank_predictions(
            model, dataset.test, dataset.vocabulary, with_event_inputs=with_event_inputs
        )
        for model in models
    ]
    ranks, within = (
        np.stack([frame[column].to_numpy() for frame in frames])
        for column in ("rank", "rank_within_type")
    )
    return Trained(models, ranks, within)


def planted(dataset: SessionDataset) -> SessionDataset:
    """Let the type of an event tell, mostly, of which item type the next one is."""
    parts = {
        part: _with_planted_types(getattr(dataset, part), dataset.vocabulary, seed)
        for seed, part in enumerate(PARTS)
    }
    return SessionDataset(**parts, vocabulary=dataset.vocabulary)


def _with_planted_types(store: SessionStore, vocabulary: Vocabulary, seed: int) -> SessionStore:
    assert store.events is not None
    rng = np.random.default_rng(seed)
    names = tuple(vocabulary.types)
    drawn = rng.integers(0, len(names), store.n_events, dtype=np.uint8)
    types = vocabulary.type_codes[store.item_index]
    session = np.repeat(np.arange(store.n_sessions), store.lengths)
    tells = (rng.random(store.n_events - 1) < TELLS) & (np.diff(session) == 0)
    drawn[:-1][tells] = types[1:][tells]
    return replace(store, events=replace(store.events, event_type=drawn + 1, names=names))


if __name__ == "__main__":
    try:
        main()
    except CrossrecError as error:
        sys.exit(f"error: {error}")
