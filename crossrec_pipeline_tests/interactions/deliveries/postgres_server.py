"""A real PostgreSQL server on a free port, started for the tests and stopped after them."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUPERUSER_PASSWORD = "correct horse"
_START_SECONDS = 30.0


def find_binaries() -> Path | None:
    """Look for the folder with the server's programs."""
    on_path = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = [Path(on_path).parent] if on_path else []
    return next(
        (path for path in [*found, *folders] if all((path / n).exists() for n in _PROGRAMS)), None
    )


_PROGRAMS = ("initdb", "postgres")


@contextmanager
def running_server(binaries: Path) -> Iterator[int]:
    """Run a server, and give its port on this machine."""
    # The server refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        (directory / "password").write_text(SUPERUSER_PASSWORD)
        if user:
            entry = pwd.getpwnam(user)
            for path in [directory, directory / "password"]:
                os.chown(path, entry.pw_uid, entry.pw_gid)
        subprocess.run(
            [
                binaries / "initdb",
                *("--pgdata", directory / "data", "--username", "postgres"),
                *("--auth", "scram-sha-256", "--pwfile", directory / "password"),
                *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
            ],
            check=True,
            capture_output=True,
            user=user,
            cwd=directory,
        )
        port = _free_port()
        with (directory / "log").open("w") as log:
            server = subprocess.Popen(
                [
                    binaries / "postgres",
                    *("-D", directory / "data", "-p", str(port), "-k", directory),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                ],
                stdout=log,
                stderr=log,
                user=user,
                cwd=directory,
            )
        try:
            _wait(directory / "log", server)
            yield port
        finally:
            server.terminate()
            server.wait(timeout=30)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _wait(log: Path, server: subprocess.Popen) -> None:
    end = time.monotonic() + _START_SECONDS
    while "ready to accept connections" not in log.read_text():
        if server.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the server did not start: {log.read_text()[-500:]}")
        time.sleep(0.05)
