"""What items' content brings GRU4Rec: an ablation, items that came later, and harm between types.

    python benchmarks/content.py --logs planted none
    python benchmarks/content.py --logs amazon --data FOLDER --encoder sentence

Each row of the ablation is trained with every seed; its figure is the mean over seeds, and the
interval beside its difference from `id only` is that of a bootstrap over test sessions, paired, of
each prediction's mean over seeds. A difference is real where its p-value, adjusted for the number
of rows (Holm), is below .05. Options are not searched for: every row has those of the preset.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from content_cold import KNOWN, NEVER, SELDOM, measure_cold
from content_logs import WORLDS, Log, amazon, simulated
from content_variants import BASE, COLD, NEEDS_SAMPLES, VARIANTS

from crossrec_pipeline.content.embeddings import EMBEDDINGS_FILE, ItemEmbeddings, embed_items
from crossrec_pipeline.content.encoders.choice import choose_encoder
from crossrec_pipeline.content.texts import item_texts
from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.evaluation.bootstrap import (
    interval,
    resampled_sums,
    session_numbers,
    session_sums,
)
from crossrec_pipeline.evaluation.controls.comparison import next_item_values
from crossrec_pipeline.evaluation.controls.single_domain import single_domain
from crossrec_pipeline.evaluation.holm import holm
from crossrec_pipeline.evaluation.ranking import rank_predictions
from crossrec_pipeline.evaluation.significance import bootstrap_p_value
from crossrec_pipeline.models.gru4rec.config import preset
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.gru4rec.train import uses_full_softmax
from crossrec_pipeline.models.item_content import ItemContent
from crossrec_pipeline.models.registry import model_class
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import ContentSettings

METRICS = ("recall", "mrr")
NEIGHBOURS = ("sknn", "vsknn", "vmis", "stan", "vstan")
OTHER_TYPE = "to another type"
N_RESAMPLES = 2_000
LEVEL = 0.05


@dataclass(frozen=True)
class Row:
    """One figure of a row of the ablation, beside that of ids alone."""

    variant: str
    slice: str
    metric: str
    value: float
    spread: float
    difference: float
    low: float
    high: float
    p: float
    n: int


@dataclass(frozen=True)
class Trained:
    """A row's models, one a seed, and the ranks of all predictions, int [seeds, P]."""

    models: list[GRU4Rec]
    ranks: np.ndarray
    within_type: np.ndarray


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument(
        "--logs", nargs="+", choices=[*WORLDS, "amazon"], default=[*WORLDS], metavar="LOG"
    )
    options.add_argument("--data", type=Path, help="folder of the real data, for amazon")
    options.add_argument("--encoder", choices=["auto", "sentence", "hashed"], default="auto")
    options.add_argument("--events", type=int, default=80_000, help="of a simulated log")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--epochs", type=int, help="at most; the preset's by default")
    options.add_argument("--variants", nargs="+", choices=[*VARIANTS], default=[*VARIANTS])
    options.add_argument("--json", type=Path, help="write all figures there")
    given = options.parse_args()
    if "amazon" in given.logs:
        if given.data is None:
            sys.exit("error: amazon is read from the folder of real data: name it with --data.")
        if not (given.data / "interactions").is_dir():
            sys.exit(f"error: {given.data} is no folder of real data: it has no interactions/.")

    everything = {}
    for name in given.logs:
        log = amazon(given.data) if name == "amazon" else simulated(name, given.events)
        everything[name] = measure(log, given)
    if given.json is not None:
        given.json.write_text(json.dumps(everything, indent=1) + "\n")


def measure(log: Log, given: argparse.Namespace) -> dict[str, Any]:
    """Print and return everything that is measured on one log."""
    dataset = log.dataset
    print(f"\n{log.name}: {dataset.train.n_predictions:,} predictions to learn from,", end=" ")
    print(f"{dataset.test.n_predictions:,} of test, {dataset.vocabulary.n_items:,} items")
    embeddings = embedded(log.items, given.encoder)
    items = dataset.vocabulary.frame.select("item_id", "item_type")
    content = ItemContent.of(items, log.items, embeddings)
    print(f"{content.has_text.sum():,} items have words; vectors of {embeddings.encoder}")

    variants = {BASE: {}, **{name: VARIANTS[name] for name in given.variants}}
    if uses_full_softmax(dataset.vocabulary.n_items, preset("default")):
        for name in NEEDS_SAMPLES:
            if variants.pop(name, None) is not None:
                print(f"{name}: not here, where every step contrasts all items")
    trained = {name: train(dataset, content, changes, given) for name, changes in variants.items()}
    frame = rank_predictions(trained[BASE].models[0], dataset.test, dataset.vocabulary)
    rows = list(ablation(trained, frame))
    print_ablation(rows, variants)
    harm = list(between_types(trained, log, content, given, frame))
    hits = dict(cross_domain(trained, dataset, frame))
    cold = (
        [
            asdict(figures)
            for model in trained[COLD].models
            for figures in measure_cold(model, log, embeddings)
        ]
        if COLD in trained
        else []
    )
    print_cold(cold)
    return {
        "encoder": embeddings.encoder,
        "rows": [asdict(row) for row in rows],
        "single domain": harm,
        OTHER_TYPE: hits,
        "cold": cold,
    }


def embedded(items: pl.DataFrame, encoder: str) -> ItemEmbeddings:
    """Embed the items' words."""
    texts = item_texts(items)
    with tempfile.TemporaryDirectory() as folder:
        settings = ContentSettings.model_validate({"encoder": encoder})
        chosen = choose_encoder(settings, texts["text"].to_list(), Path(folder), print)
        path = Path(folder) / EMBEDDINGS_FILE
        return embed_items(texts, chosen.encoder, path, print).embeddings


def train(
    dataset: SessionDataset,
    content: ItemContent,
    changes: Mapping[str, Any],
    given: argparse.Namespace,
) -> Trained:
    """Train a row with every seed, and rank the predictions of test."""
    models, ranks = [], []
    began = time.perf_counter()
    for seed in range(given.seeds):
        model = GRU4Rec(_config(given, changes, seed), progress_bar=False, content=content)
        model.fit(dataset.train, dataset.vocabulary, dataset.validation)
        models.append(model)
        ranks.append(rank_predictions(model, dataset.test, dataset.vocabulary))
    seconds = time.perf_counter() - began
    print(f"  trained {dict(changes)} in {seconds:.0f} s", file=sys.stderr)
    return Trained(
        models,
        np.stack([frame["rank"].to_numpy() for frame in ranks]),
        np.stack([frame["rank_within_type"].to_numpy() for frame in ranks]),
    )


def ablation(trained: Mapping[str, Trained], frame: pl.DataFrame) -> Iterator[Row]:
    """Compare every row with ids alone, in every slice."""
    session = frame["session"].to_numpy()
    slices = slices_of(frame)
    base = seed_means(trained[BASE].ranks)
    for metric in METRICS:
        for slice_, chosen in slices.items():
            rows = [
                _compared(name, slice_, metric, row.ranks, base, session, chosen)
                for name, row in trained.items()
            ]
            others = [row for row in rows if row.variant != BASE]
            adjusted = holm(np.array([row.p for row in others]))
            yield from (row for row in rows if row.variant == BASE)
            yield from (replace(row, p=float(p)) for row, p in zip(others, adjusted, strict=True))


def _compared(
    name: str,
    slice_: str,
    metric: str,
    ranks: np.ndarray,
    base: Mapping[str, np.ndarray],
    session: np.ndarray,
    chosen: np.ndarray,
) -> Row:
    values, reference = seed_means(ranks)[metric][chosen], base[metric][chosen]
    by_seed = [next_item_values(of_seed)[metric][chosen].mean() for of_seed in ranks]
    resampled = resampled_means(values - reference, session[chosen])
    found = interval(resampled)
    return Row(
        name,
        slice_,
        metric,
        float(values.mean()),
        float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else 0.0,
        float((values - reference).mean()),
        found.low,
        found.high,
        bootstrap_p_value(resampled),
        len(values),
    )


def seed_means(ranks: np.ndarray) -> dict[str, np.ndarray]:
    """Return each prediction's Recall@20 and MRR@20, its mean over seeds."""
    of_seeds = [next_item_values(of_seed) for of_seed in ranks]
    return {metric: np.mean([of[metric] for of in of_seeds], axis=0) for metric in METRICS}


def resampled_means(values: np.ndarray, session: np.ndarray) -> np.ndarray:
    """Return the mean in each resample of sessions."""
    number = session_numbers(session)
    sums = session_sums(number, np.zeros_like(number), 1, [values])[:, :, 0]
    resampled = resampled_sums(sums, N_RESAMPLES, 0)
    return resampled[:, 1] / resampled[:, 0]


def slices_of(frame: pl.DataFrame) -> dict[str, np.ndarray]:
    """Name the predictions of each slice: all, by type, to another type, by transition."""
    source, target = frame["source_type"].to_numpy(), frame["target_type"].to_numpy()
    types = sorted(set(target))
    slices = {"all": np.ones(len(target), bool)}
    slices |= {name: target == name for name in types}
    slices[OTHER_TYPE] = source != target
    slices |= {f"{a} → {b}": (source == a) & (target == b) for a in types for b in types}
    return {name: chosen for name, chosen in slices.items() if chosen.any()}


def print_ablation(rows: Sequence[Row], variants: Mapping[str, Any]) -> None:
    """Tabulate rows by slices; a star marks what is really above ids alone, a minus below."""
    for metric in METRICS:
        names = list(dict.fromkeys(row.slice for row in rows))
        shown = [name for name in names if "→" not in name]
        for slices in (shown, [name for name in names if "→" in name]):
            head = "".join(f"{name:>17}" for name in slices)
            print(
                f"\n{metric + '@20':<24}{head}{'all, minus ' + BASE if 'all' in slices else '':>34}"
            )
            for variant in variants:
                mine = {
                    row.slice: row
                    for row in rows
                    if row.variant == variant and row.metric == metric
                }
                cells = "".join(f"{_cell(mine[name]):>17}" for name in slices)
                whole = mine["all"]
                end = ""
                if "all" in slices and variant != BASE:
                    end = f"{whole.difference:+.4f} ({whole.low:+.4f} to {whole.high:+.4f})"
                print(f"{variant:<24}{cells}{end:>34}")


def _cell(row: Row) -> str:
    mark = " "
    if row.p < LEVEL and row.variant != BASE:
        mark = "*" if row.difference > 0 else "-"
    return f"{row.value:.4f} ±{row.spread:.4f}{mark}"


def between_types(
    trained: Mapping[str, Trained],
    log: Log,
    content: ItemContent,
    given: argparse.Namespace,
    frame: pl.DataFrame,
) -> Iterator[dict[str, Any]]:
    """Compare each type's figure, among its own items, with a GRU4Rec of that type alone."""
    dataset = log.dataset
    print(f"\nRecall@20 among a type's own items, beside {BASE} of that type alone")
    for item_type in dataset.vocabulary.types:
        domain = single_domain(
            item_type, dataset.vocabulary, dataset.train, dataset.validation, dataset.test
        )
        alone = SessionDataset(domain.train, domain.validation, domain.test, domain.vocabulary)
        ranks = train(alone, ItemContent.unknown(domain.vocabulary), {}, given).ranks
        reference = seed_means(ranks)
        session = frame["session"].to_numpy()[domain.predictions]
        for name, row in trained.items():
            values = seed_means(row.within_type[:, domain.predictions])
            difference = values["recall"] - reference["recall"]
            found = interval(resampled_means(difference, session))
            figures = {
                "type": item_type,
                "variant": name,
                "recall": float(values["recall"].mean()),
                "alone": float(reference["recall"].mean()),
                "difference": float(difference.mean()),
                "low": found.low,
                "high": found.high,
                "n": len(difference),
            }
            print(
                f"{item_type:<8}{name:<24}{figures['recall']:.4f}  alone {figures['alone']:.4f}  "
                f"{figures['difference']:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
            )
            yield figures


def cross_domain(
    trained: Mapping[str, Trained], dataset: SessionDataset, frame: pl.DataFrame
) -> Iterator[tuple[str, float]]:
    """Return the share of transitions between types whose target is among the first 20."""
    chosen = (frame["source_type"] != frame["target_type"]).to_numpy()
    print(f"\n{chosen.sum():,} predictions of another type than the last item's, Recall@20")
    for kind in NEIGHBOURS:
        model = model_class(kind)()
        model.fit(dataset.train, dataset.vocabulary)
        ranks = rank_predictions(model, dataset.test, dataset.vocabulary)["rank"].to_numpy()
        yield _told(kind, float((ranks[chosen] <= 20).mean()))
    for name, row in trained.items():
        yield _told(name, float((row.ranks[:, chosen] <= 20).mean()))


def _told(name: str, share: float) -> tuple[str, float]:
    print(f"{name:<24}{share:.4f}")
    return name, share


def print_cold(figures: Sequence[Mapping[str, Any]]) -> None:
    """Tabulate what is found of items that came later, the mean over seeds."""
    if not figures:
        return
    groups = pl.Enum([NEVER, SELDOM, KNOWN])
    frame = pl.DataFrame(figures).group_by("group", "model", maintain_order=True).mean()
    frame = frame.with_columns(pl.col("group").cast(groups))
    print("\nRecall@20 where items that train does not know are ranked among all items")
    for row in frame.sort("group", maintain_order=True).iter_rows(named=True):
        among_new = (
            ""
            if row["among_new"] is None
            else f"  among new items {row['among_new']:.4f} (chance {row['chance_among_new']:.4f})"
        )
        print(
            f"{row['group']:<24}{row['model']:<26}{row['recall']:.4f}  MRR@20 {row['mrr']:.4f}  "
            f"chance {row['chance']:.4f}  n {row['n']:,.0f}  places of new items "
            f"{row['places']:.3f}{among_new}"
        )


def _config(given: argparse.Namespace, changes: Mapping[str, Any], seed: int) -> Any:
    epochs = {} if given.epochs is None else {"epochs": given.epochs}
    return preset("default", **{**changes, **epochs, "seed": seed, "device": "cpu"})


if __name__ == "__main__":
    try:
        main()
    except CrossrecError as error:
        sys.exit(f"error: {error}")
