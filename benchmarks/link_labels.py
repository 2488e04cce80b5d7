"""Links of films and books in; a sample to label by hand out, and labels in; how good they are out.

Labels tell a pair by a hash alone, so that no catalogue is copied. One half of the books (by their
id's hash) served to fit the linker, the other is kept for measuring it.
"""

import csv
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import polars as pl

YES = "yes"
STRATA = (0.6, 0.8, 0.95, 0.99)
"""Lowest scores of the strata of a sample."""
_SIXTEENTHS_TO_FIT = 6
_NORMAL_95 = 1.959964


def pair_hash(movie_id: str, book_id: str) -> str:
    """Return what a label calls a pair: 16 hexadecimal characters of SHA-256."""
    return hashlib.sha256(f"{movie_id}|{book_id}".encode()).hexdigest()[:16]


def is_to_fit(book_id: str) -> bool:
    """Say whether pairs of this book were looked at when the weights were fitted."""
    return int(hashlib.sha256(book_id.encode()).hexdigest()[0], 16) < _SIXTEENTHS_TO_FIT


def films_of_books(links: pl.DataFrame) -> pl.DataFrame:
    """Take the links of a film and a book: `movie_id`, `book_id`, `score`, `reason`, `pair`."""
    is_book = pl.col("item_id").str.starts_with("Book_")
    found = links.filter(pl.col("kind") == "story").select(
        pl.when(is_book).then("other_id").otherwise("item_id").alias("movie_id"),
        pl.when(is_book).then("item_id").otherwise("other_id").alias("book_id"),
        "score",
        "reason",
    )
    pairs = [pair_hash(*ids) for ids in found.select("movie_id", "book_id").iter_rows()]
    return found.with_columns(pl.Series("pair", pairs, dtype=pl.String))


def stratum(score: float) -> str:
    """Name the stratum of a score: its lowest score."""
    below = [bound for bound in STRATA if bound <= score]
    return f"{below[-1]:.2f}" if below else "below"


def draw(found: pl.DataFrame, n: int, seed: int) -> pl.DataFrame:
    """Draw links of books that are kept for measuring, as many of each stratum as it has of all.

    Parameters
    ----------
    found
        As `films_of_books` gives.
    n
        How many; if there are fewer, all of them.
    seed
        Of the draw.

    Returns
    -------
    pl.DataFrame
        The same columns and `stratum`, in random order, so that labels do not follow the score.
    """
    kept = found.filter([not is_to_fit(book_id) for book_id in found["book_id"]])
    kept = kept.with_columns(
        pl.Series("stratum", [stratum(score) for score in kept["score"]], dtype=pl.String)
    ).sort("pair")
    random, drawn = Random(seed), []
    sizes = _shares([len(part) for part in _by_stratum(kept)], min(n, kept.height))
    for part, size in zip(_by_stratum(kept), sizes, strict=True):
        drawn += random.sample(part, size)
    random.shuffle(drawn)
    return pl.DataFrame(drawn, schema=kept.schema)


def _by_stratum(kept: pl.DataFrame) -> list[list[dict]]:
    return [part.to_dicts() for part in kept.sort("stratum").partition_by("stratum")]


def _shares(sizes: Sequence[int], n: int) -> list[int]:
    """Divide n in proportion, by the largest remainders."""
    exact = [n * size / max(sum(sizes), 1) for size in sizes]
    shares = [math.floor(share) for share in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda at: shares[at] - exact[at])
    for at in by_remainder[: n - sum(shares)]:
        shares[at] += 1
    return shares


def read_labels(path: Path) -> list[dict[str, str]]:
    """Read labels: columns `pair`, `label` (yes, no, unsure), and `stratum` of a sample."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@dataclass(frozen=True)
class Precision:
    """How many links are right, with Wilson's 95 % interval."""

    n: int
    n_right: int

    @property
    def value(self) -> float:
        """Share of right ones; unsure ones are not right."""
        return self.n_right / self.n if self.n else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson, "Probable Inference, the Law of Succession …" (1927), for z = 1.96."""
        if not self.n:
            return math.nan, math.nan
        z2 = _NORMAL_95**2
        centre = (self.n_right + z2 / 2) / (self.n + z2)
        spread = self.value * (1 - self.value) / self.n + z2 / (4 * self.n**2)
        half = _NORMAL_95 / (1 + z2 / self.n) * math.sqrt(spread)
        return max(0.0, centre - half), min(1.0, centre + half)


def precision(labels: Iterable[Mapping[str, str]], linked: set[str]) -> Precision:
    """Count the labelled pairs that are links, and which of them are right."""
    found = [label["label"] for label in labels if label["pair"] in linked]
    return Precision(len(found), found.count(YES))
