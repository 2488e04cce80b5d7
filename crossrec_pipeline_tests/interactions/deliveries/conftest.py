from pathlib import Path

import pytest

from crossrec_pipeline_tests.interactions.deliveries.growing_log import GrowingLog


@pytest.fixture
def log(tmp_path: Path) -> GrowingLog:
    return GrowingLog(tmp_path)
