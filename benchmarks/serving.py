"""How many requests the service answers, how fast, and what it does when things go wrong.

    python benchmarks/serving.py --items 100000 --dim 128 [--json OUT]
    python benchmarks/serving.py --items 100000 --dim 128 --rate 500 --seconds 20

Makes a bundle of synthetic items, exports it, and starts `crossrec serve` on the first core; load
comes from this process, on the second, in an open loop (`open_loop.py`): requests are due at fixed
times and timed from then. Sessions have 1 to 20 items, each as likely, drawn by train support; 20
items are wanted of each. A rate holds when 90 % of its requests take less than 7 ms and each is
answered. Beside it, in turn on the same core, a plain handler (`serving_plain.py`).
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from open_loop import Outcome, offer, post
from serving_bundle import make_bundle

from crossrec_pipeline.models.registry import open_bundle, promote
from crossrec_pipeline.serving.export import export_bundle
from crossrec_pipeline.sessions.vocabulary import Vocabulary

P90_BELOW_MS = 7.0
N_REQUESTS = 5000
TOP_K = 20
LONGEST = 20
READY_WITHIN_SECONDS = 120
PROBE_SECONDS = 5.0
SERVER_CORE, LOAD_CORE = 0, 1
Report = dict[str, Any]


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--items", type=int, default=100_000)
    options.add_argument("--dim", type=int, default=128)
    options.add_argument("--rate", type=float, help="offer this rate only, requests/s")
    options.add_argument("--seconds", type=float, default=15.0, help="of each measured run")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", type=Path, help="write the figures there too")
    options.add_argument("--folder", type=Path, help="keep bundles and exports there")
    given = options.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE % (os.cpu_count() or 1)})
    folder = given.folder or Path(tempfile.mkdtemp(prefix="crossrec-serving-"))
    try:
        report = measured(folder, given)
    finally:
        if given.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    if given.json:
        given.json.write_text(json.dumps(report, indent=2))


def measured(folder: Path, given: argparse.Namespace) -> Report:
    """Run what was asked for; print it and return it."""
    bundles = prepared(folder, given)
    requests = drawn_requests(bundles[0], given.seed)
    promote(folder / "models", open_bundle(bundles[0]), reason="benchmark")
    report: Report = {"items": given.items, "dim": given.dim}
    if given.rate:
        with service(folder) as server:
            report["fixed"] = told(server.offer(requests, given.rate, given.seconds))
        return report
    report |= side_by_side(folder, bundles[0], requests, given.seconds)
    capacity = report["service"]["rate"]
    with service(folder) as server:
        title(f"overload, {3 * capacity:,.0f} requests/s")
        report["overload"] = told(
            server.offer(requests, 3 * capacity, given.seconds, n_connections=1000)
        )
        title("after it")
        report["after_overload"] = told(server.offer(requests, capacity / 2, PROBE_SECONDS))
        report["swap"] = swap(server, folder, bundles, requests, capacity / 2, given.seconds)
    report["kill"] = kill(folder, requests, capacity / 2, given.seconds)
    return report


def prepared(folder: Path, given: argparse.Namespace) -> list[Path]:
    """Make and export two bundles, unless they are there from an earlier run."""
    bundles = []
    for seed in (given.seed, given.seed + 1):
        note = folder / f"{given.items}x{given.dim}-{seed}.path"
        if not note.exists():
            started = time.perf_counter()
            path = make_bundle(folder / "models", given.items, given.dim, seed)
            made = time.perf_counter()
            export_bundle(open_bundle(path), folder / "serving")
            print(
                f"bundle made in {made - started:.1f} s, exported in "
                f"{time.perf_counter() - made:.1f} s"
            )
            note.write_text(str(path))
        bundles.append(Path(note.read_text()))
    return bundles


def drawn_requests(bundle: Path, seed: int) -> list[bytes]:
    """Draw sessions, as whole HTTP requests."""
    vocabulary = Vocabulary.load(bundle / "vocabulary.parquet")
    generator = np.random.default_rng(seed)
    share = vocabulary.support / vocabulary.support.sum()
    lengths = generator.integers(1, LONGEST + 1, N_REQUESTS)
    items = generator.choice(vocabulary.n_items, lengths.sum(), p=share)
    ids = vocabulary.item_ids
    return [
        post(
            "/v1/recommendations",
            json.dumps({"session": [ids[i] for i in session], "top_k": TOP_K}).encode(),
        )
        for session in np.split(items, np.cumsum(lengths)[:-1])
    ]


@dataclass(frozen=True)
class Server:
    """A server that is ready."""

    process: subprocess.Popen[bytes]
    port: int
    ready_seconds: float

    def offer(
        self, requests: list[bytes], rate: float, seconds: float, n_connections: int = 64
    ) -> Outcome:
        """Offer a rate for some time."""
        return offer(
            ("127.0.0.1", self.port),
            requests,
            rate=rate,
            seconds=seconds,
            n_connections=n_connections,
        )

    def ask(self, path: str) -> Any:
        """Return what a GET answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)

    def workers(self) -> list[psutil.Process]:
        """Return the processes that hold a model: the children that do, or the only process."""
        process = psutil.Process(self.process.pid)
        children = [child for child in process.children() if child.memory_info().rss > 100 * 2**20]
        return children or [process]


@contextmanager
def service(folder: Path, workers: int = 1) -> Iterator[Server]:
    """Start `crossrec serve` on the first core, and stop it."""
    arguments = ["-m", "crossrec_pipeline.cli", "serve", "--workers", str(workers)]
    environment = {"CROSSREC_DATA_DIR": str(folder), "CROSSREC_SERVING__LOG_REQUESTS": "false"}
    with started(arguments, environment) as server:
        yield server


@contextmanager
def plain(bundle: Path) -> Iterator[Server]:
    """Start the plain handler on the first core, and stop it."""
    arguments = ["-m", "uvicorn", "serving_plain:app", "--no-access-log", "--log-level", "warning"]
    folder = str(Path(__file__).parent)
    with started([*arguments, "--app-dir", folder], {"BUNDLE": str(bundle)}) as server:
        yield server


@contextmanager
def started(arguments: list[str], environment: dict[str, str]) -> Iterator[Server]:
    """Start a server on a free port of this machine, wait until it is ready, and stop it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments, "--port", str(port)],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _is_ready(port):
            if process.poll() is not None:
                sys.exit(f"The server ended with exit code {process.returncode}: {arguments}")
            if time.perf_counter() - begun > READY_WITHIN_SECONDS:
                sys.exit(f"The server was not ready within {READY_WITHIN_SECONDS} s: {arguments}")
            time.sleep(0.02)
        yield Server(process, port, time.perf_counter() - begun)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _is_ready(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
    except (OSError, urllib.error.URLError):
        return False
    return True


def side_by_side(folder: Path, bundle: Path, requests: list[bytes], seconds: float) -> Report:
    """Find the highest rate of the service and of the plain handler, in turn."""
    report: Report = {}
    with service(folder) as server, plain(bundle) as other:
        model = server.ask("/v1/model")
        memory = memory_of(server.workers()[0])
        title("service")
        print(f"  ranks by {json.dumps(model['kernel'])}")
        print(f"  ready in {server.ready_seconds:.1f} s; memory of the worker {memory}")
        report["service"] = {
            "kernel": model["kernel"],
            "ready_seconds": server.ready_seconds,
            "memory_mb": memory,
        }
        report["plain"] = {}
        for name, one in (("service", server), ("plain", other)):
            one.offer(requests, 100.0, 2.0)  # the first requests find cold caches
            title(f"{name}: the highest rate with p90 below {P90_BELOW_MS:g} ms")
            rate, outcome = highest_rate(one, requests, seconds)
            report[name] |= {"rate": rate, "at_highest": outcome}
        for name, one in (("service", server), ("plain", other)):
            title(f"{name}: 500 requests/s")
            report[name]["at_500"] = told(one.offer(requests, 500.0, seconds))
    # With many items one request alone takes the plain handler longer than the limit.
    slow = report["plain"]["rate"] or report["plain"]["at_500"]["served_per_second"]
    report["ratio"] = report["service"]["rate"] / slow
    held = "" if report["plain"]["rate"] else ", which holds no rate, at its limit"
    print(f"\nservice {report['ratio']:.2f} times the rate of the plain handler{held}")
    return report


def highest_rate(server: Server, requests: list[bytes], seconds: float) -> tuple[float, Report]:
    """Search by halves for the highest rate that holds, then let it hold for the whole time."""
    low, high = 0.0, 100.0
    while _holds(server.offer(requests, high, PROBE_SECONDS)):
        low, high = high, high * 1.6
    while high - low > max(0.04 * high, 5):
        middle = (low + high) / 2
        if _holds(server.offer(requests, middle, PROBE_SECONDS)):
            low = middle
        else:
            high = middle
    rate = low
    while True:
        outcome = server.offer(requests, rate, seconds)
        print(f"  {rate:7,.0f} offered/s: {outcome}")
        if _holds(outcome) or rate < 5:
            return rate, figures(outcome)
        rate *= 0.95


def _holds(outcome: Outcome) -> bool:
    return outcome.errors == 0 and outcome.percentile(90) < P90_BELOW_MS


def swap(
    server: Server,
    folder: Path,
    bundles: list[Path],
    requests: list[bytes],
    rate: float,
    seconds: float,
) -> Report:
    """Promote another bundle, and then the first again, while requests come."""
    title(f"champion swapped twice, {rate:,.0f} requests/s")

    taken: list[float] = []

    def promotions() -> None:
        for bundle in (bundles[1], bundles[0]):
            time.sleep(seconds / 4)
            promoted = time.perf_counter()
            promote(folder / "models", open_bundle(bundle), reason="benchmark")
            while time.perf_counter() < promoted + seconds / 4:
                if server.ask("/v1/model")["version"] == bundle.name:
                    taken.append(time.perf_counter() - promoted)
                    break
                time.sleep(0.1)

    result = told(_while(promotions, lambda: server.offer(requests, rate, seconds)))
    print(f"  served after {', '.join(f'{s:.1f}' for s in taken) or 'never'} s")
    return {**result, "served_after_seconds": taken}


def kill(folder: Path, requests: list[bytes], rate: float, seconds: float) -> Report:
    """Kill one of two workers while requests come."""
    with service(folder, workers=2) as server:
        title(f"one of two workers killed, {rate:,.0f} requests/s")
        before = {worker.pid for worker in server.workers()}
        again: list[float] = []

        def murder() -> None:
            time.sleep(seconds / 3)
            os.kill(min(before), signal.SIGKILL)
            killed = time.perf_counter()
            while time.perf_counter() < killed + seconds:
                if len([worker for worker in server.workers() if worker.pid not in before]):
                    again.append(time.perf_counter() - killed)
                    return
                time.sleep(0.05)

        outcome = _while(murder, lambda: server.offer(requests, rate, seconds))
        result = told(outcome)
        back = again[0] if again else float("nan")
        print(f"  another worker held the model {back:.1f} s later")
        return {**result, "back_after_seconds": back}


def _while(other: Callable[[], None], load: Callable[[], Outcome]) -> Outcome:
    thread = threading.Thread(target=other)
    thread.start()
    try:
        return load()
    finally:
        thread.join()


def memory_of(worker: psutil.Process) -> dict[str, float]:
    """Return a process's resident memory, its own, and its share of what it shares, in MB."""
    full = worker.memory_full_info()
    return {name: round(getattr(full, name) / 2**20) for name in ("rss", "uss", "pss")}


def figures(outcome: Outcome) -> Report:
    """Put an outcome into numbers."""
    return {
        "served_per_second": len(outcome.served_ms) / outcome.seconds,
        **{f"p{share}_ms": outcome.percentile(share) for share in (50, 90, 99)},
        "statuses": outcome.statuses,
        "lost": outcome.lost,
        "refused_p99_ms": float(np.percentile(outcome.refused_ms, 99))
        if len(outcome.refused_ms)
        else None,
    }


def told(outcome: Outcome) -> Report:
    """Print an outcome and put it into numbers."""
    print(f"  {outcome}")
    return figures(outcome)


def title(text: str) -> None:
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    main()
