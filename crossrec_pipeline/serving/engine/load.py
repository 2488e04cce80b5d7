"""A model bundle in; what ranks by it out: prepared once on disk, then opened by each process."""

from pathlib import Path
from typing import Any

from crossrec_pipeline.models.registry import Bundle, load_bundle
from crossrec_pipeline.serving.engine.base import Engine
from crossrec_pipeline.serving.engine.dense import DenseEngine
from crossrec_pipeline.sessions.vocabulary import Vocabulary


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
        If the bundle is not whole.
    """
    return {}


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
    loaded = load_bundle(bundle_dir)
    return DenseEngine(loaded.model, loaded.vocabulary), loaded.vocabulary, loaded.bundle
