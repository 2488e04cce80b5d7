"""In: what was read of each delivery. Out: ``ledger.json``, which names every piece that counts.

The ledger is the truth: a piece that it does not name was never read to its end, or was taken back.
It is replaced as a whole, so that a process killed at any point leaves the old state or the new.
"""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path

from crossrec_pipeline.atomic import atomic_file, remove_leftovers
from crossrec_pipeline.digests import json_digest
from crossrec_pipeline.errors import EventsError

UNDATED = "undated"
"""Stands in place of a day for rows whose time cannot be used."""

_FORMAT = 1


@dataclass(frozen=True)
class Piece:
    """The rows of one delivery on one day.

    Attributes
    ----------
    folder
        Its Parquet files, below the directory of the deliveries.
    n_rows
        Rows in it.
    digest
        Content version: rows and their order in the delivery.
    """

    folder: str
    n_rows: int
    digest: str


@dataclass(frozen=True)
class Delivery:
    """What was read of one delivery.

    Attributes
    ----------
    version
        Content version of what was delivered.
    fingerprint
        As it looked then: while it looks so, it need not be read to know its version.
    read_as
        Digest of the columns and prefixes it was read with.
    read_at
        When, ISO 8601 UTC.
    pieces
        By day (``YYYY-MM-DD``), or `UNDATED`.
    undated
        Rows without a usable time, by reason.
    """

    version: str
    fingerprint: str
    read_as: str
    read_at: str
    pieces: dict[str, Piece]
    undated: dict[str, int]

    @property
    def n_rows(self) -> int:
        """Rows delivered."""
        return sum(piece.n_rows for piece in self.pieces.values())

    def digests(self) -> dict[str, str]:
        """Return the content version of each piece, by day."""
        return {day: piece.digest for day, piece in self.pieces.items()}


@dataclass(frozen=True)
class Ledger:
    """All deliveries of one log, by name.

    Attributes
    ----------
    source
        The log they are deliveries of.
    """

    source: str
    deliveries: dict[str, Delivery] = field(default_factory=dict)

    def with_delivery(self, name: str, delivery: Delivery) -> "Ledger":
        """Return a ledger in which a delivery is added, or in the place of its former version."""
        return replace(self, deliveries={**self.deliveries, name: delivery})

    def days(self) -> tuple[str, ...]:
        """Return all days of which something was delivered, in order."""
        days = {day for delivery in self.deliveries.values() for day in delivery.pieces}
        return tuple(sorted(days - {UNDATED}))

    def pieces(self, day: str) -> list[Piece]:
        """Return what was delivered of a day, in the order of the deliveries' names."""
        return [
            delivery.pieces[day]
            for _, delivery in sorted(self.deliveries.items())
            if day in delivery.pieces
        ]

    def digests(self, day: str) -> list[str]:
        """Return the content versions of a day's pieces, in the order of the deliveries' names."""
        return [piece.digest for piece in self.pieces(day)]

    def version(self) -> str:
        """Return the content version of everything that was delivered."""
        return json_digest({name: delivery.digests() for name, delivery in self.deliveries.items()})


def read_ledger(deliveries_dir: Path) -> Ledger:
    """Read the ledger; one that is not there is that of no log.

    Raises
    ------
    EventsError
        If another version of this program wrote it.
    """
    path = deliveries_dir / "ledger.json"
    if not path.exists():
        return Ledger("")
    written = json.loads(path.read_text())
    if written["format"] != _FORMAT:
        raise EventsError(
            f"{path} has format {written['format']}, this version reads {_FORMAT}. Delete "
            f"{deliveries_dir} to read all deliveries again."
        )
    return Ledger(
        written["source"],
        {name: _delivery(entry) for name, entry in written["deliveries"].items()},
    )


def write_ledger(ledger: Ledger, deliveries_dir: Path) -> None:
    """Replace the ledger."""
    entries = {name: asdict(delivery) for name, delivery in ledger.deliveries.items()}
    with atomic_file(deliveries_dir / "ledger.json") as partial:
        partial.write_text(
            json.dumps({"format": _FORMAT, "source": ledger.source, "deliveries": entries})
        )


def known_days(deliveries_dir: Path) -> tuple[date, ...]:
    """Return the days (UTC) of all events delivered so far, in order.

    A log with wrong clocks has days far in the past or the future: take those between the first day
    and today that are meant.
    """
    return tuple(date.fromisoformat(day) for day in read_ledger(deliveries_dir).days())


def rows_by_day(deliveries_dir: Path) -> dict[date, int]:
    """Return how many rows were delivered of each day, repeats and all."""
    ledger = read_ledger(deliveries_dir)
    return {
        date.fromisoformat(day): sum(piece.n_rows for piece in ledger.pieces(day))
        for day in ledger.days()
    }


def pieces_dir(deliveries_dir: Path) -> Path:
    """Return where the pieces lie, one directory for each version of a delivery."""
    return deliveries_dir / "pieces"


def clear_unnamed(ledger: Ledger, deliveries_dir: Path) -> None:
    """Delete pieces that the ledger does not name: half staged, or taken back."""
    parent = pieces_dir(deliveries_dir)
    remove_leftovers(parent)
    if not parent.is_dir():
        return
    named = {
        Path(piece.folder).parts[1]
        for delivery in ledger.deliveries.values()
        for piece in delivery.pieces.values()
    }
    for path in parent.iterdir():
        if not path.name.startswith(".") and path.name not in named:
            shutil.rmtree(path)


@contextmanager
def only_reader(deliveries_dir: Path) -> Iterator[None]:
    """Hold the deliveries for this process: two readers would clear away each other's pieces.

    Raises
    ------
    EventsError
        If another process is reading.
    """
    deliveries_dir.mkdir(parents=True, exist_ok=True)
    with (deliveries_dir / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EventsError(
                f"Another process is reading deliveries into {deliveries_dir}. Wait until it is "
                "done."
            ) from None
        yield


def _delivery(entry: dict) -> Delivery:
    pieces = {day: Piece(**piece) for day, piece in entry.pop("pieces").items()}
    return Delivery(pieces=pieces, **entry)
