"""Typed catalogues and the split sessions go in; one HTML page with every chart comes out.

The page needs no network: pictures are SVG in the page, which follows the reader's light or dark
colours. Equal input gives the same page, byte for byte.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import polars as pl

from crossrec_pipeline.domains import DomainSpec
from crossrec_pipeline.exploration.aggregates import NoDataError, works
from crossrec_pipeline.exploration.catalogue_charts import catalogue_drawings, wording
from crossrec_pipeline.exploration.chart_forms import Chart
from crossrec_pipeline.exploration.session_charts import session_drawings
from crossrec_pipeline.rendering import alt_text, svg
from crossrec_pipeline.sessions.store import PARTS, SessionDataset

_TEMPLATES = Path(__file__).parent / "templates"
_PREVIEWS = 3


@dataclass(frozen=True)
class _Figure:
    title: str
    svg: str = ""
    alt: str = ""
    note: str = ""


@dataclass(frozen=True)
class _Section:
    anchor: str
    title: str
    facts: str
    figures: list[_Figure]


def build_page(
    catalogues: Sequence[tuple[DomainSpec, pl.DataFrame]], sessions: SessionDataset | None = None
) -> str:
    """Write the page of all exploratory charts.

    Parameters
    ----------
    catalogues
        Domains with their typed raw frames (`parse_columns`), in the page's order.
    sessions
        The split sessions; without them the page has no such section.

    Returns
    -------
    str
        A whole HTML document. Where a chart has nothing to show, a note says what is missing.
    """
    sections = [
        _Section(
            anchor=f"domain-{number}",
            title=spec.name.capitalize(),
            facts=_catalogue_facts(spec, frame),
            figures=_figures(catalogue_drawings(spec), frame),
        )
        for number, (spec, frame) in enumerate(catalogues, start=1)
    ]
    if sessions is not None:
        sections.append(
            _Section(
                "sessions",
                "Sessions",
                _session_facts(sessions),
                _figures(session_drawings(), sessions),
            )
        )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("page.html.j2").render(sections=sections)


def preview_charts(spec: DomainSpec, frame: pl.DataFrame) -> dict[str, Chart]:
    """Return up to three charts of a domain by title: its first ones that have data."""
    return _first(catalogue_drawings(spec), frame)


def preview_session_charts(sessions: SessionDataset) -> dict[str, Chart]:
    """Return up to three charts of the sessions by title: the first ones that have data."""
    return _first(session_drawings(), sessions)


def _first(drawings: Mapping[str, Callable[[Any], Chart]], data: Any) -> dict[str, Chart]:
    charts: dict[str, Chart] = {}
    for title, draw in drawings.items():
        if len(charts) == _PREVIEWS:
            break
        try:
            charts[title] = draw(data)
        except NoDataError:
            continue
    return charts


def _figures(drawings: Mapping[str, Callable[[Any], Chart]], data: Any) -> list[_Figure]:
    figures = []
    for title, draw in drawings.items():
        try:
            chart = draw(data)
        except NoDataError as error:
            figures.append(_Figure(title, note=str(error)))
        else:
            figures.append(_Figure(title, svg=svg(chart), alt=alt_text(chart)))
    return figures


def _catalogue_facts(spec: DomainSpec, frame: pl.DataFrame) -> str:
    n_works = works(frame, spec.natural_key).height
    return f"{frame.height:,} rows, {n_works:,} different {wording(spec).works}"


def _session_facts(sessions: SessionDataset) -> str:
    parts = [f"{part} {getattr(sessions, part).n_sessions:,}" for part in PARTS]
    return f"{', '.join(parts)} sessions; {sessions.vocabulary.n_items:,} known items"
