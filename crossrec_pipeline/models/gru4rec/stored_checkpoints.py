"""Checkpoints of a training that may go on on another machine: each is sent to a store too."""

from dataclasses import dataclass
from pathlib import Path

from crossrec_pipeline.errors import StorageError
from crossrec_pipeline.models.gru4rec.checkpoint import (
    FILE,
    Checkpoints,
    UnusableCheckpointError,
)
from crossrec_pipeline.models.gru4rec.state import State
from crossrec_pipeline.storage.store import Store
from crossrec_pipeline.storage.working_copy import Output


@dataclass(frozen=True)
class StoredCheckpoints(Checkpoints):
    """Checkpoints in a folder and, by its name, in a store.

    Attributes
    ----------
    store
        URL of the store.
    """

    store: str = ""

    def save(self, identity: State, state: State) -> None:
        """Put a state in the place of the one before, here and in the store.

        Raises
        ------
        OSError
            If it cannot be written; the one before stays where that is so.
        """
        super().save(identity, state)
        try:
            self._publish()
        except StorageError as error:
            raise OSError(f"it is on this disk alone: {error}") from error

    def load(self, identity: State) -> State | None:
        """Return the state that was saved last, by this machine or, without one, by another.

        Raises
        ------
        UnusableCheckpointError
            If the store cannot be read, or the file is damaged, or of a training that differs.
        """
        if not self.path.exists():
            try:
                Store(self.store).fetch(self._output, self.folder, _say_nothing)
            except StorageError as error:
                raise UnusableCheckpointError(str(error)) from error
        return super().load(identity)

    def remove(self) -> None:
        """Delete the folder, and name nothing in the store: the training is done.

        Raises
        ------
        StorageError
            If the store cannot be written.
        """
        super().remove()
        self._publish()

    @property
    def _output(self) -> Output:
        return Output(f"models/checkpoints/{self.folder.name}", (FILE,))

    def _publish(self) -> None:
        Store(self.store).publish(self._output, self.folder, _say_nothing)
        if not self.path.exists():
            super().remove()  # what the store notes of the folder, too


def _say_nothing(line: str) -> None:
    """Take a line of progress."""


def checkpoints_in(folder: Path, minutes: float, store: str | None) -> Checkpoints:
    """Keep checkpoints in a folder, and in a store where there is one."""
    if store is None:
        return Checkpoints(folder, minutes)
    return StoredCheckpoints(folder, minutes, store)
