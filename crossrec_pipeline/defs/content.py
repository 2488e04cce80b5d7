"""Embeddings of the words of all items, of which only new ones are made."""

import dagster as dg
import numpy as np
import polars as pl

from crossrec_pipeline.defs.automation import with_upstream
from crossrec_pipeline.defs.catalogue import ITEMS_KEY
from crossrec_pipeline.defs.enrichments import ENRICHMENTS_KEY
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.metadata import markdown_table
from crossrec_pipeline.defs.stored import stored
from crossrec_pipeline.outputs import EMBEDDINGS, ENRICHMENTS, WAREHOUSE
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.settings import Settings

EMBEDDINGS_KEY = dg.AssetKey(["content", "embeddings"])

_SHOWN_OF_EACH_TYPE = 4


def _embeddings(*, reads_enrichments: bool) -> dg.AssetsDefinition:
    """Make the asset, downstream of what a language model writes where one is asked."""

    @dg.asset(
        key=EMBEDDINGS_KEY,
        deps=[ITEMS_KEY, *([ENRICHMENTS_KEY] if reads_enrichments else [])],
        group_name="content",
        kinds={"parquet"},
        owners=["team:ml"],
        code_version="1",
        pool=DUCKDB_POOL,
        automation_condition=with_upstream(),
        description=(
            "A vector of the words of each item (title, creators, genres, description), by a "
            "sentence model or by hashed words: items of like content are near each other, in any "
            "domain."
        ),
    )
    @reports_errors
    @stored(reads=[WAREHOUSE, ENRICHMENTS], writes=[EMBEDDINGS])
    def embeddings(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: Warehouse,
    ) -> dg.MaterializeResult:
        """Embed what is new or changed."""
        # They import numba and what reads and writes Parquet, which loading definitions must not.
        from crossrec_pipeline.content.embeddings import EMBEDDINGS_FILE, embed_items
        from crossrec_pipeline.content.encoders.choice import choose_encoder
        from crossrec_pipeline.content.texts import item_texts, read_enrichments

        items = warehouse.read("catalogue.items")
        more = read_enrichments(settings.content_dir)
        texts = item_texts(items, more)
        say = context.log.info
        chosen = choose_encoder(
            settings.content, texts["text"].to_list(), settings.content_dir, say
        )
        say(f"Items are embedded by {chosen.encoder.name}: {chosen.reason}.")
        path = settings.content_dir / EMBEDDINGS_FILE
        done = embed_items(texts, chosen.encoder, path, say)
        found = done.embeddings
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": found.n_items,
                "encoder": found.encoder,
                "why this encoder": chosen.reason,
                "dimensions": found.dimension,
                "embedded now": done.n_encoded,
                "items that are gone": done.n_gone,
                "items without words": done.n_empty,
                "items with further texts": _n_enriched(items, more),
                "seconds": round(done.seconds, 3),
                "items/s": round(done.n_encoded / done.seconds, 1) if done.n_encoded else 0.0,
                "path": dg.MetadataValue.path(path),
                "nearest in other domains": dg.MetadataValue.md(
                    _nearest_table(items, found.vectors, _SHOWN_OF_EACH_TYPE)
                ),
            },
            data_version=dg.DataVersion(found.version),
        )

    return embeddings


embeddings = _embeddings(reads_enrichments=False)
embeddings_of_enriched = _embeddings(reads_enrichments=True)


def embeddings_are_whole(settings: Settings) -> bool:
    """Say whether the file of embeddings can be read to its end."""
    from crossrec_pipeline.content.embeddings import EMBEDDINGS_FILE
    from crossrec_pipeline.content.vector_files import encoder_of
    from crossrec_pipeline.errors import ContentError

    try:
        encoder_of(settings.content_dir / EMBEDDINGS_FILE)
    except ContentError:
        return False
    return True


def _n_enriched(items: pl.DataFrame, more: pl.DataFrame | None) -> int:
    return 0 if more is None else items.join(more, on="item_id", how="semi").height


def _nearest_table(items: pl.DataFrame, vectors: np.ndarray, n_of_each_type: int) -> str:
    """Show the most popular items of each type beside what is nearest in the others."""
    from crossrec_pipeline.content.neighbours import nearest_by_type

    shown = (
        items.with_row_index("row")
        .sort("popularity", "item_id", descending=[True, False])
        .group_by("item_type", maintain_order=True)
        .head(n_of_each_type)
        .sort("item_type", maintain_order=True)
    )
    titles = items["title"].to_list()
    found = nearest_by_type(
        vectors, items["item_type"].to_list(), k=1, of_rows=shown["row"].to_numpy()
    )
    columns = {"item": shown["title"].to_list(), "type": shown["item_type"].to_list()}
    for code, item_type in enumerate(found.types):
        columns[f"nearest {item_type}"] = [
            "" if own == item_type or row < 0 else f"{titles[row]} ({cosine:.2f})"
            for own, row, cosine in zip(
                columns["type"], found.rows[:, code, 0], found.cosines[:, code, 0], strict=True
            )
        ]
    return markdown_table(pl.DataFrame(columns))
