"""Which bundle each model's ranks are of: written beside the ranks, read by who uses them."""

import json
from collections.abc import Mapping
from pathlib import Path

_FILE = "bundles.json"


def write_ranked_bundles(ranks_dir: Path, data_versions: Mapping[str, str]) -> None:
    """Record the data version of each bundle that was ranked, by kind."""
    (ranks_dir / _FILE).write_text(json.dumps(dict(data_versions), indent=1))


def read_ranked_bundles(ranks_dir: Path) -> dict[str, str]:
    """Return the data version of each bundle that was ranked, by kind; none before that."""
    path = ranks_dir / _FILE
    return json.loads(path.read_text()) if path.exists() else {}
