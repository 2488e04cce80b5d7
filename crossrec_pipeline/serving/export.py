"""A model bundle and the catalogue in; the folder that a service reads, written whole, out.

``<serving_dir>/<kind>/<version>/`` holds ``manifest.json``, the bundle's own files, details of all
items with a search index, the figures of the last evaluation, the items that came after the
training, and what the engine maps into memory.
``<serving_dir>/catalogue.parquet`` holds the details of the catalogue, and ``similar.parquet`` what
is near what, for exports to come.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError
from pydantic import ValidationError

from crossrec_pipeline.atomic import (
    atomic_directory,
    atomic_file,
    remove_directory,
    remove_leftovers,
)
from crossrec_pipeline.digests import frame_digest, json_digest
from crossrec_pipeline.errors import BundleError
from crossrec_pipeline.models.additions import Additions
from crossrec_pipeline.models.promotions import earlier_champions, read_champion, read_promotions
from crossrec_pipeline.models.registry import CARD, VOCABULARY, Bundle
from crossrec_pipeline.models.registry import MANIFEST as BUNDLE_MANIFEST
from crossrec_pipeline.serving.api.schemas import Evaluation
from crossrec_pipeline.serving.engine.item_table import FORMAT_VERSION as ENGINE_FORMAT_VERSION
from crossrec_pipeline.serving.engine.load import prepare_engine
from crossrec_pipeline.serving.items.catalogue import SEARCH, write_items
from crossrec_pipeline.serving.items.details import CATALOGUE, catalogue_details, item_details
from crossrec_pipeline.serving.similar import read_similar
from crossrec_pipeline.sessions.vocabulary import Vocabulary

FORMAT_VERSION = 4
"""Raise it whenever anything in an export is written differently; the engine counts its own."""
MANIFEST = "manifest.json"
CATALOGUE_FILE = "catalogue.parquet"

_BUNDLE = "bundle"
_ENGINE = "engine"
_FIGURES = "figures.json"
_ADDITIONS = "additions.parquet"
_LINKS = ("same_story", "same_work")
_KEYS = ("kind", "version", "data_version", "inputs", "added", "engine", "files")
_REMEDY = "Delete the folder: it is made again when the service starts, or by `crossrec run`."


@dataclass(frozen=True)
class Export:
    """An export on disk and what its manifest says.

    Attributes
    ----------
    path
        The directory; `ItemCatalogue.open` takes it.
    manifest
        All of `manifest.json`.
    """

    path: Path
    manifest: dict[str, Any]

    @property
    def kind(self) -> str:
        """Family of the model."""
        return self.manifest["kind"]

    @property
    def version(self) -> str:
        """Version of the bundle."""
        return self.manifest["version"]

    @property
    def name(self) -> str:
        """``<kind>/<version>`` of the bundle."""
        return f"{self.kind}/{self.version}"

    @property
    def data_version(self) -> str:
        """Content of the bundle."""
        return self.manifest["data_version"]

    @property
    def content(self) -> str:
        """Digest of all that decides what a service of it answers."""
        return json_digest([self.manifest["inputs"], self.manifest["engine"]])

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(self.manifest["files"].values())

    @property
    def search_bytes(self) -> int:
        """Bytes of the search index."""
        files = self.manifest["files"].items()
        return sum(size for name, size in files if name.startswith(f"{SEARCH}/"))

    @property
    def bundle_dir(self) -> Path:
        """The bundle's own files, as `load_engine` takes them."""
        return self.path / _BUNDLE

    @property
    def engine_dir(self) -> Path:
        """What the engine maps into memory, as `load_engine` takes it."""
        return self.path / _ENGINE

    @property
    def added(self) -> dict[str, int]:
        """Number of items that came after the training, by type; those without any are left out."""
        return self.manifest["added"]

    @property
    def additions(self) -> Additions | None:
        """The items that came after the training, as `load_engine` takes them; None without any.

        Raises
        ------
        BundleError
            If they cannot be read.
        """
        version = self.manifest["inputs"]["additions"]
        return None if version is None else Additions.open(self.path / _ADDITIONS, version)

    @property
    def figures(self) -> Evaluation | None:
        """The figures of the last evaluation; None where there are none.

        Raises
        ------
        BundleError
            If they cannot be read.
        """
        path = self.path / _FIGURES
        if not path.exists():
            return None
        try:
            return Evaluation.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise BundleError(f"{path} holds no figures ({error}). {_REMEDY}") from error


def write_catalogue(
    items: pl.DataFrame, serving_dir: Path, links: pl.DataFrame | None = None
) -> Path:
    """Keep what is shown of the catalogue's items, for exports.

    Parameters
    ----------
    items
        Columns of `catalogue.schema.ITEMS`.
    serving_dir
        Holds the exports.
    links
        Columns of `catalogue.schema.ITEM_LINKS`; None where nothing is linked.
    """
    path = serving_dir / CATALOGUE_FILE
    with atomic_file(path) as partial:
        catalogue_details(items, links).write_parquet(partial)
    return path


def export_path(serving_dir: Path, bundle: Bundle) -> Path:
    """Return where a bundle's export lies, made or not."""
    return serving_dir / bundle.kind / bundle.version


def export_bundle(
    bundle: Bundle,
    serving_dir: Path,
    *,
    figures: Evaluation | None = None,
    additions: Additions | None = None,
) -> Path:
    """Make a bundle's export, unless the very same one is there; one process waits for another.

    Parameters
    ----------
    bundle
        What is to be served.
    serving_dir
        Holds the exports, and where there are any, the catalogue of `write_catalogue` and what
        `write_similar` kept.
    figures
        Of the bundle's evaluation. Without any, those of an earlier export of it are kept.
    additions
        Items that came after the training. None keeps those of an earlier export of it;
        `Additions.none()` takes them away.

    Raises
    ------
    BundleError
        If the bundle is not whole, or the catalogue or what is similar cannot be read.
    """
    target = export_path(serving_dir, bundle)
    with _exports_held(serving_dir):
        earlier = _readable(target)
        if earlier is not None and earlier.data_version == bundle.data_version:
            figures = earlier.figures if figures is None else figures
            additions = earlier.additions if additions is None else additions
        if additions is not None and additions.n_items == 0:
            additions = None
        catalogue, similar = _read_catalogue(serving_dir), read_similar(serving_dir)
        inputs = {
            "format_version": FORMAT_VERSION,
            "engine_format_version": ENGINE_FORMAT_VERSION,
            "bundle": bundle.data_version,
            "catalogue": frame_digest(catalogue),
            "similar": frame_digest(similar),
            "figures": None if figures is None else json_digest(figures.model_dump()),
            "additions": None if additions is None else additions.version,
        }
        if earlier is None or earlier.manifest["inputs"] != inputs:
            with atomic_directory(target) as partial:
                _write(partial, bundle, catalogue, similar, figures, additions, inputs)
    return target


def open_export(path: Path) -> Export:
    """Read an export's manifest and see that its files are as long as it says.

    The engine and the model verify the content of theirs when they are loaded.

    Raises
    ------
    BundleError
        If there is none, it has another format, or a file is missing or of another size.
    """
    manifest_path = path / MANIFEST
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{path} is no serving export: it has no {MANIFEST}. {_REMEDY}") from None
    except (OSError, ValueError) as error:
        raise BundleError(f"{manifest_path} cannot be read ({error}). {_REMEDY}") from error
    if not isinstance(manifest, dict) or manifest.get("format_version") != FORMAT_VERSION:
        found = manifest.get("format_version") if isinstance(manifest, dict) else None
        raise BundleError(
            f"{manifest_path} has format version {found!r}; this version reads {FORMAT_VERSION}. "
            f"{_REMEDY}"
        )
    if missing := [key for key in _KEYS if key not in manifest]:
        raise BundleError(f"{manifest_path} has no {missing[0]!r}: it was altered. {_REMEDY}")
    for name, size in manifest["files"].items():
        file = path / name
        if not file.is_file():
            raise BundleError(f"{file} is missing. {_REMEDY}")
        if file.stat().st_size != size:
            raise BundleError(
                f"{file} has {file.stat().st_size:,} bytes instead of {size:,}: it is truncated or "
                f"was altered. {_REMEDY}"
            )
    return Export(path, manifest)


def prune_exports(serving_dir: Path, models_dir: Path) -> list[Path]:
    """Delete the exports whose bundle is gone, but not the champion's nor the one before it.

    Parameters
    ----------
    serving_dir
        Holds the exports.
    models_dir
        Holds the bundles and the history of promotions.

    Returns
    -------
    list of Path
        What was deleted; nothing where it is not known what is served.
    """
    exports = [manifest.parent for manifest in serving_dir.glob(f"[!.]*/[!.]*/{MANIFEST}")]
    try:
        champion = read_champion(models_dir)
        before = earlier_champions(read_promotions(models_dir))
    except BundleError:
        return []
    if champion is None:
        return []
    exported = {f"{path.parent.name}/{path.name}" for path in exports}
    kept = {champion.name, *[other.name for other in before if other.name in exported][:1]}
    doomed = [
        path
        for path in exports
        if f"{path.parent.name}/{path.name}" not in kept
        and not (models_dir / path.parent.name / path.name / BUNDLE_MANIFEST).is_file()
    ]
    with _exports_held(serving_dir):
        for kind in {path.parent for path in exports}:
            remove_leftovers(kind)
        for path in doomed:
            remove_directory(path)
    return doomed


@contextmanager
def _exports_held(serving_dir: Path) -> Iterator[None]:
    """Hold the folder: of two that export at once, one waits for the other and finds its work."""
    serving_dir.mkdir(parents=True, exist_ok=True)
    folder = os.open(serving_dir, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _readable(path: Path) -> Export | None:
    try:
        export = open_export(path)
        _ = export.figures, export.additions
    except BundleError:
        return None
    return export


def _read_catalogue(serving_dir: Path) -> pl.DataFrame:
    path = serving_dir / CATALOGUE_FILE
    if not path.exists():
        return pl.DataFrame(schema=CATALOGUE)
    try:
        catalogue = pl.read_parquet(path)
        # An earlier version wrote no links.
        unknown = [name for name in _LINKS if name not in catalogue.columns]
        return catalogue.with_columns(
            pl.lit([], CATALOGUE[name]).alias(name) for name in unknown
        ).select(list(CATALOGUE))
    except (OSError, PolarsError) as error:
        raise BundleError(
            f"{path} cannot be read ({error}). Delete it: `crossrec run` makes it again."
        ) from error


def _write(
    partial: Path,
    bundle: Bundle,
    catalogue: pl.DataFrame,
    similar: pl.DataFrame,
    figures: Evaluation | None,
    additions: Additions | None,
    inputs: dict[str, Any],
) -> None:
    """Write an export's files, and the manifest last."""
    (partial / _BUNDLE).mkdir()
    for name in (*bundle.manifest["files"], BUNDLE_MANIFEST, CARD):
        _link(bundle.path / name, partial / _BUNDLE / name)
    vocabulary = Vocabulary.load(partial / _BUNDLE / VOCABULARY)
    if additions is not None:
        additions.save(partial / _ADDITIONS)
        vocabulary = vocabulary.grown(additions.items)
    write_items(item_details(catalogue, vocabulary, similar), partial)
    if figures is not None:
        (partial / _FIGURES).write_text(figures.model_dump_json(indent=1), encoding="utf-8")
    notes = prepare_engine(partial / _BUNDLE, partial / _ENGINE, additions)
    manifest = {
        "format_version": FORMAT_VERSION,
        "kind": bundle.kind,
        "version": bundle.version,
        "data_version": bundle.data_version,
        "made_at": datetime.now(UTC).isoformat(),
        "inputs": inputs,
        "added": {} if additions is None else additions.by_type,
        "engine": notes,
        "files": {
            path.relative_to(partial).as_posix(): path.stat().st_size
            for path in sorted(partial.rglob("*"))
            if path.is_file()
        },
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (partial / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    """Give a file a second name; copy it where the file system cannot."""
    if not source.is_file():
        raise BundleError(
            f"{source} is missing. Restore it from a copy, or train the model again: "
            "`crossrec run` notices and does so."
        )
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
