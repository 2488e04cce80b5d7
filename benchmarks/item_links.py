"""How many items of real catalogues are linked, how many of the links are right, what they cost.

    python benchmarks/item_links.py --data DIR [--labels FILE] [--json OUT]
    python benchmarks/item_links.py --data DIR --draw FILE [--seed S]
    python benchmarks/item_links.py --data DIR --items N

DIR is the folder that ``CROSSREC_REAL_DATA`` names for the tests. Precision is that of links of a
film and a book against labels given by hand (``labels/item_links.csv``): pairs drawn at random, as
many of each stratum of scores as it has of all links, of books that were not looked at when the
linker was made. Recall is looked for among famous pairs (``labels/famous_pairs.csv``) that were
listed before. Figures on the pairs that the weights were fitted to
(``labels/item_links_tuning.csv``) are printed beside; they flatter.

``--draw`` writes such a sample with both descriptions, to be read and labelled; it stays with you.
``--items`` fills the films and books up to N with made ones (halves of two titles, halves of two
descriptions) and tells only what linking them costs.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
from famous_pairs import famous_pairs
from link_labels import (
    YES,
    Precision,
    draw,
    films_of_books,
    is_to_fit,
    pair_hash,
    precision,
    read_labels,
    stratum,
)

from crossrec_pipeline.catalogue.clean import clean
from crossrec_pipeline.catalogue.links.linking import link_items
from crossrec_pipeline.catalogue.links.scoring import LEAST_SCORE
from crossrec_pipeline.catalogue.load import SourceReader
from crossrec_pipeline.catalogue.unify import empty_ledger, unify
from crossrec_pipeline.domains import BUILT_IN

FILES = {"movies": "imdb_movies.csv", "music": "spotify_tracks.csv", "books": "goodreads_data.csv"}
LABELS = Path(__file__).parent / "labels"
TEXTS = ("title", "description")
SAMPLE = 100
FAMOUS = 30


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--data", type=Path, required=True, help="folder of the real data")
    options.add_argument("--labels", type=Path, default=LABELS / "item_links.csv")
    options.add_argument("--draw", type=Path, help="write a sample to label here, and stop")
    options.add_argument("--seed", type=int, default=0, help="of the sample")
    options.add_argument("--items", type=int, help="measure the cost of linking so many items")
    options.add_argument("--json", type=Path, help="write all figures here")
    given = options.parse_args()

    items = real_items(given.data)
    order = {
        spec.item_type: spec.story_order
        for spec in BUILT_IN.values()
        if spec.story_order is not None
    }
    if given.items:
        items = filled_up(items, given.items, given.seed)
    began, cpu_began = time.perf_counter(), time.process_time()
    links = link_items(items, order)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    if given.items:
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{items.height:,} items, {links.height:,} links: {seconds:.1f} s, "
            f"{cpu_seconds:.1f} CPU-s, at most {megabytes:,.0f} MB in all"
        )
        return
    found = films_of_books(links)
    if given.draw:
        write_sample(draw(found, SAMPLE, given.seed), items, given.draw)
        return
    figures = {
        "items": items.height,
        "links": counts(links, items),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "precision": of_labels(read_labels(given.labels), found),
        "fitted": of_fitted(read_labels(LABELS / "item_links_tuning.csv"), found),
        "recall_of_famous": of_famous(items, found),
    }
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    show(figures)


def real_items(folder: Path) -> pl.DataFrame:
    catalogues = folder / "catalogues" if (folder / "catalogues").is_dir() else folder
    reader = SourceReader(sample_dir=catalogues)
    parts = [
        clean(reader.load(BUILT_IN[domain], str(catalogues / file)).frame, BUILT_IN[domain])
        for domain, file in FILES.items()
    ]
    return unify(parts, empty_ledger()).items


def filled_up(items: pl.DataFrame, n_items: int, seed: int) -> pl.DataFrame:
    random = Random(seed)
    real = items.filter(pl.col("item_type") != "Music")
    columns = {name: real[name].to_list() for name in ("item_type", "title", "description")}
    made = []
    for number in range(n_items - items.height):
        a, b = random.randrange(real.height), random.randrange(real.height)
        item_type = columns["item_type"][a]
        made.append(
            {
                "item_id": f"{item_type}_made_{number}",
                "item_type": item_type,
                **{name: halves(*(columns[name][at] for at in (a, b))) for name in TEXTS},
                "genres": [],
                "creators": [f"Somebody {number // 3}"],
                "imputed": [],
            }
        )
    return pl.concat([items, pl.DataFrame(made, schema=items.schema)])


def halves(first: str, second: str) -> str:
    a, b = first.split(), second.split()
    return " ".join(a[: (len(a) + 1) // 2] + b[len(b) // 2 :])


def counts(links: pl.DataFrame, items: pl.DataFrame) -> dict[str, int]:
    types = items.select("item_id", "item_type")
    named = links.join(types, on="item_id").join(
        types, left_on="other_id", right_on="item_id", suffix="_of_other"
    )
    kinds = named.select(pl.format("{}: {}, {}", "kind", "item_type", "item_type_of_other"))
    return dict(kinds.to_series().value_counts(sort=True).iter_rows())


def of_labels(labels: list[dict[str, str]], found: pl.DataFrame) -> dict[str, Any]:
    linked = set(found["pair"])
    strata = sorted({label["stratum"] for label in labels})
    return {
        "labels": len(labels),
        "all": as_figures(precision(labels, linked)),
        "by stratum": {
            name: as_figures(precision([la for la in labels if la["stratum"] == name], linked))
            for name in strata
        },
        "no longer linked": sum(label["pair"] not in linked for label in labels),
    }


def of_fitted(labels: list[dict[str, str]], found: pl.DataFrame) -> dict[str, Any]:
    linked = set(found["pair"])
    n_right = sum(label["label"] == YES for label in labels)
    kept = precision(labels, linked)
    recall = Precision(n_right, kept.n_right)
    return {"pairs": len(labels), "precision": as_figures(kept), "recall": as_figures(recall)}


def of_famous(items: pl.DataFrame, found: pl.DataFrame) -> dict[str, Any]:
    linked = set(found["pair"])
    famous = list(famous_pairs(items, FAMOUS))
    hit = [pair_hash(*pair) in linked for pair in famous]
    unseen = [not is_to_fit(book_id) for _, book_id in famous]
    return {
        "all": as_figures(Precision(len(hit), sum(hit))),
        "books not looked at": as_figures(
            Precision(sum(unseen), sum(a and b for a, b in zip(hit, unseen, strict=True)))
        ),
        "missed": [pair for pair, is_hit in zip(famous, hit, strict=True) if not is_hit],
    }


def as_figures(measured: Precision) -> dict[str, float]:
    low, high = measured.interval
    return {
        "n": measured.n,
        "right": measured.n_right,
        "value": round(measured.value, 3),
        "low": round(low, 3),
        "high": round(high, 3),
    }


def show(figures: dict[str, Any]) -> None:
    print(f"{figures['items']:,} items, links of a score of {LEAST_SCORE} or more")
    for name, n in figures["links"].items():
        print(f"  {name:<24}{n:>6,}")
    print(f"made in {figures['seconds']} s ({figures['cpu_seconds']} CPU-s)\n")
    labelled = figures["precision"]
    print("precision of film-book links, on labels of books that were not looked at")
    line("all", labelled["all"])
    for name, part in labelled["by stratum"].items():
        line(f"score from {name}", part)
    print(f"  labelled pairs that are no links any more: {labelled['no longer linked']}\n")
    fitted = figures["fitted"]
    print(f"on the {fitted['pairs']} pairs that the weights were fitted to")
    line("precision", fitted["precision"])
    line("recall", fitted["recall"])
    print("\nrecall of famous pairs that both catalogues have")
    line("all", figures["recall_of_famous"]["all"])
    line("of books not looked at", figures["recall_of_famous"]["books not looked at"])
    for film, book in figures["recall_of_famous"]["missed"]:
        print(f"  missed: {film} | {book}")


def line(name: str, part: dict[str, float]) -> None:
    print(
        f"  {name:<24}{part['right']:>4} of {part['n']:<4} {part['value']:.3f} "
        f"({part['low']:.3f} to {part['high']:.3f})"
    )


def write_sample(sample: pl.DataFrame, items: pl.DataFrame, path: Path) -> None:
    said = {row["item_id"]: row for row in items.iter_rows(named=True)}
    with path.open("w", encoding="utf-8") as file:
        for number, row in enumerate(sample.iter_rows(named=True), 1):
            film, book = said[row["movie_id"]], said[row["book_id"]]
            file.write(
                f"## {number} {row['pair']} {stratum(row['score'])}\n"
                f"FILM {film['title']} ({film['release_date']}) {film['genres']}\n"
                f"{film['description']}\n"
                f"BOOK {book['title']} by {', '.join(book['creators'])} {book['genres']}\n"
                f"{book['description']}\n\n"
            )
    print(f"{sample.height} links written to {path}")


if __name__ == "__main__":
    main()
