"""Lists and what came next go in; the share of each popularity decile comes out.

A model that names popular items more often than they are used shows here what no hit rate tells.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.contexts import popularity_deciles
from crossrec_pipeline.evaluation.top_lists import TopLists
from crossrec_pipeline.sessions.vocabulary import Vocabulary

POPULARITY_SHARES: dict[str, pl.DataType] = {
    "model": pl.String(),
    "decile": pl.Int32(),
    "share": pl.Float64(),
}
"""One row a model and decile of train support among the items of the vocabulary, 10 the most
popular. `share` is that of all items its lists name; null without lists."""

TARGETS = "what came next"
"""In place of a model: the items that really came next."""


def popularity_shares(
    lists: Mapping[str, TopLists], target_index: np.ndarray, vocabulary: Vocabulary
) -> pl.DataFrame:
    """Compare how popular the shown items are with how popular those are that came next.

    Parameters
    ----------
    lists
        What each model shows, by its name.
    target_index
        Item that came next, of all predictions, int [P].
    vocabulary
        Train support is its.

    Returns
    -------
    pl.DataFrame
        Columns of `POPULARITY_SHARES`: `TARGETS` first, then the models in the order given.
    """
    decile = popularity_deciles(vocabulary.support)
    named = {TARGETS: target_index, **{model: of.items.ravel() for model, of in lists.items()}}
    rows = [
        (model, at + 1, count / len(items) if len(items) else None)
        for model, items in named.items()
        for at, count in enumerate(np.bincount(decile[items], minlength=10).tolist())
    ]
    return pl.DataFrame(rows, schema=pl.Schema(POPULARITY_SHARES), orient="row")
