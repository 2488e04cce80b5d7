"""A training under way in; its checkpoint kept up to date, and left at when somebody interrupts."""

import time

from crossrec_pipeline.models.base import Progress
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints, UnusableCheckpointError
from crossrec_pipeline.models.gru4rec.interrupts import DeferredInterrupts
from crossrec_pipeline.models.gru4rec.run import TrainingRun
from crossrec_pipeline.models.gru4rec.state import State


class Keeper:
    """Writes the state of a run down now and then, and where it is interrupted.

    Parameters
    ----------
    run
        What is kept.
    checkpoints, identity
        Where, and for which training; None keeps nothing.
    interrupts
        Whether somebody wants training to stop.
    say
        Receives a line where training goes on or stops.
    """

    def __init__(
        self,
        run: TrainingRun,
        checkpoints: Checkpoints | None,
        identity: State,
        interrupts: DeferredInterrupts,
        say: Progress,
    ) -> None:
        self._run = run
        self._checkpoints = checkpoints
        self._identity = identity
        self._interrupts = interrupts
        self._say = say
        self._saved_at = time.monotonic()

    def take_up(self) -> None:
        """Go on from the state that was written down before, if there is one of this training."""
        if self._checkpoints is None:
            return
        try:
            state = self._checkpoints.load(self._identity)
        except UnusableCheckpointError as error:
            self._say(f"{error} Training starts anew.")
            return
        if state is not None:
            self._run.load_state(state)
            self._say(f"going on from {self._run.place}")

    def save(self) -> bool:
        """Write the state down; training goes on where that fails, and this says so."""
        if self._checkpoints is None:
            return False
        self._run.check_weights()
        try:
            self._checkpoints.save(self._identity, self._run.state())
        except OSError as error:
            self._say(f"No checkpoint could be written ({error}); training goes on without it.")
            return False
        finally:
            self._saved_at = time.monotonic()
        return True

    def between_steps(self) -> None:
        """Do what is due: leave, or write the state down."""
        self.leave_if_asked()
        if self._checkpoints is None:
            return
        if time.monotonic() - self._saved_at >= 60 * self._checkpoints.minutes:
            self.save()

    def leave_if_asked(self) -> None:
        """Write the state down and leave, if somebody has interrupted the training."""
        if not self._interrupts.pending:
            return
        if self.save():
            self._say(
                f"stopped at {self._run.place}, which is kept: train again with the same "
                "sessions and settings to go on from there"
            )
        self._interrupts.deliver()
