"""Raw catalogues, the staged table of items, and the published one."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.catalogue.clean import clean
from crossrec_pipeline.catalogue.load import SourceReader
from crossrec_pipeline.catalogue.schema import (
    ITEM_DESCRIPTIONS,
    ITEM_IDS,
    ITEMS,
    REJECTED_ITEMS,
)
from crossrec_pipeline.catalogue.unify import unify
from crossrec_pipeline.defs.automation import after_upstream, with_upstream
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.metadata import counts_table, lineage, table_metadata
from crossrec_pipeline.defs.sources import source_key
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.digests import frame_digest, json_digest
from crossrec_pipeline.domains import DomainSpec, load_domains
from crossrec_pipeline.errors import QualityError
from crossrec_pipeline.outputs import WAREHOUSE, raw_catalogue, raw_catalogues
from crossrec_pipeline.quality.history import BUILD_HISTORY, build_history
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.settings import Settings

STAGED_ITEMS = dg.AssetKey(["catalogue", "staged_items"])
ITEMS_KEY = dg.AssetKey(["catalogue", "items"])
REJECTED_KEY = dg.AssetKey(["catalogue", "rejected_items"])
AUDITS: dict[str, pl.DataType] = {"version": pl.String(), "passed": pl.Boolean()}
"""`quality.audit`: the one row says which staged version was looked at last, and the verdict."""


def raw_key(domain: str) -> dg.AssetKey:
    """Return the key of a domain's raw table."""
    return dg.AssetKey(["catalogue", f"raw_{domain}"])


def raw_path(settings: Settings, domain: str) -> Path:
    """Return where a domain's raw table lies."""
    return settings.raw_dir / f"{domain}.parquet"


def raw_asset(spec: DomainSpec) -> dg.AssetsDefinition:
    """Make the asset that takes in one domain's catalogue."""

    @dg.asset(
        key=raw_key(spec.name),
        deps=[source_key(spec.name)],
        group_name="catalogue",
        kinds={"polars", "parquet"},
        owners=["team:data"],
        code_version="1",
        automation_condition=with_upstream(),
        description=(
            f"The {spec.name} catalogue as delivered: every declared column as text, with the row "
            "it stood in. Nothing is dropped or changed here."
        ),
    )
    @reports_errors
    @stored(writes=[raw_catalogue(spec.name)])
    def raw(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        catalogue = SourceReader.from_settings(settings).load(spec, settings.source(spec.name))
        with atomic_file(raw_path(settings, spec.name)) as partial:
            catalogue.frame.write_parquet(partial)
        return dg.MaterializeResult(
            metadata={
                **table_metadata(catalogue.frame),
                "files": ", ".join(str(file) for file in catalogue.files),
                "missing optional columns": ", ".join(catalogue.missing_columns) or "none",
                "unparseable cells": counts_table(catalogue.unparseable, "column", "cells"),
            },
            data_version=dg.DataVersion(frame_digest(catalogue.frame)),
        )

    return raw


def staged_asset(domains: tuple[DomainSpec, ...]) -> dg.AssetsDefinition:
    """Make the asset that cleans and unifies all domains into the staged table."""

    @dg.asset(
        key=STAGED_ITEMS,
        deps=[raw_key(spec.name) for spec in domains],
        group_name="catalogue",
        kinds={"polars", "duckdb"},
        owners=["team:data"],
        code_version="1",
        pool=DUCKDB_POOL,
        automation_condition=with_upstream(),
        description=(
            "All domains cleaned and unified, waiting for the blocking checks. Nothing reads it "
            "but the checks and the publication."
        ),
    )
    @reports_errors
    @stored(reads=[raw_catalogues], writes=[WAREHOUSE])
    def staged_items(
        settings: dg.ResourceParam[Settings], warehouse: Warehouse
    ) -> dg.MaterializeResult:
        cleaned = [clean(pl.read_parquet(raw_path(settings, spec.name)), spec) for spec in domains]
        unified = unify(cleaned, warehouse.read_or_empty("catalogue.item_ids", ITEM_IDS))
        version = json_digest([frame_digest(unified.items), frame_digest(unified.rejected)])
        warehouse.replace_tables(
            {
                "staging.items": unified.items,
                "staging.rejected_items": unified.rejected,
                "staging.item_ids": unified.item_ids,
                "staging.build": pl.DataFrame({"version": [version]}),
            },
            enums={"item_type": _item_types(domains, unified.item_ids)},
        )
        return dg.MaterializeResult(
            metadata={
                **table_metadata(unified.items, ITEM_DESCRIPTIONS, "staging.items"),
                **_unified_counts(unified.items, unified.rejected),
                "unparseable cells": counts_table(
                    {
                        f"{each.spec.name}.{column}": n
                        for each in cleaned
                        for column, n in each.unparseable.items()
                    },
                    "column",
                    "cells",
                ),
                "dagster/column_lineage": lineage(
                    {
                        name: [
                            (raw_key(spec.name), column.name)
                            for spec in domains
                            if (column := spec.by_item_column.get(name))
                        ]
                        for name in ITEMS
                        if any(name in spec.by_item_column for spec in domains)
                    }
                ),
            },
            data_version=dg.DataVersion(version),
        )

    return staged_items


def _item_types(domains: tuple[DomainSpec, ...], item_ids: pl.DataFrame) -> list[str]:
    """List the item types: the ledger also remembers those of domains since taken out."""
    remembered = item_ids["item_type"].unique().sort().to_list()
    return list(dict.fromkeys([*(spec.item_type for spec in domains), *remembered]))


def _unified_counts(items: pl.DataFrame, rejected: pl.DataFrame) -> dict[str, dg.MetadataValue]:
    by_type = dict(items["item_type"].value_counts(sort=True, name="n").iter_rows())
    reasons = dict(
        rejected.select(pl.format("{}: {}", "item_type", "reason").alias("reason"))["reason"]
        .value_counts(sort=True, name="n")
        .iter_rows()
    )
    imputed = dict(
        items.explode("imputed")
        .drop_nulls("imputed")
        .select(pl.format("{}: {}", "item_type", "imputed").alias("cell"))["cell"]
        .value_counts(sort=True, name="n")
        .iter_rows()
    )
    return {
        "items by type": counts_table(by_type, "type", "items"),
        "rejected by reason": counts_table(reasons, "type: reason", "rows"),
        "filled cells": counts_table(imputed, "type: column", "cells"),
    }


@dg.multi_asset(
    name="publish_catalogue",
    specs=[
        dg.AssetSpec(
            ITEMS_KEY,
            deps=[STAGED_ITEMS],
            group_name="catalogue",
            kinds={"duckdb"},
            owners=["team:data"],
            code_version="1",
            automation_condition=after_upstream(),
            description=(
                "The unified catalogue, one row an item. Published from the staged table only "
                "when every blocking check has passed on exactly that version of it."
            ),
        ),
        dg.AssetSpec(
            REJECTED_KEY,
            deps=[STAGED_ITEMS],
            group_name="catalogue",
            kinds={"duckdb"},
            owners=["team:data"],
            code_version="1",
            automation_condition=after_upstream(),
            description="Every source row that is no item of its own, with the reason.",
        ),
    ],
    pool=DUCKDB_POOL,
)
@reports_errors
@stored(reads=[raw_catalogues], writes=[WAREHOUSE])
def publish_catalogue(settings: dg.ResourceParam[Settings], warehouse: Warehouse):
    """Publish the staged table in one transaction, if its checks have passed."""
    domains = load_domains(settings.domains)
    items = warehouse.read("staging.items")
    rejected = warehouse.read("staging.rejected_items")
    version = warehouse.read("staging.build")["version"].item()
    audit = warehouse.read_or_empty("quality.audit", AUDITS)
    if audit.filter(pl.col("version") == version, "passed").is_empty():
        raise QualityError(
            f"The staged items (version {version}) have not passed their checks, so they are not "
            "published; catalogue.items stays as it was. Look at the checks of "
            "catalogue/staged_items, repair the source, and materialise it again with its checks."
        )
    history = warehouse.read_or_empty("quality.build_history", BUILD_HISTORY)
    raw = {spec.name: pl.read_parquet(raw_path(settings, spec.name)) for spec in domains}
    built_at = datetime.now(UTC)
    new_rows = build_history(domains, items, rejected, raw, built_at, version)
    known = not history.is_empty() and history.sort("built_at")["version"][-1] == version
    item_ids = warehouse.read("staging.item_ids")
    warehouse.replace_tables(
        {
            "catalogue.items": items,
            "catalogue.rejected_items": rejected,
            "catalogue.item_ids": item_ids,
        },
        appended={} if known else {"quality.build_history": new_rows},
        enums={"item_type": _item_types(domains, item_ids)},
    )
    yield dg.MaterializeResult(
        asset_key=ITEMS_KEY,
        metadata={
            **table_metadata(items, ITEM_DESCRIPTIONS, "catalogue.items"),
            **_unified_counts(items, rejected),
            **_preview_charts(domains, raw),
            "dagster/column_lineage": lineage({name: [(STAGED_ITEMS, name)] for name in ITEMS}),
        },
        data_version=dg.DataVersion(frame_digest(items)),
    )
    yield dg.MaterializeResult(
        asset_key=REJECTED_KEY,
        metadata=table_metadata(
            rejected.select(list(REJECTED_ITEMS)), table="catalogue.rejected_items"
        ),
        data_version=dg.DataVersion(frame_digest(rejected)),
    )


def _preview_charts(
    domains: tuple[DomainSpec, ...], raw: dict[str, pl.DataFrame]
) -> dict[str, dg.MetadataValue]:
    from crossrec_pipeline.catalogue.parse import parse_columns
    from crossrec_pipeline.exploration.page import preview_charts
    from crossrec_pipeline.rendering import png_markdown

    return {
        f"{spec.name}: {title}": dg.MetadataValue.md(png_markdown(chart))
        for spec in domains
        for title, chart in preview_charts(spec, parse_columns(raw[spec.name], spec)).items()
    }
