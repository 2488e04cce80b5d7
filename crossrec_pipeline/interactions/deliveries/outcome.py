"""Where deliveries are read to, and what became of one that was looked at."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from crossrec_pipeline.digests import text_digest
from crossrec_pipeline.errors import EventsError
from crossrec_pipeline.interactions.deliveries.ledger import Delivery, pieces_dir
from crossrec_pipeline.interactions.deliveries.stage import Staged


@dataclass(frozen=True)
class Place:
    """What one reading brings its deliveries to.

    Attributes
    ----------
    connection
        A database with the table `prefixes`.
    deliveries_dir
        Takes the pieces.
    read_as
        Digest of columns and prefixes; deliveries that were read with others are read again.
    now
        The present, aware.
    """

    connection: duckdb.DuckDBPyConnection
    deliveries_dir: Path
    read_as: str
    now: datetime

    def target(self, name: str, version: str) -> Path:
        """Return the directory for the pieces of one version of a delivery."""
        return pieces_dir(self.deliveries_dir) / f"{text_digest(name)}-{version}"

    def delivery(self, version: str, fingerprint: str, staged: Staged) -> Delivery:
        """Return what the ledger says of a delivery that was read now."""
        return Delivery(
            version,
            fingerprint,
            self.read_as,
            self.now.isoformat(),
            staged.pieces,
            staged.undated,
        )


@dataclass(frozen=True)
class Left:
    """It is left for later, and why."""

    why: str


@dataclass(frozen=True)
class Refused:
    """It cannot be read, and why."""

    error: EventsError


Outcome = tuple[str, Delivery | Left | Refused]
"""The delivery's name, and what was read of it if it was."""
