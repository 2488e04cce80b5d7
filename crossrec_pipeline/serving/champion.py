"""The champion's pointer in, the served model out: watched, loaded aside, swapped in one step."""

import gc
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.models.promotions import CHAMPION, Champion, read_champion
from crossrec_pipeline.serving.export import MANIFEST, open_export
from crossrec_pipeline.serving.served import Served, warm_up

_Stamp = tuple[int, int, int]
_FIRST_RETRY_SECONDS = 2.0
_LONGEST_RETRY_SECONDS = 60.0


@dataclass(frozen=True)
class Refusal:
    """A champion that could not be loaded, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Reports:
    """Who is told what a watcher does; called in its thread.

    Attributes
    ----------
    loaded
        A model is served from now on; the seconds that loading and warming took, and those that
        ranking one session takes.
    refused
        A champion could not be loaded, and what was raised; the former one goes on.
    missed
        It could not be known which is the champion elsewhere: why, and what was raised.
    """

    loaded: Callable[[Served, float, float], None]
    refused: Callable[[Refusal, Exception], None]
    missed: Callable[[str, Exception], None]


class ChampionWatcher:
    """Keeps the champion served.

    A thread looks at the pointer now and then. Another champion, or another export of the same, is
    loaded and warmed there while the former one answers; one that cannot be loaded is tried again
    after a while, or as soon as the pointer changes.

    Parameters
    ----------
    models_dir
        Holds the pointer.
    open_champion
        Loads what a champion needs to answer.
    poll_seconds
        Between two looks.
    reports
        Who is told.
    bring_champion
        Called before each look: brings the pointer, and what it names, from elsewhere.
    """

    def __init__(
        self,
        models_dir: Path,
        open_champion: Callable[[Champion], Served],
        poll_seconds: float,
        reports: Reports,
        bring_champion: Callable[[], None] | None = None,
    ) -> None:
        self._bring = bring_champion
        self._missed = ""
        self._models_dir = models_dir
        self._open = open_champion
        self._poll_seconds = poll_seconds
        self._reports = reports
        self._served: Served | None = None
        self._refusal: Refusal | None = None
        self._seen: _Stamp | None = None
        self._seen_export: _Stamp | None = None
        self._retry_at = float("inf")
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._stopped = threading.Event()
        self._has_looked = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="champion", daemon=True)

    @property
    def served(self) -> Served | None:
        """The model that answers, or None before the first could be loaded."""
        return self._served

    @property
    def refusal(self) -> Refusal | None:
        """The newest champion, where it could not be loaded."""
        return self._refusal

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def wait_for_first_look(self) -> None:
        """Wait until a model is served, or none could be."""
        self._has_looked.wait()

    def stop(self) -> None:
        """Cease to watch; a load under way is not waited for."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.is_set():
            self.look()
            self._has_looked.set()
            self._stopped.wait(self._poll_seconds)

    def look(self) -> None:
        """Look at the pointer once, and serve another champion where it names one."""
        self._bring_champion()
        stamp = _stamp(self._models_dir / CHAMPION)
        is_due = stamp != self._seen or time.monotonic() >= self._retry_at
        if stamp is None or not (self._export_changed() or is_due):
            return
        if stamp != self._seen:
            self._retry_seconds = _FIRST_RETRY_SECONDS
        self._seen, self._retry_at = stamp, float("inf")
        name = CHAMPION
        try:
            champion = read_champion(self._models_dir)
            if champion is None:
                return
            name = champion.name
            self._serve(champion)
            self._refusal = None
        except Exception as error:
            # Whatever a damaged export raises, the former champion goes on.
            self._refuse(name, error)

    def _bring_champion(self) -> None:
        """Have the champion brought; while that fails the one that is here goes on."""
        if self._bring is None:
            return
        try:
            self._bring()
            self._missed = ""
        except Exception as error:
            reason = _reason(error)
            if reason != self._missed:  # told once, and not at every look
                self._missed = reason
                self._reports.missed(reason, error)

    def _export_changed(self) -> bool:
        """Say whether the served model's export was made anew, with other content."""
        served = self._served
        if served is None:
            return False
        stamp = _stamp(served.export.path / MANIFEST)
        if stamp in (None, self._seen_export):
            return False
        self._seen_export = stamp
        return not _is_current(served)

    def _serve(self, champion: Champion) -> None:
        served = self._served
        if served is not None and served.bundle.name == champion.name and _is_current(served):
            self._served = replace(served, champion=champion)
            return
        begin = time.monotonic()
        fresh = self._open(champion)
        seconds_per_session = warm_up(fresh)
        del served
        self._served = fresh
        gc.collect()  # parts of the former model may refer to each other
        self._reports.loaded(fresh, time.monotonic() - begin, seconds_per_session)

    def _refuse(self, name: str, error: Exception) -> None:
        self._retry_at = time.monotonic() + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, _LONGEST_RETRY_SECONDS)
        self._refusal = refusal = Refusal(name, _reason(error))
        self._reports.refused(refusal, error)


def _is_current(served: Served) -> bool:
    """Say whether the export that a model was read from is still the one on disk, or is gone."""
    try:
        return open_export(served.export.path).content == served.export.content
    except CrossrecError:
        return not (served.export.path / MANIFEST).exists()


def _stamp(path: Path) -> _Stamp | None:
    """Say which file stands there; a rename gives another inode. None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, CrossrecError) else f"{type(error).__name__}: {error}"
