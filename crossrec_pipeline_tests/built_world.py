"""A small pipeline built as the command line builds it, in this process or in one of its own."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline import cli
from crossrec_pipeline.defs.rebuild import rebuild
from crossrec_pipeline.settings import load_settings, project_root
from crossrec_pipeline_tests.lineage_world import SmallCatalogues, as_is

_PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Published:
    """What others read: it must not change when a build is refused or broken off."""

    items: pl.DataFrame
    rejected: pl.DataFrame
    champion: bytes
    bundles: list[Path]

    def equals(self, other: "Published") -> bool:
        return (
            self.items.equals(other.items)
            and self.rejected.equals(other.rejected)
            and (self.champion, self.bundles) == (other.champion, other.bundles)
        )


class BuiltWorld(SmallCatalogues):
    """Two small catalogues, their data directory, and a Dagster home of its own."""

    rivals = ()

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.home = folder / "home"
        if not self.home.exists():
            self.home.mkdir()
            shutil.copy(project_root() / "dagster_home" / "dagster.yaml", self.home)
            self.rebuild()

    def rebuild(self, **changes: object) -> int:
        """Build what is out of date in this process, with some settings changed."""
        settings = load_settings(**{**dict(self.settings), **changes})
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DAGSTER_HOME", str(self.home))
            return rebuild(settings)

    def published(self) -> Published:
        """Read everything that is served."""
        bundles = sorted(self.settings.models_dir.glob("*/*"))
        return Published(self.items(), self.rejected(), self.champion(), bundles)

    def leftovers(self) -> list[Path]:
        """List hidden output: half-written, or moved aside."""
        hidden = self.settings.data_dir.rglob(".*")
        # A search index has hidden files of its own.
        return [
            path for path in hidden if path.name != ".run.lock" and path.parent.name != "search"
        ]

    @property
    def variables(self) -> dict[str, str]:
        """The settings of this world, as the environment of a process."""
        sections = {
            name: getattr(self.settings, name)
            for name in ("simulation", "training", "evaluation", "gate", "content")
        }
        return {
            "DAGSTER_HOME": str(self.home),
            "CROSSREC_DATA_DIR": str(self.settings.data_dir),
            "CROSSREC_DOMAINS": ",".join(self.settings.domains),
            "CROSSREC_SOURCES": json.dumps(self.settings.sources),
            **{
                f"CROSSREC_{name.upper()}": section.model_dump_json(exclude_unset=True)
                for name, section in sections.items()
            },
        }

    def exit_code(self, *arguments: str) -> int:
        """Run the command line in this process."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.variables.items():
                patch.setenv(name, value)
            return cli.exit_code(arguments)

    def crossrec(self, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command line in a process of its own, after some Python code."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CROSSREC_")}
        code = f"{before}\nfrom crossrec_pipeline.cli import main\nmain()"
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=environment | self.variables,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )


def new_world(factory: pytest.TempPathFactory, name: str) -> BuiltWorld:
    """Return a world of one's own as the first build left it, which is made once for all workers.

    Nothing that is built knows where it lies, so a copy is as good.
    """
    base = factory.getbasetemp()
    first = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "first_build"
    with first.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not first.exists():
            partial = factory.mktemp("first_build")
            BuiltWorld(partial)
            partial.rename(first)
    folder = factory.mktemp(name)
    shutil.copytree(first, folder, dirs_exist_ok=True)
    return BuiltWorld(folder)


_worlds: list[BuiltWorld] = []


def built_world(factory: pytest.TempPathFactory) -> BuiltWorld:
    """Return the one world of this process, with its first catalogues and settings built.

    Whatever the module before did to it is undone first.
    """
    if not _worlds:
        _worlds.append(new_world(factory, "built"))
    world = _worlds[0]
    world.deliver("movies", as_is)
    world.rebuild()
    return world
