"""What a search for a configuration left; importing this module does not import torch."""

import json
from pathlib import Path
from typing import Any

from crossrec_pipeline.errors import SettingsError

BEST = "best.json"


def tuned_overrides(directory: Path) -> dict[str, Any]:
    """Read the overrides of the last search.

    Raises
    ------
    SettingsError
        If there has been none, or its file is damaged.
    """
    path = directory / BEST
    if not path.exists():
        raise SettingsError(
            f"CROSSREC_TRAINING__PRESET=tuned needs {path}, which does not exist. Search first: "
            "crossrec tune."
        )
    try:
        return dict(json.loads(path.read_text())["overrides"])
    except (ValueError, KeyError, TypeError):
        raise SettingsError(
            f"{path} is damaged. Delete it and search again: crossrec tune."
        ) from None
