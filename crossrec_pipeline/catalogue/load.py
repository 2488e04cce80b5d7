"""From a domain's location (sample, hub, file or glob) to its raw catalogue: text, as delivered."""

import difflib
import logging
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from crossrec_pipeline.catalogue import hub
from crossrec_pipeline.catalogue.locate import find_files, labels
from crossrec_pipeline.catalogue.parse import is_blank, parse_columns, unparseable
from crossrec_pipeline.catalogue.read_file import read_file
from crossrec_pipeline.digests import files_digest, text_digest
from crossrec_pipeline.domains import DomainSpec
from crossrec_pipeline.errors import SourceError
from crossrec_pipeline.settings import Settings
from crossrec_pipeline.storage.local_copy import (
    bring_here,
    name_urls,
    remote_fingerprint,
    urls_named,
)
from crossrec_pipeline.storage.location import is_url

_LOG = logging.getLogger(__name__)

MAX_CELL_CHARACTERS = 1_000_000
WRONG_TYPE_SHARE = 0.5
WRONG_TYPE_MIN_CELLS = 10


@dataclass(frozen=True)
class RawCatalogue:
    """A source as delivered.

    Attributes
    ----------
    frame
        Every declared column by its canonical name, as text, empty cells being null; `source`
        (``<domain>:<file name>``) and `source_row` (the file's first data row being 1).
    files
        What was read: paths, or ``<org>/<name>@<commit>``.
    version
        Content hash of the files, or the commit of the hub data set.
    missing_columns
        Optional columns that at least one file lacks; they are null there.
    unparseable
        Cells by column that hold something which cannot be parsed; columns without any are left
        out.
    """

    frame: pl.DataFrame
    files: tuple[str, ...]
    version: str
    missing_columns: tuple[str, ...]
    unparseable: dict[str, int]

    @property
    def n_rows(self) -> int:
        """Number of rows delivered."""
        return self.frame.height


@dataclass(frozen=True)
class SourceReader:
    """Where locations lead.

    A location is ``sample`` (``<sample_dir>/<domain>.csv``), ``hub``, ``hub@<revision>``, or the
    path, glob or URL of CSV, TSV, JSON, JSON Lines or Parquet files, compressed (``.gz``) or not.

    Attributes
    ----------
    sample_dir
        Folder of the sample catalogues.
    hub_cache_dir
        Where downloads are kept; None for the default of ``datasets``.
    hub_mirror
        A folder ``<org>/<name>/`` per data set, or the URL of one, read in place of the hub.
    copies_dir
        Where copies of files at a URL are kept; such a location needs it.
    """

    sample_dir: Path
    hub_cache_dir: Path | None = None
    hub_mirror: Path | str | None = None
    copies_dir: Path | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> "SourceReader":
        """Take the folders from the settings."""
        return cls(
            settings.sample_dir, settings.hub_cache_dir, settings.hub_mirror, settings.copies_dir
        )

    def fingerprint(self, spec: DomainSpec, location: str) -> str:
        """Look cheaply: names, times and sizes of the files, or the commit of the hub data set.

        Of files at a URL, what their listing says. Equal fingerprints mean equal content.

        Raises
        ------
        SourceError
            If the location leads nowhere, or the hub cannot be reached.
        """
        if _is_hub(location) and self.hub_mirror is None:
            return self.version(spec, location)
        if (url := self._url(spec, location)) is not None:
            return remote_fingerprint(url)
        parts = []
        for path in self._files(spec, location):
            stat = path.stat()
            parts += [str(path), str(stat.st_mtime_ns), str(stat.st_size)]
        return text_digest(*parts)

    def version(self, spec: DomainSpec, location: str) -> str:
        """Return the content hash of the files, or the commit of the hub data set.

        Files at a URL are not read for it: their listing says which content they have.

        Raises
        ------
        SourceError
            If the location leads nowhere, or the hub cannot be reached.
        """
        if _is_hub(location) and self.hub_mirror is None:
            return hub.resolve_commit(spec, _revision(spec, location))
        if (url := self._url(spec, location)) is not None:
            return remote_fingerprint(url)
        return files_digest(self._files(spec, location))

    def load(self, spec: DomainSpec, location: str) -> RawCatalogue:
        """Read a source whole and check that it is what the domain declares.

        Raises
        ------
        SourceError
            If anything about it is not; the message names the file, the column or row and the
            remedy.
        """
        before = self.fingerprint(spec, location)
        version = self.version(spec, location)
        url = self._url(spec, location)
        if url is None:
            raw = self._load(spec, location, version)
        else:
            raw = self._load_url(spec, location, url, version)
        if self.fingerprint(spec, location) != before:
            raise SourceError(
                f"{spec.name}: {location} changed while it was read. Load it again when it is "
                "complete."
            )
        return raw

    def _url(self, spec: DomainSpec, location: str) -> str | None:
        """Return the URL that a location leads to, if it is one."""
        if _is_hub(location):
            mirror = str(self.hub_mirror)
            return f"{mirror.rstrip('/')}/{hub.hub_id(spec)}" if is_url(mirror) else None
        return location if is_url(location) else None

    def _load_url(self, spec: DomainSpec, location: str, url: str, version: str) -> RawCatalogue:
        """Bring the files here, and read them as if they had been delivered here."""
        if self.copies_dir is None:
            raise SourceError(f"{spec.name}: {url} needs a folder for copies; give `copies_dir`.")
        here = bring_here(url, self.copies_dir, _LOG.info)
        with urls_named(self.copies_dir):
            if _is_hub(location):
                mirror = Path(here.removesuffix(f"/{hub.hub_id(spec)}"))
                raw = replace(self, hub_mirror=mirror)._load(spec, location, version)
            else:
                raw = self._load(spec, here, version)
        files = tuple(name_urls(file, self.copies_dir) for file in raw.files)
        return replace(raw, files=files)

    def _load(self, spec: DomainSpec, location: str, version: str) -> RawCatalogue:
        if _is_hub(location):
            return self._load_hub(spec, version)
        return self._load_files(spec, location, version)

    def _files(self, spec: DomainSpec, location: str) -> tuple[Path, ...]:
        if _is_hub(location):
            assert self.hub_mirror is not None  # without one, the hub itself is asked
            return hub.mirror_files(spec, Path(self.hub_mirror))
        if location == "sample":
            return find_files(str(self.sample_dir / f"{spec.name}.csv"), spec.name)
        return find_files(location, spec.name)

    def _load_hub(self, spec: DomainSpec, version: str) -> RawCatalogue:
        if self.hub_mirror is None:
            frame = hub.load_commit(spec, version, self.hub_cache_dir)
        else:
            frame = hub.load_mirror(spec, Path(self.hub_mirror), self.hub_cache_dir)
        name = hub.hub_id(spec)
        return _checked(spec, [(name, f"{name}@{version}", frame)], version)

    def _load_files(self, spec: DomainSpec, location: str, version: str) -> RawCatalogue:
        files = self._files(spec, location)
        parts = [
            (label, str(path), read_file(path, f"{spec.name}: {path}"))
            for label, path in zip(labels(files), files, strict=True)
        ]
        return _checked(spec, parts, version)


def _is_hub(location: str) -> bool:
    return location == "hub" or location.startswith("hub@")


def _revision(spec: DomainSpec, location: str) -> str:
    return location.partition("@")[2] or spec.hub_revision


def _checked(
    spec: DomainSpec, parts: list[tuple[str, str, pl.DataFrame]], version: str
) -> RawCatalogue:
    frames = []
    missing: dict[str, None] = {}
    for label, file, frame in parts:
        where = f"{spec.name}: {file}"
        frame = _trim_names(frame, where)
        delivered = _delivered_names(spec, frame.columns, where)
        missing |= dict.fromkeys(c.name for c in spec.columns if c.name not in delivered)
        _check_cells(frame.select(delivered.values()), where)
        frames.append(_declared(spec, frame, delivered, label))
    raw = pl.concat(frames, rechunk=True)
    unreadable = unparseable(raw, parse_columns(raw, spec), spec)
    _check_types(spec, raw, unreadable)
    counts = {name: n for name, n in unreadable.sum().row(0, named=True).items() if n}
    files = tuple(file for _, file, _ in parts)
    return RawCatalogue(raw, files, version, tuple(missing), counts)


def _trim_names(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    names = [name.strip() for name in frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SourceError(f"{where}: columns {repeated} occur twice. Rename or remove one of them.")
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def _delivered_names(spec: DomainSpec, found: list[str], where: str) -> dict[str, str]:
    """Map declared column names to the names they go by in a file."""
    delivered: dict[str, str] = {}
    for column in spec.columns:
        name = next((name for name in (column.name, *column.aliases) if name in found), None)
        if name is not None:
            delivered[column.name] = name
        elif column.required:
            near = difflib.get_close_matches(column.name.lower(), [n.lower() for n in found], n=1)
            match = next((name for name in found if [name.lower()] == near), None)
            hint = f" Did you mean it by {match!r}?" if match else ""
            known_as = f" (or {', '.join(map(repr, column.aliases))})" if column.aliases else ""
            raise SourceError(
                f"{where}: the required column {column.name!r}{known_as} is missing; found "
                f"{found}.{hint} Rename or add the column."
            )
    return delivered


def _check_cells(frame: pl.DataFrame, where: str) -> None:
    for column in frame.get_columns():
        # Characters are at most as many as bytes, which are counted much faster.
        longest = column.str.len_bytes().max()
        if isinstance(longest, int) and longest > MAX_CELL_CHARACTERS:
            lengths = column.str.len_chars().fill_null(0)
            row = lengths.arg_max() or 0
            if lengths[row] > MAX_CELL_CHARACTERS:
                raise SourceError(
                    f"{where}: column {column.name!r}, row {row + 1} has {lengths[row]:,} "
                    f"characters, more than {MAX_CELL_CHARACTERS:,}; a quote before it is likely "
                    "not closed. Correct the row."
                )
        nul = column.str.contains("\0", literal=True).fill_null(False)
        if nul.any():
            raise SourceError(
                f"{where}: column {column.name!r}, row {(nul.arg_max() or 0) + 1} holds a NUL "
                "character. Remove it."
            )


def _declared(
    spec: DomainSpec, frame: pl.DataFrame, delivered: dict[str, str], label: str
) -> pl.DataFrame:
    def cells(name: str) -> pl.Expr:
        if name not in delivered:
            return pl.lit(None, dtype=pl.String)
        cell = pl.col(delivered[name])
        return pl.when(cell != "").then(cell)

    return frame.select(
        *(cells(column.name).alias(column.name) for column in spec.columns),
        pl.lit(f"{spec.name}:{label}").alias("source"),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("source_row"),
    )


def _check_types(spec: DomainSpec, raw: pl.DataFrame, unreadable: pl.DataFrame) -> None:
    filled = raw.select((~is_blank(pl.col(column.name))).sum() for column in spec.columns)
    for column in spec.columns:
        n_cells = int(filled[column.name][0])
        n_wrong = int(unreadable[column.name].sum())
        if n_cells < WRONG_TYPE_MIN_CELLS or n_wrong < WRONG_TYPE_SHARE * n_cells:
            continue
        first = raw.row(unreadable[column.name].arg_max() or 0, named=True)
        raise SourceError(
            f"{spec.name}: column {column.name!r} has the wrong type: {n_wrong:,} of {n_cells:,} "
            f"cells cannot be read by its parser ({getattr(column.parse, '__name__', 'custom')}), "
            f"the first being {first[column.name][:60]!r} in row {first['source_row']} of "
            f"{first['source'].partition(':')[2]}. Check that columns and their names match."
        )
