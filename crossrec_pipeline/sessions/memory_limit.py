"""From a text such as ``2GB``, or from nothing, to a number of bytes to keep within."""

import os
import re
from pathlib import Path

from crossrec_pipeline.errors import SettingsError

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_limit_bytes(limit: str | None) -> int:
    """Read a memory limit; without one it is half of what this machine or container has.

    Parameters
    ----------
    limit
        A number and a unit from B to TB (powers of ten) or KiB to TiB (powers of two), such as
        ``"2GB"`` or ``"512 MiB"``.

    Raises
    ------
    SettingsError
        If it is none.
    """
    if limit is None:
        return available_memory_bytes() // 2
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", limit)
    n_bytes = round(float(found[1]) * _UNITS.get(found[2].upper(), 0)) if found else 0
    if n_bytes <= 0:
        raise SettingsError(
            f"CROSSREC_SESSIONS__MEMORY_LIMIT={limit!r} is no amount of memory. Expected a number "
            "and a unit, such as 2GB or 512MiB."
        )
    return n_bytes


def available_memory_bytes() -> int:
    """Return the memory of this machine, or of the container where that has less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *(_read_limit(path) for path in _CGROUP_LIMITS if path.exists())])


def _read_limit(path: Path) -> int:
    """Read a control group's limit; one without a limit says so with a word or a huge number."""
    text = path.read_text().strip()
    return int(text) if text.isdigit() else 2**63
