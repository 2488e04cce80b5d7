"""How fast the search of the service is, and how often it finds what was meant, by kind of query.

    python benchmarks/search.py [--items 134000] [--data DIR]

The catalogues are the sample's, or those of DIR (the folder that ``CROSSREC_REAL_DATA`` names for
the tests), filled up with made items: first words of one title and last words of another. No model
knows any of them, so popularity alone orders what fits equally well.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import polars as pl

from crossrec_pipeline.catalogue.clean import clean
from crossrec_pipeline.catalogue.load import SourceReader
from crossrec_pipeline.catalogue.unify import empty_ledger, unify
from crossrec_pipeline.domains import BUILT_IN
from crossrec_pipeline.serving.items.details import CATALOGUE, catalogue_details, item_details
from crossrec_pipeline.serving.items.search import SearchIndex
from crossrec_pipeline.serving.items.search_index import write_index
from crossrec_pipeline.sessions.vocabulary import VOCABULARY, Vocabulary
from crossrec_pipeline.settings import load_settings
from crossrec_pipeline.words import words

REAL_FILES = {
    "movies": "imdb_movies.csv",
    "music": "spotify_tracks.csv",
    "books": "goodreads_data.csv",
}
REAL_TITLES = Path("interactions") / "amazon_movie_book_items.parquet"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHOWN = 10
PASTED = 200


@dataclass(frozen=True)
class Query:
    """What is typed, and by what an item that was meant is told; None where none was."""

    text: str
    is_meant: Callable[[int], bool] | None


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--items", type=int, default=134_000, help="items to search in")
    options.add_argument("--data", type=Path, help="folder of the real data")
    options.add_argument("--queries", type=int, default=2_000)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()

    random = Random(given.seed)
    real = sample_items() if given.data is None else real_items(given.data)
    catalogue = filled_up(real, given.items, random)
    details = item_details(catalogue, Vocabulary(pl.DataFrame(schema=VOCABULARY)))
    print(f"{details.height:,} items, {real.height:,} of them from catalogues")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        write_index(details, Path(folder))
        seconds = time.perf_counter() - began
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        print(f"built in {seconds:.1f} s, {size / 1e6:.1f} MB\n")
        index = SearchIndex(Path(folder))
        index.rows("warm up", SHOWN)
        print(f"{'queries':<22}{'n':>6}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}  meant in first 10")
        made = list(make_queries(details, given.queries, random))
        for kind in sorted({kind for kind, _ in made}):
            describe(kind, [query for found, query in made if found == kind], index)
        describe("all", [query for _, query in made], index)


def describe(kind: str, queries: list[Query], index: SearchIndex) -> None:
    milliseconds, n_found = [], 0
    for query in queries:
        began = time.perf_counter()
        rows = index.rows(query.text, SHOWN)
        milliseconds.append(1000 * (time.perf_counter() - began))
        n_found += query.is_meant is not None and any(map(query.is_meant, rows))
    p50, p99, highest = np.percentile(milliseconds, [50, 99, 100])
    n_meant = sum(query.is_meant is not None for query in queries)
    share = f"{n_found / n_meant:.3f}" if n_meant else "-"
    print(f"{kind:<22}{len(queries):>6}{p50:>9.2f}{p99:>9.2f}{highest:>9.2f}  {share}")


def make_queries(
    details: pl.DataFrame, n_queries: int, random: Random
) -> Iterator[tuple[str, Query]]:
    """Make queries of items drawn at random, each with its kind."""
    titles = [" ".join(words(title)) for title in details["title"]]
    creators = [[" ".join(words(name)) for name in names] for names in details["creators"]]
    for _ in range(n_queries // 20):
        yield "pasted text", Query(" ".join(random.choices(titles, k=20))[:PASTED], None)
    n_made = n_queries // 20
    while n_made < n_queries:
        row = random.randrange(len(titles))
        title, kind = titles[row], random.choice(KINDS)
        creator = creators[row][0] if creators[row] else ""
        text = KINDS_OF_TEXT[kind](title, creator, random)
        if text is None:
            continue
        if kind == "creator":
            is_meant = lambda found, creator=creator: creator in creators[found]  # noqa: E731
        else:
            is_meant = lambda found, title=title: titles[found] == title  # noqa: E731
        if kind.startswith("beginning"):
            kind += " 1-2" if len(text) < 3 else " 3-5" if len(text) < 6 else " 6+"
        yield kind, Query(text, is_meant)
        n_made += 1


def beginning(title: str, creator: str, random: Random) -> str | None:
    return title[: random.randint(1, len(title))] if title else None


def beginning_with_typo(title: str, creator: str, random: Random) -> str | None:
    if len(title) < 6:
        return None
    return with_typo(title[: random.randint(6, len(title))], random)


def title_with_typo(title: str, creator: str, random: Random) -> str | None:
    return with_typo(title, random)


def two_words(title: str, creator: str, random: Random) -> str | None:
    found = title.split()
    return " ".join(random.sample(found, 2)) if len(found) > 2 else None


def word_and_creator(title: str, creator: str, random: Random) -> str | None:
    if not (title and creator):
        return None
    return f"{random.choice(title.split())} {creator.split()[-1]}"


def only_creator(title: str, creator: str, random: Random) -> str | None:
    return creator or None


def with_typo(text: str, random: Random) -> str | None:
    """Change, drop, add or swap a letter, not the first, of a word that has at least four."""
    found = text.split()
    long_enough = [place for place, word in enumerate(found) if len(word) >= 4]
    if not long_enough:
        return None
    place = random.choice(long_enough)
    word = found[place]
    at = random.randrange(1, len(word) - 1)
    found[place] = random.choice(
        [
            word[:at] + random.choice(LETTERS) + word[at + 1 :],
            word[:at] + word[at + 1 :],
            word[:at] + random.choice(LETTERS) + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        ]
    )
    return " ".join(found)


KINDS_OF_TEXT: dict[str, Callable[[str, str, Random], str | None]] = {
    "beginning": beginning,
    "title, a typo": title_with_typo,
    "beginning, a typo": beginning_with_typo,
    "two words": two_words,
    "creator": only_creator,
    "word and creator": word_and_creator,
}
KINDS = tuple(KINDS_OF_TEXT)


def sample_items() -> pl.DataFrame:
    folder = load_settings().sample_dir
    return cleaned({name: str(folder / f"{name}.csv") for name in REAL_FILES}, folder)


def real_items(folder: Path) -> pl.DataFrame:
    """Read the real catalogues, and the titles that come with the real log."""
    catalogues = folder / "catalogues"
    found = cleaned({d: str(catalogues / file) for d, file in REAL_FILES.items()}, catalogues)
    titles = pl.read_parquet(folder / REAL_TITLES).drop_nulls("title")
    more = titles.select(
        pl.format("{}_{}", "domain", "asin").alias("item_id"),
        pl.col("domain").cast(pl.String).str.to_titlecase().alias("item_type"),
        "title",
        pl.lit(None, pl.Float64).alias("popularity"),
    )
    return pl.concat([found, more], how="diagonal").with_columns(
        pl.col("creators", "genres").fill_null([])
    )


def cleaned(sources: dict[str, str], folder: Path) -> pl.DataFrame:
    reader = SourceReader(sample_dir=folder)
    parts = [clean(reader.load(BUILT_IN[d], s).frame, BUILT_IN[d]) for d, s in sources.items()]
    return catalogue_details(unify(parts, empty_ledger()).items)


def filled_up(catalogue: pl.DataFrame, n_items: int, random: Random) -> pl.DataFrame:
    """Add made items, or take some away."""
    if catalogue.height >= n_items:
        return catalogue.sample(n_items, seed=0)
    rows = catalogue.to_dicts()
    with_creators = [row for row in rows if row["creators"]]
    made = []
    for number in range(n_items - len(rows)):
        head, tail = (random.choice(rows)["title"].split() for _ in range(2))
        like = random.choice(with_creators)
        title = " ".join(head[: (len(head) + 1) // 2] + tail[len(tail) // 2 :])
        made.append(
            {**like, "item_id": f"Made_{number}", "title": title, "popularity": random.random()}
        )
    return pl.concat([catalogue, pl.DataFrame(made, schema=CATALOGUE)])


if __name__ == "__main__":
    main()
