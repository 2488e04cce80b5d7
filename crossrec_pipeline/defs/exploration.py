"""One page of charts about the catalogues and the sessions."""

import dagster as dg
import polars as pl

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.defs.automation import with_upstream
from crossrec_pipeline.defs.catalogue import ITEMS_KEY, raw_path
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.sessions import SEQUENCES_KEY
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.digests import text_digest
from crossrec_pipeline.domains import load_domains
from crossrec_pipeline.outputs import CHARTS, SESSIONS, raw_catalogues
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import Settings


@dg.asset(
    key=["exploration", "charts"],
    deps=[ITEMS_KEY, SEQUENCES_KEY],
    group_name="exploration",
    kinds={"altair", "html"},
    owners=["team:data"],
    code_version="1",
    automation_condition=with_upstream(),
    description=(
        "Genres, releases, money, crews, ratings, audio features and authors; session lengths, "
        "types per session and transitions: one self-contained page."
    ),
)
@reports_errors
@stored(reads=[raw_catalogues, SESSIONS], writes=[CHARTS])
def charts(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """Draw the page."""
    from crossrec_pipeline.catalogue.parse import parse_columns
    from crossrec_pipeline.exploration.page import (
        build_page,
        preview_charts,
        preview_session_charts,
    )
    from crossrec_pipeline.rendering import png_markdown

    catalogues = [
        (spec, parse_columns(pl.read_parquet(raw_path(settings, spec.name)), spec))
        for spec in load_domains(settings.domains)
    ]
    dataset = SessionDataset.open(settings.sessions_dir)
    page = build_page(catalogues, dataset)
    path = settings.data_dir / "exploration" / "charts.html"
    with atomic_file(path) as partial:
        partial.write_text(page)
    previews = {
        f"{spec.name}: {title}": chart
        for spec, frame in catalogues
        for title, chart in preview_charts(spec, frame).items()
    } | preview_session_charts(dataset)
    return dg.MaterializeResult(
        metadata={
            "page": dg.MetadataValue.path(path),
            **{
                title: dg.MetadataValue.md(png_markdown(chart)) for title, chart in previews.items()
            },
        },
        data_version=dg.DataVersion(text_digest(page)),
    )
