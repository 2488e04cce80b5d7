"""A directory of sessions in, a bundle of a trained GRU4Rec out: what torchrun runs."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch.distributed.elastic.multiprocessing.errors import record

from crossrec_pipeline.errors import CrossrecError, SettingsError
from crossrec_pipeline.models.base import Progress
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints
from crossrec_pipeline.models.gru4rec.config import PRESETS, GRU4RecConfig, preset
from crossrec_pipeline.models.gru4rec.model import GRU4Rec, training_device
from crossrec_pipeline.models.gru4rec.processes import process_group
from crossrec_pipeline.models.gru4rec.stored_checkpoints import checkpoints_in
from crossrec_pipeline.models.item_content import ItemContent
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
    content
        What `ItemContent.save` wrote, for configurations that read it.
    inputs
        Further data versions that the bundle tells of, by name.
    """

    sessions_dir: Path
    models_dir: Path
    config: GRU4RecConfig
    checkpoints: Checkpoints | None = None
    content: Path | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)

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
            dataset = SessionDataset.open(self.sessions_dir)
            content = None if self.content is None else ItemContent.open(self.content)
            model = GRU4Rec(self.config, content=content)
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
                inputs={SESSIONS: dataset.digest, **self.inputs},
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
    parser.add_argument("--content", type=Path, help="file of what is known of the items")
    parser.add_argument("--inputs", default="{}", help="data versions by name, as a JSON object")
    parser.add_argument("--checkpoints", type=Path, help="directory for going on after a break")
    parser.add_argument("--checkpoint-minutes", type=float, default=Checkpoints.minutes)
    parser.add_argument("--checkpoint-store", help="URL of a store that keeps them too")
    given = parser.parse_args(arguments)
    fields = _json_object("--config", given.config, '{"epochs": 3}')
    inputs = _json_object("--inputs", given.inputs, '{"content/embeddings": "0a1b"}')
    checkpoints = given.checkpoints and checkpoints_in(
        given.checkpoints, given.checkpoint_minutes, given.checkpoint_store
    )
    return TrainingJob(
        given.sessions,
        given.models,
        preset(given.preset, **fields),
        checkpoints,
        given.content,
        inputs,
    )


def _json_object(option: str, text: str, example: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f"{option} {text!r} is no JSON object ({error}). Give one such as '{example}'."
        ) from None


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
