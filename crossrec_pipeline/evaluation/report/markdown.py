"""Blocks go in, Markdown comes out: words and tables, no charts."""

from collections.abc import Iterator, Sequence

from crossrec_pipeline.evaluation.report.blocks import (
    Block,
    Command,
    Fold,
    Lead,
    Paragraph,
    Section,
    Subheading,
    Table,
)
from crossrec_pipeline.evaluation.report.context import ReportContext

_ESCAPED = str.maketrans(
    {
        "\\": "\\\\",
        "|": "\\|",
        "*": "\\*",
        "`": "\\`",
        "[": "\\[",
        "<": "&lt;",
        "\n": " ",
        "\r": " ",
    }
)


def markdown(context: ReportContext, sections: Sequence[Section]) -> str:
    """Write the whole report."""
    blocks = [f"# {_escaped(context.title)}"]
    if context.produced_at:
        blocks.append(f"Produced {_escaped(context.produced_at)}.")
    for section in sections:
        blocks.append(f"## {_escaped(section.heading)}")
        for block in section.blocks:
            blocks.extend(_lines(block))
    return "\n\n".join(blocks) + "\n"


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(text):
            yield _escaped(text)
        case Subheading(text):
            yield f"### {_escaped(text)}"
        case Lead(sentences):
            yield f"**{_escaped(' '.join(sentences))}**"
        case Table():
            yield f"**{_escaped(block.caption)}**"
            yield _table(block)
        case Fold(_, tables):
            for table in tables:
                yield from _lines(table)
        case Command(line):
            yield f"```\n{line}\n```"


def _table(table: Table) -> str:
    rules = [
        "---" if column < table.n_text_columns else "---:" for column in range(len(table.header))
    ]
    rows = [
        [
            f"**{_escaped(cell)}**" if (at, column) in table.marked else _escaped(cell)
            for column, cell in enumerate(row)
        ]
        for at, row in enumerate(table.rows)
    ]
    lines = [[_escaped(cell) for cell in table.header], rules, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Take from text what Markdown or HTML in it would read as their own."""
    return text.translate(_ESCAPED)
