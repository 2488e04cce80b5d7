"""From a decision to the pointer to the served bundle, and a line in the history of promotions.

``<models_dir>/champion.json`` is the last record of ``<models_dir>/promotions.jsonl``. The pointer
moves first; whoever records next adds the line that a killed process did not write.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.errors import BundleError

CHAMPION = "champion.json"
HISTORY = "promotions.jsonl"

By = Literal["gate", "manual", "rollback"]
"""Who moved the pointer: the promotion gate, or a person forwards or back."""


@dataclass(frozen=True)
class Champion:
    """The served bundle: what `champion.json` says, and one line of the history.

    Attributes
    ----------
    kind, version, data_version
        Of the bundle.
    promoted_at
        ISO 8601, UTC.
    reason
        Why, in words.
    by
        Who decided.
    previous, previous_data_version
        The champion before this one (``<kind>/<version>``) and its content; None for the first.
    """

    kind: str
    version: str
    data_version: str
    promoted_at: str
    reason: str
    by: By = "gate"
    previous: str | None = None
    previous_data_version: str | None = None

    @property
    def name(self) -> str:
        """``<kind>/<version>``."""
        return f"{self.kind}/{self.version}"


@contextmanager
def promotions_held(models_dir: Path) -> Iterator[None]:
    """Hold the history: of promotions at once, one waits for the other."""
    models_dir.mkdir(parents=True, exist_ok=True)
    with (models_dir / HISTORY).open("a+b") as history:
        fcntl.flock(history, fcntl.LOCK_EX)
        yield


def record_promotion(
    models_dir: Path, kind: str, version: str, data_version: str, *, reason: str, by: By
) -> Champion:
    """Move the pointer to a bundle, and add a line to the history; call while it is held.

    A pointer that cannot be read is replaced: the bundle it named is then not known.
    """
    before = _readable_champion(models_dir)
    _complete_history(models_dir, before)
    champion = Champion(
        kind=kind,
        version=version,
        data_version=data_version,
        promoted_at=datetime.now(UTC).isoformat(),
        reason=reason,
        by=by,
        previous=before.name if before else None,
        previous_data_version=before.data_version if before else None,
    )
    with atomic_file(models_dir / CHAMPION) as partial:
        text = json.dumps(vars(champion), indent=2, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")
    _complete_history(models_dir, champion)
    return champion


def read_champion(models_dir: Path) -> Champion | None:
    """Return what the champion's pointer says, or None before the first promotion.

    Raises
    ------
    BundleError
        If the pointer cannot be read.
    """
    pointer = models_dir / CHAMPION
    if not pointer.exists():
        return None
    try:
        return _champion(pointer.read_text(encoding="utf-8"))
    except (OSError, TypeError, ValueError) as error:
        raise BundleError(
            f"{pointer} does not name a champion ({error}). Promote a bundle again: `crossrec run` "
            "notices and does so."
        ) from error


def read_promotions(models_dir: Path) -> list[Champion]:
    """Return all promotions and rollbacks, oldest first; the pointer's own is the last.

    Where the pointer cannot be read, the history alone tells.

    Raises
    ------
    BundleError
        If a line cannot be read.
    """
    history = models_dir / HISTORY
    lines = _whole_lines(history) if history.exists() else []
    promotions = []
    for number, line in enumerate(lines, start=1):
        try:
            promotions.append(_champion(line))
        except (TypeError, ValueError) as error:
            raise BundleError(
                f"{history}, line {number} is not a promotion ({error}). Delete the line, or "
                "restore the file from a copy."
            ) from error
    champion = _readable_champion(models_dir)
    if champion is not None and champion not in promotions[-1:]:
        promotions.append(champion)
    return promotions


def earlier_champions(promotions: list[Champion]) -> list[Champion]:
    """Return what was served before the champion and not rolled back, the latest first.

    Each bundle stands where it was last promoted. A rollback goes back to such a place, and
    forgets what came after it.
    """
    served: list[Champion] = []
    for promotion in promotions:
        places = [place for place, other in enumerate(served) if other.name == promotion.name]
        if promotion.by == "rollback" and places:
            del served[places[0] + 1 :]
            continue
        served = [other for other in served if other.name != promotion.name]
        served.append(promotion)
    return served[-2::-1]


def taken_down(promotions: list[Champion]) -> dict[str, Champion]:
    """Return the contents (data versions) that a person took down, and how.

    A person's rollback, or promotion of another bundle, holds until that content is promoted by
    hand: the gate must not undo it.
    """
    down: dict[str, Champion] = {}
    for promotion in promotions:
        down.pop(promotion.data_version, None)
        replaced = promotion.previous_data_version
        if promotion.by != "gate" and replaced not in (None, promotion.data_version):
            down[replaced] = promotion
    return down


def _readable_champion(models_dir: Path) -> Champion | None:
    try:
        return read_champion(models_dir)
    except BundleError:
        return None


def _champion(text: str | bytes) -> Champion:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    return Champion(**content)


def _whole_lines(history: Path) -> list[bytes]:
    """Read the lines that were written to their end: a killed process may have left half a line."""
    *lines, _ = history.read_bytes().split(b"\n")
    return lines


def _complete_history(models_dir: Path, champion: Champion | None) -> None:
    """Make the champion's line the last one."""
    history = models_dir / HISTORY
    lines = _whole_lines(history)
    with history.open("r+b") as file:
        file.seek(sum(len(line) + 1 for line in lines))
        file.truncate()
        if champion is not None:
            line = json.dumps(vars(champion), ensure_ascii=False).encode()
            if line not in lines[-1:]:
                file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
