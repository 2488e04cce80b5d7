"""Descriptions of items and refusals, as tables and on disk; and how far a catalogue has them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.content.enrichment.prompt import with_questions
from crossrec_pipeline.content.enrichment.reply import Enrichment
from crossrec_pipeline.errors import EnrichmentError

ENRICHMENTS: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "digest": pl.String(),
    "mood": pl.List(pl.String()),
    "themes": pl.List(pl.String()),
    "text": pl.String(),
    "model": pl.String(),
}
"""`content/enrichments.parquet`: one row an item that has been described."""

REFUSED: dict[str, pl.DataType] = {
    "item_id": pl.String(),
    "digest": pl.String(),
    "reason": pl.String(),
    "model": pl.String(),
}
"""`content/enrichments_refused.parquet`: items that could not be described, and why."""

ENRICHMENT_DESCRIPTIONS: dict[str, str] = {
    "item_id": "An id of catalogue.items, or of an item that has left it",
    "digest": "Of the model, the prompt and the item's words: another one makes the row outdated",
    "mood": "One to five single words",
    "themes": "One to six short phrases",
    "text": "One or two sentences, at most 300 characters",
    "model": "Who wrote it",
}

_ENRICHMENTS_FILE = "enrichments.parquet"
_REFUSED_FILE = "enrichments_refused.parquet"
_PARTIAL_FILE = "enrichments.partial.jsonl"


@dataclass(frozen=True)
class Answer:
    """What came of asking for one item: a description, or the reason why there is none."""

    item_id: str
    digest: str
    model: str
    found: Enrichment | str

    def as_row(self) -> dict[str, Any]:
        """Return the row of `ENRICHMENTS` or `REFUSED` that it becomes."""
        row = {"item_id": self.item_id, "digest": self.digest, "model": self.model}
        if isinstance(self.found, Enrichment):
            return {**row, **self.found.model_dump()}
        return {**row, "reason": self.found}


@dataclass(frozen=True)
class Results:
    """Everything that is known so far; an item is in one of the tables at most.

    Attributes
    ----------
    enrichments
        As `ENRICHMENTS`, ordered by `item_id`.
    refused
        As `REFUSED`, ordered by `item_id`.
    """

    enrichments: pl.DataFrame
    refused: pl.DataFrame

    def with_answers(self, answers: Iterable[Answer]) -> "Results":
        """Return these results with answers in the place of what they replace."""
        latest = {answer.item_id: answer for answer in answers}
        rows = [answer.as_row() for answer in latest.values()]
        described = [row for row in rows if "text" in row]
        refused = [row for row in rows if "reason" in row]
        # Typed: without answers the column would have no type, and match nothing.
        replaced = pl.Series(list(latest), dtype=pl.String).implode()
        others = ~pl.col("item_id").is_in(replaced)
        return Results(
            _table([self.enrichments.filter(others), _frame(described, ENRICHMENTS)]),
            _table([self.refused.filter(others), _frame(refused, REFUSED)]),
        )


def _frame(rows: list[dict[str, Any]], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


def _table(parts: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(parts).sort("item_id")


@dataclass(frozen=True)
class Coverage:
    """How far the items of a catalogue have descriptions.

    Attributes
    ----------
    n_items
        Items of the catalogue.
    n_described
        Items whose description is of their words, this prompt and this model.
    n_refused
        Items that could not be described, and will not be asked for again as they are.
    n_stale
        Items whose description is of other words, another prompt or another model.
    to_ask
        Items to be asked for, as `item_id`, `digest`, `words`: those without any description first,
        and the most popular ones first among equals.
    """

    n_items: int
    n_described: int
    n_refused: int
    n_stale: int
    to_ask: pl.DataFrame

    @property
    def share(self) -> float:
        """The share of the items that has a description, 1 where there are none."""
        return self.n_described / self.n_items if self.n_items else 1.0


def coverage(items: pl.DataFrame, results: Results, model: str) -> Coverage:
    """Compare results with a catalogue.

    Parameters
    ----------
    items
        As `catalogue.items`.
    results
        What is known so far, of this or another catalogue, model or prompt.
    model
        The model that is asked now.
    """
    known = (
        with_questions(items, model)
        .join(results.enrichments.select("item_id", described="digest"), "item_id", how="left")
        .join(results.refused.select("item_id", refused="digest"), "item_id", how="left")
    )
    is_described = pl.col("described").eq_missing(pl.col("digest"))
    is_refused = pl.col("refused").eq_missing(pl.col("digest")) & ~is_described
    is_stale = pl.col("described").is_not_null() & ~is_described & ~is_refused
    counts = known.select(
        n_described=is_described.sum(), n_refused=is_refused.sum(), n_stale=is_stale.sum()
    ).row(0, named=True)
    to_ask = (
        known.filter(~is_described & ~is_refused)
        .sort(
            pl.col("described").is_not_null(),
            "popularity",
            "item_id",
            descending=[False, True, False],
            nulls_last=True,
        )
        .select("item_id", "digest", "words")
    )
    return Coverage(items.height, **counts, to_ask=to_ask)


def read_results(content_dir: Path) -> Results:
    """Read what is known so far; empty tables where nothing is.

    Raises
    ------
    EnrichmentError
        If a file is damaged.
    """
    return Results(
        _read(content_dir / _ENRICHMENTS_FILE, ENRICHMENTS),
        _read(content_dir / _REFUSED_FILE, REFUSED),
    )


def _read(path: Path, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    if not path.exists():
        return pl.DataFrame(schema=schema)
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise EnrichmentError(
            f"{path} cannot be read: {error}. Restore it from a backup, or delete it: what it had "
            "is then asked for, and paid for, again."
        ) from None
    if dict(frame.schema) != schema:
        raise EnrichmentError(
            f"{path} has other columns ({frame.schema}) than {', '.join(schema)}. Restore it, or "
            "delete it: what it had is then asked for, and paid for, again."
        )
    return frame


def results_are_whole(content_dir: Path) -> bool:
    """Say whether both files are there and can be read."""
    if not all((content_dir / name).exists() for name in (_ENRICHMENTS_FILE, _REFUSED_FILE)):
        return False
    try:
        read_results(content_dir)
    except EnrichmentError:
        return False
    return True


def write_results(results: Results, content_dir: Path) -> None:
    """Write both tables, each whole or not at all."""
    with atomic_file(content_dir / _REFUSED_FILE) as partial:
        results.refused.write_parquet(partial)
    with atomic_file(content_dir / _ENRICHMENTS_FILE) as partial:
        results.enrichments.write_parquet(partial)


class PartialResults:
    """Answers of a run that is not done, one line of JSON each: an interruption loses none.

    Parameters
    ----------
    content_dir
        Where results lie.
    """

    def __init__(self, content_dir: Path) -> None:
        self._path = content_dir / _PARTIAL_FILE

    def read(self) -> list[Answer]:
        """Read the answers of a run that was broken off; a half-written line is passed over."""
        if not self._path.exists():
            return []
        answers = []
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
                found = row.pop("found")
                if not isinstance(found, str):
                    found = Enrichment(**found)
                answers.append(Answer(**row, found=found))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
        return answers

    def append(self, answer: Answer) -> None:
        """Keep an answer."""
        found = answer.found
        row = {
            "item_id": answer.item_id,
            "digest": answer.digest,
            "model": answer.model,
            "found": found.model_dump() if isinstance(found, Enrichment) else found,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            # Begun on a new line: the last one may have been cut off by a power cut.
            file.write("\n" + json.dumps(row) + "\n")

    def remove(self) -> None:
        """Forget them, once they are among the results."""
        self._path.unlink(missing_ok=True)
