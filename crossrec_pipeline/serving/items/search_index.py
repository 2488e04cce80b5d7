"""Details of items in; a folder with a tantivy index of their words out, shared by processes."""

from pathlib import Path

import polars as pl
import tantivy

from crossrec_pipeline.words import words, words_and_compounds

WORD_FIELDS = ("title", "creators", "genres")
"""Fields of single words, the most telling first."""
ALL_WORDS = "words"
"""The words of all of them."""
WHOLE = "whole"
"""The words of the title as one text."""
FIRST = "first"
"""The first word of the title."""
TYPE = "item_type"
ROW = "row"
"""Row of the item in the details."""
LONGEST_WHOLE = 100

_HEAP_BYTES = 512 << 20
_LOCK_FILES = (".tantivy-writer.lock", ".tantivy-meta.lock")


def index_schema() -> tantivy.Schema:
    """Declare the fields."""
    builder = tantivy.SchemaBuilder()
    for name in (*WORD_FIELDS, ALL_WORDS):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="basic")
    for name in (WHOLE, FIRST, TYPE):
        builder.add_text_field(
            name, stored=name == WHOLE, tokenizer_name="raw", index_option="basic"
        )
    builder.add_unsigned_field(ROW, fast=True)
    return builder.build()


def write_index(details: pl.DataFrame, folder: Path) -> None:
    """Index the words of all items.

    Documents are in the order in which items of equal likeness are to be found (known to the model
    before unknown, then by events in train, then by popularity), and in one segment: tantivy finds
    equally good documents in their order.

    Parameters
    ----------
    details
        Columns of `DETAILS`.
    folder
        Exists and is empty.
    """
    ordered = details.with_row_index(ROW).sort(
        pl.col("item_index").is_null(),
        "train_events",
        "popularity",
        ROW,
        descending=[False, True, True, False],
        nulls_last=True,
    )
    index = tantivy.Index(index_schema(), str(folder))
    # One thread and one commit give one segment, in the order of adding.
    writer = index.writer(_HEAP_BYTES, 1)
    for row, title, creators, genres, item_type in ordered.select(
        ROW, *WORD_FIELDS, TYPE
    ).iter_rows():
        writer.add_document(_document(row, title, creators, genres, item_type))
    writer.commit()
    writer.wait_merging_threads()
    for name in _LOCK_FILES:
        (folder / name).unlink(missing_ok=True)


def whole_title(words_of_title: list[str]) -> str:
    """Join the words of a title, or of what may be its beginning, to one text."""
    return " ".join(words_of_title)[:LONGEST_WHOLE]


def _document(
    row: int, title: str, creators: list[str], genres: list[str], item_type: str
) -> tantivy.Document:
    document = tantivy.Document()
    every_word: list[str] = []
    for name, texts in zip(WORD_FIELDS, ([title], creators, genres), strict=True):
        found = [word for text in texts for word in words_and_compounds(text)]
        document.add_text(name, " ".join(found))
        every_word += found
    document.add_text(ALL_WORDS, " ".join(every_word))
    words_of_title = words(title)
    document.add_text(WHOLE, whole_title(words_of_title))
    document.add_text(FIRST, "".join(words_of_title[:1]))
    document.add_text(TYPE, item_type)
    document.add_unsigned(ROW, row)
    return document
