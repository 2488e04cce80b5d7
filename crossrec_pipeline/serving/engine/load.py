"""A model bundle in; what ranks by it out: prepared once on disk, then opened by each process."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.session_states import (
    SessionStates,
    check_tensors,
    expected_shapes,
)
from crossrec_pipeline.models.mapped_tensors import map_tensors
from crossrec_pipeline.models.registry import (
    CONFIG,
    VOCABULARY,
    WEIGHTS,
    Bundle,
    load_bundle,
    open_bundle,
    verify_bundle,
)
from crossrec_pipeline.serving.engine.base import Engine
from crossrec_pipeline.serving.engine.choice import (
    enough_items,
    fastest_search,
    sampled_states,
)
from crossrec_pipeline.serving.engine.clusters import cluster
from crossrec_pipeline.serving.engine.dense import DenseEngine
from crossrec_pipeline.serving.engine.gru4rec import GRU4RecEngine
from crossrec_pipeline.serving.engine.item_table import (
    open_item_table,
    write_item_table,
    write_n_seen,
)
from crossrec_pipeline.sessions.vocabulary import Vocabulary

ALL_SEARCHED_UP_TO = 200_000
"""Items that are always looked at all; more are put into clusters as well."""
N_SAMPLED = 1024
"""Sessions that decide how many items of clusters must be looked at."""
SEED = 20_230_302


def prepare_engine(bundle_dir: Path, engine_dir: Path) -> dict[str, Any]:
    """Write what an engine maps into memory; nothing for kinds that need no such thing.

    Parameters
    ----------
    bundle_dir
        A bundle's files.
    engine_dir
        An empty directory, or one that is not there yet.

    Returns
    -------
    dict
        Notes for a manifest, JSON-like.

    Raises
    ------
    BundleError
        If the bundle is not whole, or its weights give no scores.
    """
    bundle = verify_bundle(bundle_dir)
    if bundle.kind != "gru4rec":
        return {"engine": "dense"}
    vocabulary = Vocabulary.load(bundle_dir / VOCABULARY)
    states, tensors = read_gru4rec(bundle_dir, vocabulary)
    weight, bias = tensors["output_weight"], tensors["output_bias"]
    clusters = np.zeros(vocabulary.n_items, dtype=np.int64)
    if vocabulary.n_items > ALL_SEARCHED_UP_TO:
        n_clusters = round(2 * vocabulary.n_items**0.5)
        clusters = cluster(np.column_stack([weight, bias]), n_clusters, SEED)
    engine_dir.mkdir(parents=True, exist_ok=True)
    write_item_table(engine_dir, weight, bias, vocabulary.type_codes, clusters, bundle.data_version)
    if vocabulary.n_items <= ALL_SEARCHED_UP_TO:
        return {"engine": "gru4rec", "clusters": 0}
    table = open_item_table(engine_dir, weight, bias, bundle.data_version)
    sample = sampled_states(states, vocabulary.support, N_SAMPLED, SEED)
    n_seen, recall = enough_items(table, sample)
    write_n_seen(engine_dir, n_seen, recall)
    return {"engine": "gru4rec", "clusters": len(table.segments), "items_looked_at": n_seen}


def load_engine(bundle_dir: Path, engine_dir: Path) -> tuple[Engine, Vocabulary, Bundle]:
    """Open an engine.

    Parameters
    ----------
    bundle_dir, engine_dir
        As given to `prepare_engine`.

    Raises
    ------
    BundleError
        If the bundle is not whole, or `engine_dir` is not what `prepare_engine` makes of it.
    """
    if open_bundle(bundle_dir).kind != "gru4rec":
        loaded = load_bundle(bundle_dir)
        return DenseEngine(loaded.model, loaded.vocabulary), loaded.vocabulary, loaded.bundle
    bundle = verify_bundle(bundle_dir)
    vocabulary = Vocabulary.load(bundle_dir / VOCABULARY)
    states, tensors = read_gru4rec(bundle_dir, vocabulary)
    weight, bias = tensors["output_weight"], tensors["output_bias"]
    table = open_item_table(engine_dir, weight, bias, bundle.data_version)
    search, notes = fastest_search(table, states, vocabulary.support)
    engine = GRU4RecEngine(states, weight, bias, search, bundle.data_version, notes)
    return engine, vocabulary, bundle


def read_gru4rec(
    bundle_dir: Path, vocabulary: Vocabulary
) -> tuple[SessionStates, dict[str, np.ndarray]]:
    """Map the weights of a bundle that has been verified; tied ones are there by both names.

    Raises
    ------
    BundleError
        If they are not those of a GRU4Rec of this vocabulary.
    """
    try:
        config = GRU4RecConfig(**json.loads((bundle_dir / CONFIG).read_text(encoding="utf-8")))
        tensors = map_tensors(bundle_dir / WEIGHTS)
    except (TypeError, ValueError) as error:
        raise BundleError(
            f"{bundle_dir} is whole, but is no GRU4Rec that this version can read ({error}). Train "
            "the model again."
        ) from error
    check_tensors(tensors, expected_shapes(config, vocabulary.n_items))
    if config.tied:
        tensors["output_weight"] = tensors["input_embedding"]
    return SessionStates(config, tensors), tensors
