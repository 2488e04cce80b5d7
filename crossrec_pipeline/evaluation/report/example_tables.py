"""Examples go in; one table each comes out: what was seen, what was shown, what came."""

from collections.abc import Sequence

from crossrec_pipeline.evaluation.examples import N_SHOWN, Example, Title
from crossrec_pipeline.evaluation.report.blocks import Block, Paragraph, Section, Subheading, Table
from crossrec_pipeline.evaluation.report.numbers import percent
from crossrec_pipeline.evaluation.report.standing import Standing

_HIT = "✓ "


def example_section(examples: Sequence[Example], order: Standing) -> Section | None:
    """Show single predictions; None without any."""
    if not examples:
        return None
    blocks: list[Block] = [
        Paragraph(
            "Predictions of test, drawn at random among those of the same outcome; the share says "
            f"how frequent that outcome is. Shown are the first {N_SHOWN} items of "
            f"{' and of '.join(order.pair)}; the one that came next is marked."
        )
    ]
    for number, example in enumerate(examples, start=1):
        blocks += _example(number, example)
    return Section("examples", "Examples", blocks)


def _example(number: int, example: Example) -> list[Block]:
    earlier = f"({example.n_earlier} earlier) → " if example.n_earlier else ""
    seen = " → ".join(_named(title) for title in example.seen)
    ranks = "; ".join(f"{of.model} ranks it {of.rank:,}" for of in example.suggestions)
    rows, marked = [], set()
    for place in range(max(len(of.titles) for of in example.suggestions)):
        row = [str(place + 1)]
        for of in example.suggestions:
            title = of.titles[place] if place < len(of.titles) else None
            if title is not None and title.is_next:
                marked.add((place, len(row)))
            row.append("" if title is None else (_HIT if title.is_next else "") + _named(title))
        rows.append(row)
    return [
        Subheading(f"{number}. {example.outcome} ({percent(example.share)} of the predictions)"),
        Paragraph(f"Seen: {earlier}{seen}. Came next: {_named(example.target)}; {ranks}."),
        Table(
            f"What each model would have shown ({number})",
            ["Place", *(of.model for of in example.suggestions)],
            rows,
            n_text_columns=1 + len(example.suggestions),
            marked=frozenset(marked),
        ),
    ]


def _named(title: Title) -> str:
    return f"{title.title} ({title.item_type})"
