"""The table of links between items, and the check that reviews it."""

import dagster as dg
import polars as pl

from crossrec_pipeline.catalogue.schema import ITEM_LINK_DESCRIPTIONS
from crossrec_pipeline.defs.automation import with_upstream
from crossrec_pipeline.defs.catalogue import ITEMS_KEY
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.metadata import counts_table, lineage, markdown_table, table_metadata
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.digests import frame_digest
from crossrec_pipeline.domains import load_domains
from crossrec_pipeline.outputs import WAREHOUSE
from crossrec_pipeline.quality.links import count_links, review_links, sample_links
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.settings import Settings

ITEM_LINKS_KEY = dg.AssetKey(["catalogue", "item_links"])
ITEM_LINKS_TABLE = "catalogue.item_links"
LINKS_CHECK = "links_reviewed"

_WIDE = 300
_COMPARED = ("title", "description", "creators", "release_date")


def story_order(settings: Settings) -> dict[str, int]:
    """Return the item types that tell stories, and their order."""
    return {
        spec.item_type: spec.story_order
        for spec in load_domains(settings.domains)
        if spec.story_order is not None
    }


@dg.asset(
    key=ITEM_LINKS_KEY,
    deps=[ITEMS_KEY],
    group_name="catalogue",
    kinds={"polars", "duckdb"},
    owners=["team:data"],
    code_version="1",
    pool=DUCKDB_POOL,
    automation_condition=with_upstream(),
    description=(
        "Which items tell one story (a book and its film), and which are editions of one work: "
        "linked, with a score and a reason, never merged."
    ),
)
@reports_errors
@stored(writes=[WAREHOUSE])
def item_links(settings: dg.ResourceParam[Settings], warehouse: Warehouse) -> dg.MaterializeResult:
    """Link the published items."""
    # It imports scipy, which loading the definitions must not wait for.
    from crossrec_pipeline.catalogue.links.linking import link_items

    items = warehouse.read("catalogue.items")
    links = link_items(items, story_order(settings))
    warehouse.replace_tables({ITEM_LINKS_TABLE: links})
    return dg.MaterializeResult(
        metadata={
            **table_metadata(links, ITEM_LINK_DESCRIPTIONS, ITEM_LINKS_TABLE),
            "links by kind and types": counts_table(count_links(links, items), "links", "n"),
            "linked items": pl.concat([links["item_id"], links["other_id"]]).n_unique(),
            "sample": _sample(links, items, seed=0),
            "dagster/column_lineage": lineage(
                {
                    "item_id": [(ITEMS_KEY, "item_id")],
                    "other_id": [(ITEMS_KEY, "item_id")],
                    "kind": [(ITEMS_KEY, "item_type")],
                    "score": [(ITEMS_KEY, name) for name in _COMPARED],
                    "reason": [(ITEMS_KEY, name) for name in _COMPARED],
                }
            ),
        },
        data_version=dg.DataVersion(frame_digest(links)),
    )


@dg.asset_check(
    asset=ITEM_LINKS_KEY,
    name=LINKS_CHECK,
    description=(
        "No item is linked with itself, with one that does not exist, or with very many; scores "
        "are from 0 to 1. Shows some links for a person to read. A warning stops nothing."
    ),
    pool=DUCKDB_POOL,
)
@reports_errors
@stored(reads=[WAREHOUSE])
def links_reviewed(
    settings: dg.ResourceParam[Settings], warehouse: Warehouse
) -> dg.AssetCheckResult:
    """Review the table of links."""
    links, items = warehouse.read(ITEM_LINKS_TABLE), warehouse.read("catalogue.items")
    findings = review_links(links, items, settings.quality.max_links_of_item)
    wrong = [str(finding) for finding in findings if not finding.passed]
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(wrong) or f"{links.height:,} links, nothing wrong with any",
        metadata={
            **{finding.name: finding.n_found for finding in findings},
            "links to read": _sample(links, items, seed=1),
        },
    )


def _sample(links: pl.DataFrame, items: pl.DataFrame, seed: int) -> dg.MarkdownMetadataValue:
    shown = sample_links(links, items, seed)
    if shown.is_empty():
        return dg.MetadataValue.md("none")
    return dg.MetadataValue.md(markdown_table(shown, cell_width=_WIDE))
