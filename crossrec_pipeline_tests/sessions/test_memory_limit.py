from pathlib import Path

import pytest

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.sessions import memory_limit
from crossrec_pipeline.sessions.memory_limit import available_memory_bytes, memory_limit_bytes


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("2GB", 2 * 10**9), ("1.5 MB", 1_500_000), ("512MiB", 512 * 2**20), ("7b", 7)],
)
def test_limit_is_a_number_and_a_unit(text: str, n_bytes: int) -> None:
    assert memory_limit_bytes(text) == n_bytes


@pytest.mark.parametrize("text", ["", "2", "GB", "-1GB", "0GB", "2 parsecs"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match=r"CROSSREC_SESSIONS__MEMORY_LIMIT=.*such as 2GB"):
        memory_limit_bytes(text)


def test_without_a_limit_it_is_half_of_the_memory() -> None:
    assert memory_limit_bytes(None) == available_memory_bytes() // 2


@pytest.mark.parametrize(("limit", "changes"), [("1000\n", True), ("max\n", False)])
def test_a_container_may_have_less_than_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, changes: bool
) -> None:
    monkeypatch.setattr(memory_limit, "_CGROUP_LIMITS", ())
    machine = available_memory_bytes()
    (tmp_path / "memory.max").write_text(limit)
    monkeypatch.setattr(memory_limit, "_CGROUP_LIMITS", (tmp_path / "memory.max",))
    assert available_memory_bytes() == (1_000 if changes else machine)
