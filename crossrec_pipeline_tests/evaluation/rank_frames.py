"""RANKS frames written out row by row."""

import polars as pl

from crossrec_pipeline.evaluation.ranking import RANKS


def ranks_of(*rows: tuple[int, int, str, str, int, int, list[int]]) -> pl.DataFrame:
    """Session, position, source, target, rank, rank within type, ranks of the rest."""
    names = ("session", "position", "source_type", "target_type", "rank", "rank_within_type")
    frame = pl.DataFrame(rows, schema=[*names, "rest_ranks"], orient="row")
    return frame.with_columns(target_index=0, target_support=9).select(
        pl.col(name).cast(dtype) for name, dtype in RANKS.items()
    )
