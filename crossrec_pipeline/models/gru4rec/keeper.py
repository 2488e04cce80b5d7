"""A training under way in; its checkpoint kept up to date, and left at when somebody interrupts."""

import time

from crossrec_pipeline.models.base import Progress
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints, UnusableCheckpointError
from crossrec_pipeline.models.gru4rec.data_parallel import Wishes
from crossrec_pipeline.models.gru4rec.interrupts import DeferredInterrupts
from crossrec_pipeline.models.gru4rec.run import TrainingRun
from crossrec_pipeline.models.gru4rec.state import State


class Keeper:
    """Writes the state of a run down now and then, and where it is interrupted.

    Of several processes the first one writes and says so; all read, and all leave together.

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
        state, problem = None, ""
        try:
            state = self._checkpoints.load(self._identity)
        except UnusableCheckpointError as error:
            problem = str(error)
        processes = self._run.processes
        (n_found,) = processes.total([state is not None])
        if 0 < n_found < processes.count:
            problem = f"Only {n_found:.0f} of {processes.count} processes can read the checkpoint."
        elif state is not None:
            self._run.load_state(state)
            self._say(f"going on from {self._run.place}")
        if problem:
            self._say(f"{problem} Training starts anew.")

    def save(self) -> bool:
        """Write the state down, and return whether this process has written it.

        Training goes on where that fails, and this says so.
        """
        if self._checkpoints is None:
            return False
        self._run.check_weights()
        state = self._run.state()
        if not self._run.processes.is_first:
            return False
        try:
            self._checkpoints.save(self._identity, state)
        except OSError as error:
            self._say(f"No checkpoint could be written ({error}); training goes on without it.")
            return False
        finally:
            self._saved_at = time.monotonic()
        return True

    def wishes(self) -> Wishes:
        """Return what is due in this process: leave, or write the state down."""
        return Wishes(
            leave=self._interrupts.pending,
            save=self._checkpoints is not None
            and self._run.processes.is_first
            and time.monotonic() - self._saved_at >= 60 * self._checkpoints.minutes,
        )

    def fulfil(self, wishes: Wishes) -> None:
        """Do what all processes have agreed on, between two steps."""
        if wishes.leave:
            self._leave()
        elif wishes.save:
            self.save()

    def leave_if_asked(self) -> None:
        """Write the state down and leave, if somebody has interrupted any of the processes."""
        if self._run.processes.any(self._interrupts.pending):
            self._leave()

    def _leave(self) -> None:
        # None leaves before the file is whole: torchrun ends the others when one is gone.
        if self._run.processes.any(self.save()):
            self._say(
                f"stopped at {self._run.place}, which is kept: train again with the same "
                "sessions and settings to go on from there"
            )
        self._interrupts.deliver()
        if self._run.processes.count > 1:
            # Another process was interrupted, or this one only took note: none can go on alone.
            raise KeyboardInterrupt
