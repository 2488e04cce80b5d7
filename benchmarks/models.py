"""All models on one log: how well each ranks what came next, and which differences are real.

    python benchmarks/models.py --train FILE --test FILE [--models a,b,...] [--seed S] [--json OUT]
    python benchmarks/models.py --train FILE --test FILE --items FILE

FILE, what is dropped from it and what is ranked are as in `gru4rec.py`. Options of each model are
chosen on the last sessions of train (``--validation-share``), by NDCG@20, before test is looked at;
GRU4Rec's number of epochs likewise. The hybrid learns its weights and trees there too, from members
that were trained on the sessions before. Then every model is trained on all of train, and ranks
test once. Intervals are bootstraps over test sessions; differences are paired and adjusted by
Holm. ``--items`` names the items' types (Parquet or TSV with item_id, item_type): figures by type
and by transition then follow. EASE takes minutes and gigabytes at some 40,000 items: it runs if it
is named.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from click_logs import (
    ClickSplit,
    hold_out_last,
    read_clicks,
    read_item_types,
    to_store,
    to_vocabulary,
)
from model_options import HYBRID, HYBRID_MEMBERS, TRIED, Options, make

from crossrec_pipeline.errors import CrossrecError, SettingsError
from crossrec_pipeline.evaluation.metrics import ndcg
from crossrec_pipeline.evaluation.metrics.relevant import Relevant
from crossrec_pipeline.evaluation.ranking import rank_predictions, target_ranks
from crossrec_pipeline.evaluation.significance import compare_all
from crossrec_pipeline.evaluation.slices import evaluate
from crossrec_pipeline.models.base import Recommender
from crossrec_pipeline.models.hybrid.config import HybridConfig
from crossrec_pipeline.models.hybrid.model import Hybrid
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

CUTOFF = 20
MOST_EPOCHS = 12
DEFAULT = (*(name for name in TRIED if name != "ease"), HYBRID)


@dataclass(frozen=True)
class Log:
    """Sessions to learn from and to rank, over the items of the former."""

    train: SessionStore
    ranked: SessionStore
    vocabulary: Vocabulary


@dataclass(frozen=True)
class Chosen:
    """Options that were best on validation, the model that had them, and its NDCG@20 there."""

    options: Options
    model: Recommender
    ndcg: float


@dataclass(frozen=True)
class Result:
    """What came of a model on test; times in seconds of CPU."""

    ranks: pl.DataFrame
    options: Options
    fit_seconds: float
    rank_seconds: float


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--train", type=Path, required=True, metavar="FILE", help="clicks to learn from")
    add("--test", type=Path, required=True, metavar="FILE", help="clicks to rank")
    add("--items", type=Path, metavar="FILE", help="types of the items")
    add("--models", default=",".join(DEFAULT), metavar="A,B,...", help="all but ease by default")
    add("--validation-share", type=float, default=0.1, metavar="SHARE", help="of train's sessions")
    add("--seed", type=int, default=0, metavar="S", help="of GRU4Rec and the hybrid")
    add("--json", type=Path, metavar="OUT", help="write all figures there")
    given = options.parse_args()
    try:
        run(given)
    except CrossrecError as error:
        sys.exit(f"error: {error}")


def run(given: argparse.Namespace) -> None:
    """Choose on validation, then rank test with every model."""
    names = _names(given.models)
    if not 0 < given.validation_share < 1:
        raise SettingsError(f"--validation-share {given.validation_share} is not between 0 and 1.")
    types = None if given.items is None else read_item_types(given.items)
    train_clicks = read_clicks(given.train)
    whole = _log(train_clicks, read_clicks(given.test), types)
    cut = _log(*hold_out_last(train_clicks, given.validation_share), types)
    for name, log in (("validation", cut), ("test", whole)):
        print(
            f"{name:<11}{log.train.n_sessions:>9,} sessions to learn from "
            f"{log.ranked.n_predictions:>8,} predictions {log.vocabulary.n_items:>8,} items"
        )

    print("\nchosen on validation")
    members = [name for name in HYBRID_MEMBERS if HYBRID in names]
    chosen = {}
    for name in dict.fromkeys([*(name for name in names if name != HYBRID), *members]):
        chosen[name] = choose(name, cut, given.seed)
        print(f"  {name:<20}NDCG@{CUTOFF} {chosen[name].ndcg:.4f}  {dict(chosen[name].options)}")

    results, fitted = {}, {}
    print("\ntest")
    for name, choice in chosen.items():
        fitted[name], results[name] = train_and_rank(name, choice.options, whole)
        print("  " + _line(name, results[name]), flush=True)
    if HYBRID in names:
        results[HYBRID] = rank_hybrid(chosen, fitted, cut, whole, given.seed)
        print("  " + _line(HYBRID, results[HYBRID]), flush=True)
    results = {name: results[name] for name in names}
    metrics = pl.concat(
        evaluate(name, result.ranks, whole.vocabulary.types) for name, result in results.items()
    )
    comparisons = (
        compare_all(
            {name: result.ranks for name, result in results.items()}, whole.vocabulary.types
        )
        if len(results) > 1
        else None
    )
    for line in report_lines(metrics, results, comparisons, whole.vocabulary.types):
        print(line)
    if given.json is not None:
        _write(given.json, metrics, results, comparisons, given.seed)


def choose(name: str, log: Log, seed: int) -> Chosen:
    """Try options on validation; the first of the best is taken."""
    best: Chosen | None = None
    for options in TRIED[name]:
        tried = dict(options)
        if name == "gru4rec":
            tried |= {"seed": seed, "epochs": MOST_EPOCHS, "patience": 1}
        model = make(name, tried)
        report = model.fit(log.train, log.vocabulary, log.ranked)
        if name == "gru4rec":
            del tried["patience"]
            tried["epochs"] = int(report.summary["best_epoch"])
        found = _ndcg(target_ranks(model, log.ranked, log.vocabulary))
        if best is None or found > best.ndcg:
            best = Chosen(tried, model, found)
    assert best is not None
    return best


def train_and_rank(name: str, options: Options, log: Log) -> tuple[Recommender, Result]:
    """Learn from all of train and rank test."""
    model = make(name, options)
    began = time.process_time()
    model.fit(log.train, log.vocabulary)
    fit_seconds = time.process_time() - began
    return model, _ranked(model, options, fit_seconds, log)


def rank_hybrid(
    chosen: Mapping[str, Chosen],
    fitted: Mapping[str, Recommender],
    cut: Log,
    whole: Log,
    seed: int,
) -> Result:
    """Learn from members that have not seen validation; rank with those trained on all of train."""
    before = {name: chosen[name].model for name in HYBRID_MEMBERS}
    hybrid = Hybrid(before, config=HybridConfig(seed=seed))
    began = time.process_time()
    report = hybrid.fit(cut.train, cut.vocabulary, cut.ranked)
    fit_seconds = time.process_time() - began
    after = hybrid.over(
        {name: fitted[name] for name in HYBRID_MEMBERS}, whole.train, whole.vocabulary
    )
    told = {name: value for name, value in report.summary.items() if "gain_of" not in name}
    return _ranked(after, told, fit_seconds, whole)


def report_lines(
    metrics: pl.DataFrame,
    results: Mapping[str, Result],
    comparisons: pl.DataFrame | None,
    types: Sequence[str],
) -> Iterator[str]:
    """Tabulate the figures, by type and transition too, and the differences that are real."""
    rows = metrics.filter(pl.col("relevance") == "next", pl.col("k") == CUTOFF)
    overall = rows.filter(pl.col("slice") == "overall")
    yield f"\n{'':<20}{f'Recall@{CUTOFF}':>10}{'95 %':>18}{f'MRR@{CUTOFF}':>10}{'95 %':>18}"
    for name in results:
        yield f"{name:<20}" + "".join(
            _cell(overall.filter(pl.col("model") == name, pl.col("metric") == metric))
            for metric in ("recall", "mrr")
        )
    if len(types) > 1:
        yield from _slice_lines(rows, results, types)
    if comparisons is None:
        return
    for metric in ("recall", "mrr"):
        figures = dict(
            overall.filter(pl.col("metric") == metric).select("model", "value").iter_rows()
        )
        order = sorted(results, key=lambda name: -figures[name])
        yield f"\n{metric}@{CUTOFF}: {order[0]} beside the others, best first"
        for other in order[1:]:
            yield "  " + _difference(comparisons, metric, order[0], other)


def _slice_lines(
    rows: pl.DataFrame, results: Mapping[str, Result], types: Sequence[str]
) -> Iterator[str]:
    slices = [("target_type", None, type_) for type_ in types]
    slices += [("transition", source, target) for source in types for target in types]
    for metric in ("recall", "mrr"):
        heads = [f"{source}→{target}" if source else target for _, source, target in slices]
        yield f"\n{f'{metric}@{CUTOFF}':<20}" + "".join(f"{head:>14}" for head in heads)
        counts = None
        for name in results:
            mine = rows.filter(pl.col("model") == name, pl.col("metric") == metric)
            found = [
                mine.filter(
                    pl.col("slice") == slice_,
                    pl.col("source_type").eq_missing(pl.lit(source, pl.String)),
                    pl.col("target_type") == target,
                ).row(0, named=True)
                for slice_, source, target in slices
            ]
            counts = [row["n"] for row in found]
            yield f"{name:<20}" + "".join(
                f"{'–':>14}" if row["value"] is None else f"{row['value']:>14.4f}" for row in found
            )
        if counts:
            yield f"{'n':<20}" + "".join(f"{n:>14,}" for n in counts)


def _names(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in (*TRIED, HYBRID)]
    if unknown or not names:
        raise SettingsError(
            f"--models {text}: {', '.join(unknown) or 'nothing'} is no model here; choose from "
            f"{', '.join((*TRIED, HYBRID))}."
        )
    return names


def _log(train: pl.DataFrame, ranked: pl.DataFrame, types: pl.DataFrame | None) -> Log:
    split = ClickSplit.of_files(train, ranked, min_support=1)
    vocabulary = to_vocabulary(split.train, types)
    return Log(to_store(split.train, vocabulary), to_store(split.ranked, vocabulary), vocabulary)


def _ranked(model: Recommender, options: Options, fit_seconds: float, log: Log) -> Result:
    began = time.process_time()
    ranks = rank_predictions(model, log.ranked, log.vocabulary)
    return Result(ranks, options, fit_seconds, time.process_time() - began)


def _ndcg(ranks: np.ndarray) -> float:
    return ndcg.calc(Relevant(ranks, np.arange(len(ranks) + 1)), CUTOFF)


def _line(name: str, result: Result) -> str:
    rank = result.ranks["rank"].to_numpy()
    hit = rank <= CUTOFF
    return (
        f"{name:<20}Recall@{CUTOFF} {hit.mean():.4f}  MRR@{CUTOFF} {(hit / rank).mean():.4f}  "
        f"fit {result.fit_seconds:>7.1f} CPU-s  "
        f"ranked {len(rank) / result.rank_seconds:>8,.0f}/CPU-s"
    )


def _cell(row: pl.DataFrame) -> str:
    value, low, high = row.select("value", "low", "high").row(0)
    return f"{value:>10.4f}{f'{low:.4f} to {high:.4f}':>18}"


def _difference(comparisons: pl.DataFrame, metric: str, best: str, other: str) -> str:
    both = comparisons.filter(
        pl.col("slice") == "overall",
        pl.col("metric") == metric,
        pl.col("k") == CUTOFF,
        pl.col("model").is_in([best, other]) & pl.col("other").is_in([best, other]),
    ).row(0, named=True)
    sign = 1 if both["model"] == best else -1
    low, high = sorted((sign * both["low"], sign * both["high"]))
    return (
        f"{other:<20}{sign * both['difference']:+.4f} ({low:+.4f} to {high:+.4f}), "
        f"p {both['p_holm']:.4f} by Holm: {'real' if both['significant'] else 'not told apart'}"
    )


def _write(
    path: Path,
    metrics: pl.DataFrame,
    results: Mapping[str, Result],
    comparisons: pl.DataFrame | None,
    seed: int,
) -> None:
    content: dict[str, Any] = {
        "seed": seed,
        "models": {
            name: {
                "options": dict(result.options),
                "fit_cpu_seconds": result.fit_seconds,
                "rank_cpu_seconds": result.rank_seconds,
            }
            for name, result in results.items()
        },
        "metrics": metrics.to_dicts(),
        "comparisons": [] if comparisons is None else comparisons.to_dicts(),
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
