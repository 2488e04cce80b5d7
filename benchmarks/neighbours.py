"""How well session neighbours rank what came next in a log, and how fast they list.

    python benchmarks/neighbours.py --train FILE --test FILE [--kinds vstan ...]
    python benchmarks/neighbours.py --train FILE --validation-share 0.1 --kinds stan --set k=100

FILE, what is dropped from it and what is ranked are as in `gru4rec.py`. To choose options, leave
test alone: ``--validation-share 0.1`` ranks the last tenth of train's sessions instead, and learns
from the rest. Listing is timed on one core, after a first block that compiles.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from click_logs import ClickSplit, hold_out_last, read_clicks, to_store, to_vocabulary

from crossrec_pipeline.errors import CrossrecError, SettingsError
from crossrec_pipeline.evaluation.metrics import mrr, recall
from crossrec_pipeline.evaluation.metrics.relevant import Relevant
from crossrec_pipeline.evaluation.ranking import target_ranks
from crossrec_pipeline.models.neighbours.model import SessionNeighbours
from crossrec_pipeline.models.neighbours.sknn import SKNN
from crossrec_pipeline.models.neighbours.stan import STAN
from crossrec_pipeline.models.neighbours.vmis import VMIS
from crossrec_pipeline.models.neighbours.vsknn import VSKNN
from crossrec_pipeline.models.neighbours.vstan import VSTAN
from crossrec_pipeline.sessions.store import SessionStore

KINDS: dict[str, type[SessionNeighbours]] = {
    model.kind: model for model in (SKNN, VSKNN, VMIS, STAN, VSTAN)
}
CUTOFF = 20


def main() -> None:
    options = _parser()
    given = options.parse_args()
    if (given.test is None) == (given.validation_share is None):
        options.error("give either --test FILE or --validation-share SHARE")
    try:
        run(given)
    except CrossrecError as error:
        sys.exit(f"error: {error}")


def run(given: argparse.Namespace) -> None:
    """Learn and rank with each kind."""
    settings = _options(given.set)
    models = [KINDS[kind](KINDS[kind].config_type(**settings)) for kind in given.kinds]
    train_clicks = read_clicks(given.train)
    if given.test is None:
        train_clicks, ranked_clicks = hold_out_last(train_clicks, given.validation_share)
    else:
        ranked_clicks = read_clicks(given.test)
    split = ClickSplit.of_files(train_clicks, ranked_clicks, min_support=1)
    vocabulary = to_vocabulary(split.train)
    train, ranked = to_store(split.train, vocabulary), to_store(split.ranked, vocabulary)
    print(f"{train.n_sessions:,} sessions, {ranked.n_predictions:,} predictions")
    for model in models:
        model.fit(train, vocabulary)
        seconds = _seconds_of_listing(model, ranked)
        ranks = target_ranks(model, ranked, vocabulary)
        relevant = Relevant(ranks, np.arange(len(ranks) + 1))
        print(
            f"{model.kind:<8}Recall@{CUTOFF} {recall.calc(relevant, CUTOFF):.4f}  "
            f"MRR@{CUTOFF} {mrr.calc(relevant, CUTOFF):.4f}  "
            f"{ranked.n_predictions / seconds:>9,.0f} lists/s  {model.config()}",
            flush=True,
        )


def _seconds_of_listing(model: SessionNeighbours, ranked: SessionStore) -> float:
    next(model.position_lists(ranked))
    start = time.perf_counter()
    for _ in model.position_lists(ranked):
        pass
    return time.perf_counter() - start


def _options(settings: Sequence[str]) -> dict[str, Any]:
    for setting in settings:
        if "=" not in setting:
            raise SettingsError(f"{setting!r} is not OPTION=VALUE, such as k=100.")
    pairs = (setting.split("=", 1) for setting in settings)
    return {name: _number(value) for name, value in pairs}


def _number(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--train", type=Path, required=True, metavar="FILE", help="clicks to learn from")
    add("--test", type=Path, metavar="FILE", help="clicks to rank")
    add("--validation-share", type=float, metavar="SHARE", help="rank the last sessions of train")
    add("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS), help="all by default")
    add("--set", action="append", default=[], metavar="OPTION=VALUE", help="of all these kinds")
    return options


if __name__ == "__main__":
    main()
