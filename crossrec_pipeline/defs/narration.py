"""What a run at a terminal says: short lines while it goes, and why it failed."""

import errno
import logging
import os
import re
import sys
from dataclasses import dataclass

import dagster as dg

_INTERRUPTS = (dg.DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__)
_REFUSED = "DagsterAssetCheckFailedError"
_SEE_CHECK = "the check failed on what is listed above, so nothing that depends on it was built."
_OUR_ERROR = re.compile(r"^crossrec_pipeline\.errors\.\w+: ")
_DISK_FULL = os.strerror(errno.ENOSPC)
_MAKE_ROOM = "The disk is full; what was published before is as it was. Make room and run again."
_SKIPPED_STEP = re.compile(r"^Dependencies for steps? .* Not executing\.$")


class _Narrator(logging.Handler):
    """Tells a person in short lines what a run is doing."""

    def emit(self, record: logging.LogRecord) -> None:
        event: dg.DagsterEvent | None = getattr(record, "dagster_event", None)
        if event is None:
            text = str(getattr(record, "dagster_meta", {}).get("orig_message", ""))
            # One such line for every step behind a failed one says nothing.
            if record.levelno >= logging.INFO and not _SKIPPED_STEP.match(text):
                self._say(f"    {text}")
        elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key:
            rows = event.step_materialization_data.materialization.metadata.get("dagster/row_count")
            size = f"  {rows.value:,} rows" if rows is not None else ""
            name = " ".join(filter(None, [event.asset_key.to_user_string(), event.partition]))
            self._say(f"  ✓ {name}{size}")
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                self._say(f"  ✗ check {check.check_name}: {check.description or 'failed'}")
                if (results := check.metadata.get("results")) is not None:
                    self._say(str(results.value))

    @staticmethod
    def _say(line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _narrating_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("crossrec", level=logging.DEBUG)
    logger.addHandler(_Narrator())
    return logger


NARRATOR = dg.LoggerDefinition(
    _narrating_logger, description="Short lines for a person at a terminal."
)


@dataclass(frozen=True)
class _FailedStep:
    """A step that failed, and the cause that a person can act on: ours, or else the first."""

    name: str
    error_class: str
    message: str

    def in_words(self) -> str:
        if self.error_class == _REFUSED:
            *_, checks = self.message.partition("\n")
            return f"{' '.join(checks.split())}: {_SEE_CHECK}"
        text = f"{self.name.replace('__', '/')}: {_OUR_ERROR.sub('', self.message)}"
        return f"{text}\n{_MAKE_ROOM}" if _DISK_FULL in text else text


def _failed_steps(result: dg.ExecuteInProcessResult) -> list[_FailedStep]:
    steps = []
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.STEP_FAILURE:
            error = event.step_failure_data.error
            # What a library said beneath an error of ours is in its words already.
            while error is not None and error.cause and not _OUR_ERROR.match(error.message):
                error = error.cause
            name, message = event.step_key or "", str(error.message).strip() if error else "failed"
            steps.append(_FailedStep(name, (error and error.cls_name) or "", message))
    return steps


def why(result: dg.ExecuteInProcessResult) -> str:
    """Put the reasons of a failed run into words.

    Raises
    ------
    KeyboardInterrupt
        If the reason is Ctrl-C: Dagster takes the signal, and reports a failed step.
    """
    failed = _failed_steps(result)
    for step in failed:
        if step.error_class in _INTERRUPTS:
            raise KeyboardInterrupt
    lines = [step.in_words() for step in failed]
    return "\n".join(lines) or "The run failed; the Dagster UI shows where."
