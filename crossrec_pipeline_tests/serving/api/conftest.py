from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from crossrec_pipeline_tests.serving.api.running import promote_model, running, settings_of


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with the small model, for tests that change nothing."""
    data_dir: Path = tmp_path_factory.mktemp("service")
    promote_model(data_dir)
    with running(settings_of(data_dir)) as found:
        yield found


@pytest.fixture(scope="session")
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=30) as found:
        yield found
