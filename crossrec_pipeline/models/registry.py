"""From a fitted model to a versioned bundle on disk, and from a bundle to a model that serves.

A bundle is the directory ``<models_dir>/<kind>/<version>/`` with `weights.safetensors`,
`config.json`, `vocabulary.parquet`, `manifest.json` and `MODEL_CARD.md`, which says what the others
do in words and tables. ``<models_dir>/champion.json`` names the one that is served; how it came to
that is in `promotions.py`, and what the gate found of a bundle in its `verdict.json`.
"""

import difflib
import importlib
import importlib.metadata
import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
from polars.exceptions import PolarsError
from safetensors import SafetensorError, safe_open

from crossrec_pipeline.atomic import (
    atomic_directory,
    remove_directory,
    scratch_directory,
)
from crossrec_pipeline.digests import file_sha256, json_digest, text_digest
from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.base import Recommender
from crossrec_pipeline.models.card import model_card
from crossrec_pipeline.models.promotions import (
    CHAMPION,
    By,
    Champion,
    earlier_champions,
    promotions_held,
    read_champion,
    read_promotions,
    record_promotion,
)
from crossrec_pipeline.models.verdict import read_verdict
from crossrec_pipeline.sessions.vocabulary import Vocabulary

FORMAT_VERSION = 1
KINDS: dict[str, str] = {
    "popularity": "crossrec_pipeline.models.popularity:Popularity",
    "markov": "crossrec_pipeline.models.markov:Markov",
    "session_popularity": "crossrec_pipeline.models.session_popularity:SessionPopularity",
    "association_rules": "crossrec_pipeline.models.rules.association:AssociationRules",
    "sequential_rules": "crossrec_pipeline.models.rules.sequential:SequentialRules",
    "item_knn": "crossrec_pipeline.models.rules.item_knn:ItemKNN",
    "ease": "crossrec_pipeline.models.rules.ease:EASE",
    "sknn": "crossrec_pipeline.models.neighbours.sknn:SKNN",
    "vsknn": "crossrec_pipeline.models.neighbours.vsknn:VSKNN",
    "vmis": "crossrec_pipeline.models.neighbours.vmis:VMIS",
    "stan": "crossrec_pipeline.models.neighbours.stan:STAN",
    "vstan": "crossrec_pipeline.models.neighbours.vstan:VSTAN",
    "gru4rec": "crossrec_pipeline.models.gru4rec.model:GRU4Rec",
    "hybrid": "crossrec_pipeline.models.hybrid.model:Hybrid",
}
"""Where each kind's class is; imported when a bundle of the kind is loaded."""

WEIGHTS = "weights.safetensors"
CONFIG = "config.json"
VOCABULARY = "vocabulary.parquet"
MANIFEST = "manifest.json"
CARD = "MODEL_CARD.md"

REFUSED_KEPT = 3
"""Bundles that the gate refused, of each kind, that pruning leaves for a person to look at."""

_HASHED = (WEIGHTS, CONFIG, VOCABULARY)
_REBUILD = "Restore it from a copy, or train the model again: `crossrec run` notices and does so."
_PACKAGE = "crossrec-pipeline"
_RECORDED_PACKAGES = (_PACKAGE, "numpy", "polars", "safetensors", "torch")


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk and what its manifest says.

    Attributes
    ----------
    path
        The directory.
    kind
        Family of the model, a key of `KINDS`.
    version
        Name of the directory: time of making (UTC) and the start of the content digest.
    data_version
        Digest of weights, configuration and vocabulary: equal models have equal ones.
    manifest
        All of `manifest.json`.
    """

    path: Path
    kind: str
    version: str
    data_version: str
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        """``<kind>/<version>``."""
        return f"{self.kind}/{self.version}"

    @property
    def size_bytes(self) -> int:
        """Bytes of weights, configuration and vocabulary."""
        return sum(file["bytes"] for file in self.manifest["files"].values())


@dataclass(frozen=True)
class LoadedBundle:
    """A verified bundle, ready to score."""

    model: Recommender
    vocabulary: Vocabulary
    bundle: Bundle

    @property
    def manifest(self) -> dict[str, Any]:
        """All of `manifest.json`."""
        return self.bundle.manifest


def save_bundle(
    model: Recommender,
    vocabulary: Vocabulary,
    models_dir: Path,
    *,
    inputs: Mapping[str, str],
    metrics: Mapping[str, Any] | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    summary: Mapping[str, Any] | None = None,
    seeds: Mapping[str, int] | None = None,
    code_version: str | None = None,
    created_at: datetime | None = None,
) -> Bundle:
    """Write a fitted model as a new bundle, whole or not at all.

    Numbers that are not finite are stored as null, since JSON has none.

    Parameters
    ----------
    model
        A fitted model of a kind in `KINDS`.
    vocabulary
        The vocabulary it was fitted with.
    models_dir
        Holds all bundles.
    inputs
        Data version of everything the model was made from, by name.
    metrics
        Figures of an evaluation, by name.
    history, summary
        What training did, as in `FitReport`.
    seeds
        Seeds of the training, by name.
    code_version
        Version of the code that trained; this package's version by default.
    created_at
        Time of making, with a time zone; now by default.

    Raises
    ------
    BundleError
        If the model's kind is not in `KINDS`: it could not be loaded again.
    """
    _check_kind(model.kind, "The model")
    created = (created_at or datetime.now(UTC)).astimezone(UTC)
    kind_dir = models_dir / model.kind
    # The version holds a digest of the weights, so they are written before it is known.
    with scratch_directory(kind_dir, "weights") as staging:
        weights = staging / WEIGHTS
        model.save_weights(weights)
        config = _json_ready(model.config())
        data_version = text_digest(
            model.kind, file_sha256(weights), json_digest(config), vocabulary.digest
        )
        version = f"{created:%Y%m%dT%H%M%S%fZ}-{data_version[:8]}"
        with atomic_directory(kind_dir / version) as partial:
            weights.rename(partial / WEIGHTS)
            _write_json(partial / CONFIG, config)
            vocabulary.save(partial / VOCABULARY)
            manifest = {
                "format_version": FORMAT_VERSION,
                "kind": model.kind,
                "version": version,
                "data_version": data_version,
                "created_at": created.isoformat(),
                "code_version": code_version or _installed_version(_PACKAGE),
                "inputs": dict(inputs),
                "seeds": dict(seeds or {}),
                "packages": {
                    "python": platform.python_version(),
                    **{name: _installed_version(name) for name in _RECORDED_PACKAGES},
                },
                "vocabulary": {"items": vocabulary.n_items, "digest": vocabulary.digest},
                "parameters": _count_values(partial / WEIGHTS),
                "metrics": _json_ready(metrics or {}),
                "training": {
                    "summary": _json_ready(summary or {}),
                    "history": _json_ready(history),
                },
                "files": {
                    name: {
                        "sha256": file_sha256(partial / name),
                        "bytes": (partial / name).stat().st_size,
                    }
                    for name in _HASHED
                },
            }
            _write_json(partial / MANIFEST, manifest)
            # Nothing reads it back, so it is not among the files whose hashes are looked at.
            (partial / CARD).write_text(model_card(manifest, config), encoding="utf-8")
    return open_bundle(kind_dir / version)


def open_bundle(path: Path) -> Bundle:
    """Read a bundle's manifest, and nothing else of it.

    Raises
    ------
    BundleError
        If there is no readable manifest of a known format and kind.
    """
    manifest_path = path / MANIFEST
    manifest = _read_json(manifest_path)
    format_version = manifest.get("format_version")
    if format_version != FORMAT_VERSION:
        raise BundleError(
            f"{manifest_path} has format version {format_version!r}; this version of "
            f"{_PACKAGE} reads {FORMAT_VERSION}. Use the version that wrote it "
            f"({manifest.get('code_version', 'not recorded')}), or train the model again."
        )
    for key in ("kind", "version", "data_version", "files"):
        if key not in manifest:
            raise BundleError(f"{manifest_path} has no {key!r}: it was altered. {_REBUILD}")
    _check_kind(manifest["kind"], str(manifest_path))
    files = manifest["files"]
    if not isinstance(files, dict) or not all(
        isinstance(recorded, dict) and {"sha256", "bytes"} <= recorded.keys()
        for recorded in files.values()
    ):
        raise BundleError(f"{manifest_path} lists no sizes and hashes of files. {_REBUILD}")
    return Bundle(path, manifest["kind"], manifest["version"], manifest["data_version"], manifest)


def bundle_card(bundle: Bundle) -> str:
    """Describe a bundle in Markdown, as its `MODEL_CARD.md` did when it was made.

    Raises
    ------
    BundleError
        If its configuration cannot be read.
    """
    return model_card(bundle.manifest, _read_json(bundle.path / CONFIG))


def verify_bundle(path: Path) -> Bundle:
    """Read a bundle's manifest, and its files to see that they are those it lists.

    Raises
    ------
    BundleError
        Naming the file that is missing, truncated or altered, or the unknown format or kind.
    """
    bundle = open_bundle(path)
    for name in _HASHED:
        _verify(path / name, bundle.manifest["files"].get(name))
    return bundle


def load_bundle(path: Path) -> LoadedBundle:
    """Verify a bundle's files and make its model.

    Raises
    ------
    BundleError
        Naming the file that is missing, truncated or altered, or the unknown format or kind.
    """
    bundle = verify_bundle(path)
    try:
        vocabulary = Vocabulary.load(path / VOCABULARY)
        model = model_class(bundle.kind).restore(
            _read_json(path / CONFIG), path / WEIGHTS, vocabulary
        )
    except (KeyError, TypeError, ValueError, PolarsError, SafetensorError) as error:
        raise BundleError(
            f"{path} is whole, but this version of {_PACKAGE} cannot read it ({error}). Use the "
            f"version that wrote it ({bundle.manifest.get('code_version', 'not recorded')}), or "
            "train the model again."
        ) from error
    return LoadedBundle(model, vocabulary, bundle)


def model_class(kind: str) -> type[Recommender]:
    """Import the class of a kind.

    Raises
    ------
    BundleError
        If the kind is not in `KINDS`.
    """
    _check_kind(kind, "The request")
    module, _, name = KINDS[kind].partition(":")
    return cast("type[Recommender]", getattr(importlib.import_module(module), name))


def list_bundles(models_dir: Path, kind: str) -> list[Path]:
    """Return the directories of a kind's bundles, oldest first."""
    return sorted(
        manifest.parent
        for manifest in (models_dir / kind).glob(f"*/{MANIFEST}")
        if not manifest.parent.name.startswith(".")
    )


def latest_bundle(models_dir: Path, kind: str) -> Bundle | None:
    """Return the newest bundle of a kind, or None where there is none."""
    paths = list_bundles(models_dir, kind)
    return open_bundle(paths[-1]) if paths else None


def find_bundle(models_dir: Path, name: str) -> Bundle:
    """Open the bundle that a person names: ``<kind>/<version>``, or ``champion``.

    Raises
    ------
    BundleError
        If there is no such bundle, with the nearest names; or no champion yet.
    """
    if name == "champion":
        path = champion_path(models_dir)
        if path is None:
            raise BundleError(
                f"There is no champion in {models_dir} yet: run `crossrec run` first."
            )
        return open_bundle(path)
    known = {
        f"{kind}/{path.name}": path for kind in KINDS for path in list_bundles(models_dir, kind)
    }
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`crossrec models list` lists all."
        raise BundleError(f"{name!r} is not a bundle of {models_dir}. {hint}")
    return open_bundle(known[name])


def promote(models_dir: Path, bundle: Bundle, *, reason: str, by: By = "gate") -> Champion:
    """Make a bundle the served one, in one step: readers see the old champion or the new one.

    Parameters
    ----------
    models_dir
        Holds the bundle, the pointer to the champion and the history of promotions.
    bundle
        The bundle to serve.
    reason
        Why, in words; kept with the pointer and in the history.
    by
        Who decided.

    Raises
    ------
    BundleError
        If the bundle is not one of `models_dir`.
    """
    if not (models_dir / bundle.kind / bundle.version / MANIFEST).is_file():
        raise BundleError(
            f"{bundle.name} is not a bundle of {models_dir}, so it cannot be promoted. Save it "
            "there first."
        )
    with promotions_held(models_dir):
        return record_promotion(
            models_dir, bundle.kind, bundle.version, bundle.data_version, reason=reason, by=by
        )


def rollback(models_dir: Path, *, reason: str) -> Champion:
    """Serve the bundle again that was served before the champion; see `earlier_champions`.

    Bundles that are gone or damaged are passed over.

    Parameters
    ----------
    models_dir
        Holds the bundles, the pointer to the champion and the history of promotions.
    reason
        Why, in words; kept with the pointer and in the history.

    Raises
    ------
    BundleError
        If there is no champion, or nothing whole was served before it.
    """
    with promotions_held(models_dir):
        promotions = read_promotions(models_dir)
        if not promotions:
            raise BundleError(
                f"There is no champion in {models_dir} yet: run `crossrec run` first."
            )
        bundle = standby(models_dir)
        if bundle is None:
            raise BundleError(
                f"There is nothing to roll back to from {promotions[-1].name}: no bundle that was "
                f"served before it is whole and still in {models_dir}. `crossrec models list` "
                "lists what could be promoted."
            )
        return record_promotion(
            models_dir,
            bundle.kind,
            bundle.version,
            bundle.data_version,
            reason=reason,
            by="rollback",
        )


def standby(models_dir: Path) -> Bundle | None:
    """Return the whole bundle that a rollback would serve, or None where there is none.

    Raises
    ------
    BundleError
        If the history of promotions cannot be read.
    """
    for earlier in earlier_champions(read_promotions(models_dir)):
        try:
            return verify_bundle(models_dir / earlier.kind / earlier.version)
        except BundleError:
            continue
    return None


def champion_path(models_dir: Path) -> Path | None:
    """Return the directory of the served bundle, or None before the first promotion.

    Raises
    ------
    BundleError
        If the pointer cannot be read or names a bundle that is gone.
    """
    champion = read_champion(models_dir)
    if champion is None:
        return None
    path = models_dir / champion.kind / champion.version
    if not path.is_dir():
        raise BundleError(
            f"{models_dir / CHAMPION} names {champion.kind}/{champion.version}, which is gone. "
            "Restore it from a copy, or promote another bundle: `crossrec run` notices and does so."
        )
    return path


def prune_bundles(models_dir: Path, kind: str, keep: int) -> list[Path]:
    """Delete a kind's bundles but the newest, the champion, the one before, and some refused ones.

    Parameters
    ----------
    models_dir
        Holds all bundles.
    kind
        Family of models.
    keep
        How many of the newest stay, at least 1; `REFUSED_KEPT` refused ones stay beside them.

    Returns
    -------
    list of Path
        What was deleted.

    Raises
    ------
    BundleError
        If `keep` is below 1.
    """
    if keep < 1:
        raise BundleError(f"keep={keep} would delete every {kind} bundle; keep at least 1.")
    with promotions_held(models_dir):
        try:
            champion, before = read_champion(models_dir), standby(models_dir)
        except BundleError:
            return []  # any of them may be the one that is served
        served = {models_dir / champion.kind / champion.version} if champion else set()
        bundles = list_bundles(models_dir, kind)
        refused = [path for path in bundles if _is_refused(path)]
        kept = {*served, *bundles[-keep:], *refused[-REFUSED_KEPT:]}
        kept |= {before.path} if before else set()
        doomed = [path for path in bundles if path not in kept]
        for path in doomed:
            remove_directory(path)
    return doomed


def _is_refused(path: Path) -> bool:
    """Say whether the gate refused a bundle; one whose verdict cannot be read is left to people."""
    try:
        verdict = read_verdict(path)
    except BundleError:
        return True
    return verdict is not None and not verdict.promoted


def _check_kind(kind: str, where: str) -> None:
    if kind not in KINDS:
        raise BundleError(
            f"{where} names the model kind {kind!r}; known kinds are {', '.join(sorted(KINDS))}. "
            "Add the kind to the registry, or use a bundle of a known one."
        )


def _verify(path: Path, recorded: Mapping[str, Any] | None) -> None:
    if recorded is None:
        raise BundleError(f"{path.parent / MANIFEST} does not list {path.name}. {_REBUILD}")
    if not path.is_file():
        raise BundleError(f"{path} is missing. {_REBUILD}")
    size = path.stat().st_size
    if size != recorded["bytes"]:
        raise BundleError(
            f"{path} has {size} bytes instead of {recorded['bytes']}: it is truncated or was "
            f"altered. {_REBUILD}"
        )
    if file_sha256(path) != recorded["sha256"]:
        raise BundleError(f"{path} was altered: its SHA-256 is not the recorded one. {_REBUILD}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(
            f"{path} is missing, so {path.parent} is not a model bundle. {_REBUILD}"
        ) from None
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read ({error}). {_REBUILD}") from error
    if not isinstance(content, dict):
        raise BundleError(f"{path} is not a JSON object. {_REBUILD}")
    return content


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _count_values(weights: Path) -> int:
    """Count the numbers in a safetensors file, by its header."""
    with safe_open(weights, framework="numpy") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


def _json_ready(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json_ready(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_ready(entry) for entry in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return _json_ready(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _installed_version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
