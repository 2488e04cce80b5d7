"""In: what the checks said of each day of a growing log. Out: whether a model may be made of it."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.errors import QualityError

_SHOWN_DAYS = 5


@dataclass(frozen=True)
class DayVerdict:
    """What is known of one published day.

    Attributes
    ----------
    version
        Content version of its accepted events.
    files
        Digest of the bytes of their files when this content was first written: the sessions made
        of them then are still good.
    n_events
        Accepted events.
    n_rejected
        Refused events, by reason.
    passed
        What its checks said; None while it waits for them.
    """

    version: str
    files: str
    n_events: int
    n_rejected: dict[str, int]
    passed: bool | None = None


def write_verdict(directory: Path, day: date, verdict: DayVerdict) -> None:
    """Note what is known of a day, in a small file of its own."""
    with atomic_file(_path(directory, day)) as partial:
        partial.write_text(json.dumps(asdict(verdict)))


def withdraw_verdict(directory: Path, day: date) -> None:
    """Forget a day before it changes: what is killed while it writes leaves no verdict."""
    _path(directory, day).unlink(missing_ok=True)


def read_verdicts(directory: Path) -> dict[date, DayVerdict]:
    """Read what is known of all days, in their order."""
    return {
        date.fromisoformat(path.stem): DayVerdict(**json.loads(path.read_text()))
        for path in sorted(directory.glob("[0-9]*.json"))
    }


def require_verdicts(directory: Path, days: Iterable[date]) -> None:
    """Let pass days whose checks have passed.

    Raises
    ------
    QualityError
        Naming the days whose checks have not.
    """
    verdicts = read_verdicts(directory)
    refused = [
        day.isoformat() for day in days if day not in verdicts or verdicts[day].passed is not True
    ]
    if refused:
        shown = ", ".join(refused[:_SHOWN_DAYS]) + (", …" if len(refused) > _SHOWN_DAYS else "")
        raise QualityError(
            f"{len(refused)} days of the interaction log have not passed their checks ({shown}), "
            "so no sessions are made of it. Look at the check of interactions/events; repair what "
            "was delivered, or raise CROSSREC_QUALITY__MAX_REJECTED_EVENTS_SHARE if it is meant; "
            "then materialise these days of interactions/events again."
        )


def _path(directory: Path, day: date) -> Path:
    return directory / f"{day.isoformat()}.json"
