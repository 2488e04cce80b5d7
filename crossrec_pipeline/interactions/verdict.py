"""Which log lies there, and whether its checks have passed: nothing may be trained on it before."""

import json
from pathlib import Path

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.errors import QualityError


class LogVerdict:
    """A small file beside the log.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def withdraw(self) -> None:
        """Forget the verdict, before the log changes: a killed write leaves none."""
        self._path.unlink(missing_ok=True)

    def expect(self, version: str) -> None:
        """Note that the log of this version waits for its checks."""
        self._write(version, passed=False)

    def record(self, *, passed: bool) -> None:
        """Note what the checks said of the log that lies there.

        Raises
        ------
        QualityError
            If it is not known which log that is.
        """
        self._write(self._read()["version"], passed=passed)

    def require(self) -> None:
        """Let pass a log whose checks have passed.

        Raises
        ------
        QualityError
            If they have not.
        """
        verdict = self._read()
        if not verdict["passed"]:
            raise QualityError(
                f"The interaction log (version {verdict['version']}) has not passed its checks, so "
                "no sessions are made of it. Look at the check of interactions/events, repair the "
                "log, and materialise interactions/events again with its check."
            )

    def _read(self) -> dict[str, str | bool]:
        if not self._path.exists():
            raise QualityError(
                f"{self._path} does not exist: the interaction log was not written to its end. "
                "Materialise interactions/events again."
            )
        return json.loads(self._path.read_text())

    def _write(self, version: str | bool, *, passed: bool) -> None:
        with atomic_file(self._path) as partial:
            partial.write_text(json.dumps({"version": version, "passed": passed}))
