"""From a Hugging Face data set, or a folder that mirrors it, to a frame of text cells."""

from pathlib import Path

import polars as pl

from crossrec_pipeline.catalogue.read_file import as_text
from crossrec_pipeline.domains import DomainSpec
from crossrec_pipeline.errors import SourceError, SourceUnavailableError

_COMMIT_LENGTH = 40
_REMEDY = (
    "Use a file of your own, the location 'sample', or a local copy of the data set through "
    "CROSSREC_HUB_MIRROR."
)


def hub_id(spec: DomainSpec) -> str:
    """Return the domain's data set; raises SourceError where it has none."""
    if spec.hub_id is None:
        raise SourceError(f"{spec.name}: the domain has no hub data set. Name a file of your own.")
    return spec.hub_id


def resolve_commit(spec: DomainSpec, revision: str) -> str:
    """Find the commit a branch or tag of the data set stands at now.

    A whole commit hash is returned as it is, without asking the hub.

    Raises
    ------
    SourceError
        If the hub cannot be reached or has no such data set or revision.
    """
    name = hub_id(spec)
    if len(revision) == _COMMIT_LENGTH and set(revision) <= set("0123456789abcdef"):
        return revision
    # Slow to import, and needed by few runs.
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        commit = HfApi().dataset_info(name, revision=revision).sha
    except HfHubHTTPError as error:
        raise SourceError(
            f"{spec.name}: the hub refuses {name}@{revision} ({_first_line(error)}). "
            f"Check the revision. {_REMEDY}"
        ) from error
    except Exception as error:  # the HTTP library's own errors have no stable base class
        raise SourceUnavailableError(
            f"{spec.name}: the hub cannot be reached for {name}@{revision} "
            f"({_first_line(error)}). {_REMEDY}"
        ) from error
    if commit is None:
        raise SourceError(f"{spec.name}: the hub names no commit of {name}@{revision}. {_REMEDY}")
    return commit


def load_commit(spec: DomainSpec, commit: str, cache_dir: Path | None) -> pl.DataFrame:
    """Load the train split of the data set at a commit.

    Raises
    ------
    SourceError
        If it cannot be downloaded or read.
    """
    import datasets

    name = hub_id(spec)
    try:
        loaded = datasets.load_dataset(
            name, revision=commit, split="train", cache_dir=_text(cache_dir)
        )
    except Exception as error:  # offline, a full disk, a changed layout: all need the same remedy
        raise SourceUnavailableError(
            f"{spec.name}: cannot load {name}@{commit} from the hub ({_first_line(error)}). "
            f"{_REMEDY}"
        ) from error
    return _frame(loaded, f"{spec.name}: {name}")


def mirror_files(spec: DomainSpec, mirror: Path) -> tuple[Path, ...]:
    """List the files of the data set's folder ``<org>/<name>`` in a mirror.

    Raises
    ------
    SourceError
        If the folder is missing or empty.
    """
    folder = mirror / hub_id(spec)
    files = tuple(
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    )
    if not files:
        raise SourceError(
            f"{spec.name}: the hub mirror has no files in {folder}. Put the data set's files "
            "there, or unset CROSSREC_HUB_MIRROR."
        )
    return files


def load_mirror(spec: DomainSpec, mirror: Path, cache_dir: Path | None) -> pl.DataFrame:
    """Load the train split of the data set from its folder in a mirror.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    import datasets

    folder = mirror / hub_id(spec)
    mirror_files(spec, mirror)
    try:
        loaded = datasets.load_dataset(
            str(folder),
            split="train",
            cache_dir=_text(cache_dir),
            # The cache knows local files by time stamp only: a quick change would be missed.
            download_mode="force_redownload",
        )
    except Exception as error:
        raise SourceError(
            f"{spec.name}: cannot read the hub mirror {folder} ({_first_line(error)}). "
            "Put the data set's csv, json or parquet files there."
        ) from error
    return _frame(loaded, f"{spec.name}: {folder}")


def _frame(loaded: object, where: str) -> pl.DataFrame:
    import datasets

    assert isinstance(loaded, datasets.Dataset)  # one split was asked for
    frame = pl.DataFrame(loaded.data.table)
    if frame.is_empty():
        raise SourceError(f"{where}: the train split has no rows. Use another revision.")
    return as_text(frame, where)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _first_line(error: Exception) -> str:
    cause = error.__cause__ or error
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]
