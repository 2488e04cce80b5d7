"""A model bundle in; what ranks by it out: prepared once on disk, then opened by each process."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.additions import Additions
from crossrec_pipeline.models.growth import grow
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
    LoadedBundle,
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
from crossrec_pipeline.serving.engine.gru4rec import GRU4RecEngine, LaterItems
from crossrec_pipeline.serving.engine.item_table import (
    open_item_table,
    write_item_table,
    write_n_seen,
)
from crossrec_pipeline.serving.engine.whole_tables import map_whole_tables, write_whole_tables
from crossrec_pipeline.sessions.vocabulary import Vocabulary

ALL_SEARCHED_UP_TO = 200_000
"""Items that are always looked at all; more are put into clusters as well."""
N_SAMPLED = 1024
"""Sessions that decide how many items of clusters must be looked at."""
SEED = 20_230_302


def prepare_engine(
    bundle_dir: Path, engine_dir: Path, additions: Additions | None = None
) -> dict[str, Any]:
    """Write what an engine maps into memory; nothing for kinds that need no such thing.

    Parameters
    ----------
    bundle_dir
        A bundle's files.
    engine_dir
        An empty directory, or one that is not there yet.
    additions
        Items that came later; None where there are none.

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
    config, tensors = _read_gru4rec(bundle_dir, vocabulary)
    engine_dir.mkdir(parents=True, exist_ok=True)
    if additions is not None:
        write_whole_tables(engine_dir, tensors, additions)
        tensors = map_whole_tables(engine_dir, tensors, additions.n_items)
        vocabulary = vocabulary.grown(additions.items)
    data_version = _version(bundle, additions)
    weight, bias = tensors["output_weight"], tensors["output_bias"]
    clusters = np.zeros(vocabulary.n_items, dtype=np.int64)
    if vocabulary.n_items > ALL_SEARCHED_UP_TO:
        n_clusters = round(2 * vocabulary.n_items**0.5)
        clusters = cluster(np.column_stack([weight, bias]), n_clusters, SEED)
    write_item_table(engine_dir, weight, bias, vocabulary.type_codes, clusters, data_version)
    if vocabulary.n_items <= ALL_SEARCHED_UP_TO:
        return {"engine": "gru4rec", "clusters": 0}
    table = open_item_table(engine_dir, weight, bias, data_version)
    sample = sampled_states(SessionStates(config, tensors), vocabulary.support, N_SAMPLED, SEED)
    n_seen, recall = enough_items(table, sample)
    write_n_seen(engine_dir, n_seen, recall)
    return {"engine": "gru4rec", "clusters": len(table.segments), "items_looked_at": n_seen}


def load_engine(
    bundle_dir: Path, engine_dir: Path, additions: Additions | None = None
) -> tuple[Engine, Vocabulary, Bundle]:
    """Open an engine.

    Parameters
    ----------
    bundle_dir, engine_dir, additions
        As given to `prepare_engine`.

    Returns
    -------
    engine, vocabulary, bundle
        The vocabulary has the items that came later too.

    Raises
    ------
    BundleError
        If the bundle is not whole, or `engine_dir` is not what `prepare_engine` makes of it.
    """
    if open_bundle(bundle_dir).kind != "gru4rec":
        loaded = load_bundle(bundle_dir)
        if additions is not None:
            loaded = grown_bundle(loaded, additions)
        return DenseEngine(loaded.model, loaded.vocabulary), loaded.vocabulary, loaded.bundle
    bundle = verify_bundle(bundle_dir)
    vocabulary = Vocabulary.load(bundle_dir / VOCABULARY)
    config, tensors = _read_gru4rec(bundle_dir, vocabulary)
    later = None
    if additions is not None:
        tensors = map_whole_tables(engine_dir, tensors, additions.n_items)
        later = LaterItems(vocabulary.n_items, additions.version)
        vocabulary = vocabulary.grown(additions.items)
    states = SessionStates(config, tensors)
    weight, bias = tensors["output_weight"], tensors["output_bias"]
    table = open_item_table(engine_dir, weight, bias, _version(bundle, additions))
    search, notes = fastest_search(table, states, vocabulary.support)
    engine = GRU4RecEngine(states, weight, bias, search, bundle.data_version, notes, later)
    return engine, vocabulary, bundle


def grown_bundle(loaded: LoadedBundle, additions: Additions) -> LoadedBundle:
    """Return a bundle's model and vocabulary with items that came later.

    Raises
    ------
    TrainingError
        If the model cannot grow.
    """
    model, vocabulary = grow(loaded.model, loaded.vocabulary, additions)
    return LoadedBundle(model, vocabulary, loaded.bundle)


def read_gru4rec(
    bundle_dir: Path, vocabulary: Vocabulary
) -> tuple[SessionStates, dict[str, np.ndarray]]:
    """Map the weights of a bundle that has been verified; tied ones are there by both names.

    Raises
    ------
    BundleError
        If they are not those of a GRU4Rec of this vocabulary.
    """
    config, tensors = _read_gru4rec(bundle_dir, vocabulary)
    return SessionStates(config, tensors), tensors


def _version(bundle: Bundle, additions: Additions | None) -> str:
    """Name what an item table is of."""
    return bundle.data_version + (f"+{additions.version}" if additions is not None else "")


def _read_gru4rec(
    bundle_dir: Path, vocabulary: Vocabulary
) -> tuple[GRU4RecConfig, dict[str, np.ndarray]]:
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
    return config, tensors
