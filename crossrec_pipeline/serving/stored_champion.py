"""A store in; the files of the champion that it names here, out: for a disk that began empty."""

import json
from pathlib import PurePosixPath

from crossrec_pipeline.models.registry import CHAMPION as POINTER
from crossrec_pipeline.outputs import CHAMPION, EXPORTS, bundles
from crossrec_pipeline.settings import Settings
from crossrec_pipeline.storage.store import Store
from crossrec_pipeline.storage.transfers import Progress

_SHARED = ("serving/catalogue.parquet", "serving/similar.parquet")
"""What exports are made of beside the bundle."""


class StoredChampion:
    """Brings a store's champion, and no more than is needed to serve it.

    Parameters
    ----------
    settings
        Name the store and the data directory.
    say
        Receives a line where something was read.

    Raises
    ------
    StorageError
        If the store's protocol is not known, or what it needs is not installed.
    """

    def __init__(self, settings: Settings, say: Progress) -> None:
        assert settings.store is not None
        self._store = Store(settings.store)
        self._settings = settings
        self._say = say
        self._here: tuple[str | None, ...] | None = None

    def bring(self) -> None:
        """Bring the champion and its export where the store has others than were brought last.

        The pointer comes last, so that whoever follows it finds what it names.

        Raises
        ------
        StorageError
            If the store cannot be read, or is damaged.
        """
        champion, exports = (self._store.current(each.name) for each in (CHAMPION, EXPORTS))
        there = (champion and champion.version, exports and exports.version)
        if champion is None or there == self._here:
            return
        root = self._settings.data_dir
        (pointer,) = (unit for unit in champion.units if PurePosixPath(unit).name == POINTER)
        named = json.loads(self._store.read(champion, pointer))
        name = f"{named['kind']}/{named['version']}"
        made = self._store.current(bundles(named["kind"]).name)
        if made is not None and f"models/{name}" in made.units:
            self._store.fetch_units(made, [f"models/{name}"], root, self._say)
        if exports is not None:
            units = [unit for unit in (*_SHARED, f"serving/{name}") if unit in exports.units]
            self._store.fetch_units(exports, units, root, self._say)
        self._store.fetch(CHAMPION, root, self._say)
        self._here = there
