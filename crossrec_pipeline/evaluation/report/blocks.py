"""What a report is made of: the same blocks become Markdown and HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Paragraph:
    """A sentence or several."""

    form: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Subheading:
    """Stands above the blocks that follow, within a section."""

    form: ClassVar[str] = "subheading"
    text: str


@dataclass(frozen=True)
class Lead:
    """Sentences that say what was found; they stand out."""

    form: ClassVar[str] = "lead"
    sentences: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Cells as text.

    Attributes
    ----------
    caption, header, rows
        All rows are as long as the header; the first cell names the row.
    n_text_columns
        Leading columns of words; the others are figures, aligned right.
    marked
        Row and column of the cells that stand out, from 0 (the header is no row).
    """

    form: ClassVar[str] = "table"
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_text_columns: int = 1
    marked: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Drawing:
    """A chart, its words for readers who do not see it, and what to look at. For HTML only."""

    form: ClassVar[str] = "drawing"
    svg: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Gallery:
    """Small charts side by side, as many as fit."""

    form: ClassVar[str] = "gallery"
    drawings: Sequence[Drawing]


@dataclass(frozen=True)
class Fold:
    """Tables for those who want every figure; closed at first on the page."""

    form: ClassVar[str] = "fold"
    summary: str
    tables: Sequence[Table]


@dataclass(frozen=True)
class Command:
    """A line for a terminal."""

    form: ClassVar[str] = "command"
    line: str


Block = Paragraph | Subheading | Lead | Table | Drawing | Gallery | Fold | Command


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it; `anchor` is its id on the page."""

    anchor: str
    heading: str
    blocks: Sequence[Block]
