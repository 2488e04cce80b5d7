"""A directory of sessions in, a bundle of a trained GRU4Rec out: what torchrun runs."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.distributed.elastic.multiprocessing.errors import record

from crossrec_pipeline.errors import CrossrecError, SettingsError
from crossrec_pipeline.models.base import Progress
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints
from crossrec_pipeline.models.gru4rec.config import PRESETS, GRU4RecConfig, preset
from crossrec_pipeline.models.gru4rec.model import GRU4Rec, training_device
from crossrec_pipeline.models.gru4rec.processes import process_group
from crossrec_pipeline.models.gru4rec.stored_checkpoints import checkpoints_in
from crossrec_pipeline.models.registry import Bundle, save_bundle
from crossrec_pipeline.sessions.store import SessionDataset

SESSIONS = "sessions/sequences"
"""Name of the sessions among a bundle's inputs."""

_INTERRUPTED = 130


@dataclass(frozen=True)
class TrainingJob:
    """What to train on, how, and where the result goes.

    All processes must find the same sessions, and the checkpoint, under these paths.

    Attributes
    ----------
    sessions_dir
        What `SessionDataset.save` wrote.
    models_dir
        Holds the bundles.
    config
        What to train and how.
    checkpoints
        Where the state of the training is kept until its bundle is safe.
    """

    sessions_dir: Path
    models_dir: Path
    config: GRU4RecConfig
    checkpoints: Checkpoints | None = None

    def run(self, progress: Progress) -> Bundle | None:
        """Train together with the processes that torchrun has started, or alone.

        Returns
        -------
        Bundle
            What was saved; None in all processes but the first.

        Raises
        ------
        CrossrecError
            If sessions cannot be read or training cannot go on.
        """
        with process_group(training_device(self.config)) as processes:
            dataset, model = SessionDataset.open(self.sessions_dir), GRU4Rec(self.config)
            report = model.fit(
                dataset.train,
                dataset.vocabulary,
                dataset.validation,
                progress,
                checkpoints=self.checkpoints,
            )
            if not processes.is_first:
                return None
            bundle = save_bundle(
                model,
                dataset.vocabulary,
                self.models_dir,
                inputs={SESSIONS: dataset.digest},
                history=report.history,
                summary=report.summary,
                seeds={"training": self.config.seed},
            )
            if self.checkpoints is not None:
                self.checkpoints.remove()
            return bundle


def job_of(arguments: Sequence[str] | None = None) -> TrainingJob:
    """Read a job from a command line, by default that of this process.

    Raises
    ------
    SettingsError
        If the configuration is impossible.
    """
    parser = argparse.ArgumentParser(
        prog="python -m crossrec_pipeline.models.gru4rec",
        description="Train GRU4Rec; started by torchrun, with several processes.",
    )
    parser.add_argument("--sessions", type=Path, required=True, help="directory of the sessions")
    parser.add_argument("--models", type=Path, required=True, help="directory of the bundles")
    parser.add_argument("--preset", choices=PRESETS, default="default")
    parser.add_argument(
        "--config", default="{}", help="fields other than the preset's, as a JSON object"
    )
    parser.add_argument("--checkpoints", type=Path, help="directory for going on after a break")
    parser.add_argument("--checkpoint-minutes", type=float, default=Checkpoints.minutes)
    parser.add_argument("--checkpoint-store", help="URL of a store that keeps them too")
    given = parser.parse_args(arguments)
    try:
        fields = dict(json.loads(given.config))
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f"--config {given.config!r} is no JSON object ({error}). Give one such as "
            "'{\"epochs\": 3}'."
        ) from None
    checkpoints = given.checkpoints and checkpoints_in(
        given.checkpoints, given.checkpoint_minutes, given.checkpoint_store
    )
    return TrainingJob(given.sessions, given.models, preset(given.preset, **fields), checkpoints)


def exit_code(work: Callable[[], None]) -> int:
    """Do the work of a process, leave its error where torchrun looks for it, and say how it ended.

    Of several processes only the first one prints what is meant for people; torchrun prints the
    error of whichever failed first.
    """
    try:
        record(work)()
    except CrossrecError as error:
        if os.environ.get("RANK", "0") == "0":
            sys.stderr.write(f"crossrec: {error}\n")
        return 2
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0
