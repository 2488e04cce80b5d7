"""How fast the words of a catalogue are embedded, and how fast again when few of them have changed.

    python benchmarks/embedding.py [--items 134000] [--encoder sentence] [--data DIR] [--json OUT]

The catalogues are the sample's, or those of DIR (one file a built-in domain, with the names of
`search.py`), filled up with made items: the words of another item under a title of first words of
one title and last words of another. So texts are as long as real ones, and all differ.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from search import REAL_FILES

from crossrec_pipeline.catalogue.clean import clean
from crossrec_pipeline.catalogue.load import SourceReader
from crossrec_pipeline.catalogue.unify import empty_ledger, unify
from crossrec_pipeline.content.embeddings import EMBEDDINGS_FILE, embed_items
from crossrec_pipeline.content.encoders.choice import choose_encoder
from crossrec_pipeline.content.neighbours import nearest_by_type
from crossrec_pipeline.content.texts import item_texts
from crossrec_pipeline.domains import BUILT_IN
from crossrec_pipeline.settings import ContentSettings, load_settings

NEIGHBOURS = 3


@dataclass(frozen=True)
class Run:
    """One bringing up to date: what it did, and the seconds of all of it, texts and files too."""

    n_encoded: int
    seconds: float
    cpu_seconds: float
    seconds_of_encoder: float

    @property
    def items_per_second(self) -> float:
        """Encoded items, over all that it took."""
        return self.n_encoded / self.seconds


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--items", type=int, default=134_000, help="items of the catalogue")
    options.add_argument("--encoder", choices=["sentence", "hashed"], default="hashed")
    options.add_argument("--data", type=Path, help="folder of real catalogues")
    options.add_argument("--changed", type=int, default=100, help="items that change")
    options.add_argument("--neighbours", action="store_true", help="find those of all items too")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", type=Path, help="write every figure to this file")
    given = options.parse_args()

    rng = np.random.default_rng(given.seed)
    real = read_items(given.data)
    items = filled_up(real, given.items, rng)
    texts = item_texts(items)["text"]
    length = texts.str.len_chars().mean()
    print(
        f"{items.height:,} items, {min(real.height, items.height):,} of them from catalogues; "
        f"{texts.n_unique():,} texts of {length:.0f} characters on average"
    )
    content = ContentSettings(encoder=given.encoder)
    with tempfile.TemporaryDirectory() as folder:
        first = bring_up_to_date(items, content, Path(folder))
        tell("all items", first)
        changed = bring_up_to_date(with_changes(items, given.changed, rng), content, Path(folder))
        tell(f"{given.changed} changed", changed)
        size = (Path(folder) / EMBEDDINGS_FILE).stat().st_size
        print(f"{size / 1e6:.1f} MB of embeddings")
    figures = {
        "items": items.height,
        "encoder": given.encoder,
        "characters": length,
        "all": asdict(first),
        "changed": asdict(changed),
        "bytes": size,
        "cores": os.process_cpu_count() if sys.version_info >= (3, 13) else os.cpu_count(),
    }
    if given.neighbours:
        figures["neighbours"] = seconds_of_neighbours(items, content)
        print(f"{NEIGHBOURS} neighbours of each type: {figures['neighbours']:.1f} s")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def bring_up_to_date(items: pl.DataFrame, content: ContentSettings, folder: Path) -> Run:
    """Do what the asset does: texts, the encoder, vectors, files."""
    began, cpu = time.perf_counter(), time.process_time()
    texts = item_texts(items)
    chosen = choose_encoder(content, texts["text"].to_list(), folder, say)
    done = embed_items(texts, chosen.encoder, folder / EMBEDDINGS_FILE, say)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Run(done.n_encoded, seconds, cpu, done.seconds)


def seconds_of_neighbours(items: pl.DataFrame, content: ContentSettings) -> float:
    with tempfile.TemporaryDirectory() as folder:
        texts = item_texts(items)
        encoder = choose_encoder(content, texts["text"].to_list(), Path(folder), say).encoder
        found = embed_items(texts, encoder, Path(folder) / EMBEDDINGS_FILE, say).embeddings
    began = time.perf_counter()
    nearest_by_type(found.vectors, found.item_types, NEIGHBOURS)
    return time.perf_counter() - began


def tell(what: str, run: Run) -> None:
    print(
        f"{what + ':':<14}{run.n_encoded:>8,} embedded in {run.seconds:.1f} s "
        f"({run.cpu_seconds:.1f} s of processors), {run.items_per_second:,.0f} items/s; "
        f"the encoder itself {run.seconds_of_encoder:.1f} s"
    )


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def read_items(folder: Path | None) -> pl.DataFrame:
    """Read, clean and unify the catalogues of a folder, or those of the sample."""
    sample = load_settings().sample_dir
    files = {
        domain: sample / f"{domain}.csv" if folder is None else folder / file
        for domain, file in REAL_FILES.items()
    }
    reader = SourceReader(sample_dir=sample)
    parts = [
        clean(reader.load(BUILT_IN[domain], str(path)).frame, BUILT_IN[domain])
        for domain, path in files.items()
    ]
    return unify(parts, empty_ledger()).items


def filled_up(items: pl.DataFrame, n_items: int, rng: np.random.Generator) -> pl.DataFrame:
    """Add made items, or take some away."""
    if items.height >= n_items:
        return items.sample(n_items, seed=0)
    n_made = n_items - items.height
    words = items["title"].str.split(" ").to_list()
    heads, tails = (rng.integers(items.height, size=n_made) for _ in range(2))
    titles = [
        " ".join(
            [*words[head][: (len(words[head]) + 1) // 2], *words[tail][len(words[tail]) // 2 :]]
        )
        for head, tail in zip(heads, tails, strict=True)
    ]
    made = items[rng.integers(items.height, size=n_made)].with_columns(
        pl.Series("title", titles),
        pl.Series("item_id", [f"Made_{number}" for number in range(n_made)]),
    )
    return pl.concat([items, made])


def with_changes(items: pl.DataFrame, n_changed: int, rng: np.random.Generator) -> pl.DataFrame:
    """Give some items another title."""
    rows = rng.choice(items.height, n_changed, replace=False).tolist()
    is_changed = pl.int_range(pl.len()).is_in(rows)
    title = pl.when(is_changed).then(pl.col("title") + " revised").otherwise(pl.col("title"))
    return items.with_columns(title)


if __name__ == "__main__":
    main()
