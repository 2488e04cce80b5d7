"""Memory that training a GRU4Rec takes, over memory-mapped sessions of growing number.

    python benchmarks/gru4rec_memory.py [--events 1e6 1e8] [--items 100000] [--share 0.1]
    python benchmarks/gru4rec_memory.py --events 1e5 --items 134000 --presets default classic

Sessions are drawn and written to a temporary folder piece by piece. Each size is trained in a
process of its own, on a share of one epoch, with a checkpoint at its end. Resident memory is told
apart: what the process holds (anonymous), which must not grow with the log, and pages of mapped
files, which the system takes back when it needs them.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import torch

from crossrec_pipeline.models.gru4rec import run
from crossrec_pipeline.models.gru4rec.batches import SessionParallelWindows, Window
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints
from crossrec_pipeline.models.gru4rec.config import PRESETS, GRU4RecConfig, preset
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

COLUMNS = {
    "preset": 10,
    "events": 12,
    "arrays MB": 12,
    "before MB": 12,
    "held MB": 12,
    "more MB": 12,
    "of it model MB": 16,
    "mapped MB": 12,
    "seconds": 12,
    "events/s": 12,
}
MEAN_LENGTH = 10
PIECE = 1_000_000


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--events", type=float, nargs="+", default=[1e6, 1e8])
    options.add_argument("--items", type=int, default=100_000)
    options.add_argument("--share", type=float, default=0.1, help="of one epoch")
    options.add_argument("--presets", nargs="+", default=["default"], choices=list(PRESETS))
    options.add_argument("--folder", type=Path, help="train on what is there, and print one line")
    given = options.parse_args()
    if given.folder:
        print(measured(given.folder, given.items, given.share, given.presets[0]))
        return
    print(f"{given.items:,} items, {given.share:.0%} of an epoch")
    print("".join(f"{name:>{width}}" for name, width in COLUMNS.items()), flush=True)
    for n_events in map(int, given.events):
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), n_events, given.items)
            sizes = ["--items", str(given.items), "--share", str(given.share)]
            for name in given.presets:
                options = ["--folder", folder, *sizes, "--presets", name]
                subprocess.run([sys.executable, __file__, *options], check=True)


def write(folder: Path, n_events: int, n_items: int) -> None:
    """Write sessions of about `n_events` events, with a popularity like Zipf's."""
    rng = np.random.default_rng(0)
    n_sessions = n_events // MEAN_LENGTH
    offsets = np.lib.format.open_memmap(
        folder / "offsets.npy", "w+", dtype=np.int64, shape=(n_sessions + 1,)
    )
    end = 0
    for begin in range(0, n_sessions, PIECE):
        lengths = 1 + rng.geometric(1 / (MEAN_LENGTH - 1), min(PIECE, n_sessions - begin))
        ends = end + np.cumsum(lengths)
        offsets[begin + 1 : begin + 1 + len(ends)] = ends
        end = int(ends[-1])
    items = np.lib.format.open_memmap(folder / "item_index.npy", "w+", dtype=np.int32, shape=(end,))
    for begin in range(0, end, PIECE):
        uniform = rng.random(min(PIECE, end - begin))
        items[begin : begin + len(uniform)] = (n_items + 1) ** uniform - 1
    offsets.flush()
    items.flush()


class SomeWindows(SessionParallelWindows):
    """A share of an epoch's windows."""

    left = 0

    def __next__(self) -> Window:
        window = super().__next__()
        SomeWindows.left -= len(window.inputs)
        if SomeWindows.left < 0:
            raise StopIteration
        return window


class Watch(threading.Thread):
    """Looks at this process's memory twenty times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.held_mb = self.mapped_mb = 0.0

    def run(self) -> None:
        """Look, until the process ends."""
        while True:
            held, mapped = resident_mb()
            self.held_mb = max(self.held_mb, held)
            self.mapped_mb = max(self.mapped_mb, mapped)
            time.sleep(0.05)


def resident_mb() -> tuple[float, float]:
    """Return what is held, and what is mapped of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    sizes = {name: size for name, _, size in (line.partition(":") for line in lines)}
    held, mapped = (int(sizes[name].split()[0]) for name in ("RssAnon", "RssFile"))
    return held / 1000, mapped / 1000


def measured(folder: Path, n_items: int, share: float, preset_name: str) -> str:
    """Train on a share of an epoch, and return the figures as one line of the table."""
    items, offsets = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("item_index", "offsets")
    )
    none = np.empty(0, dtype=np.int64)
    store = SessionStore(items, offsets, start_us=none, end_us=none, keys=pl.DataFrame())
    vocabulary = numbered_vocabulary(n_items)
    config = preset(preset_name, epochs=1, device="cpu")
    warm_up(config if config.n_negatives is None else config.model_copy(update={"n_negatives": 50}))
    run.session_parallel_windows = SomeWindows
    SomeWindows.left = int(share * store.n_predictions)
    n_weights = sum(
        x.numel() for x in GRU4RecNetwork(n_items, config, torch.Generator()).parameters()
    )
    model, (before_mb, _) = GRU4Rec(config, progress_bar=False), resident_mb()
    watch, began = Watch(), time.perf_counter()
    watch.start()
    report = model.fit(store, vocabulary, checkpoints=Checkpoints(folder / "checkpoint"))
    figures = [
        store.n_events,
        (items.nbytes + offsets.nbytes) / 1e6,
        before_mb,
        watch.held_mb,
        watch.held_mb - before_mb,
        3 * 4 * n_weights / 1e6,  # with both moments of each
        watch.mapped_mb,
        time.perf_counter() - began,
        share * report.history[0]["events_per_second"],
    ]
    widths = list(COLUMNS.values())
    return f"{preset_name:>{widths[0]}}" + "".join(
        f"{figure:>{width},.0f}" for figure, width in zip(figures, widths[1:], strict=True)
    )


def warm_up(config: GRU4RecConfig) -> None:
    """Have libraries loaded and code compiled before memory is looked at."""
    store = SessionStore.from_sequences([[n % 400, (n + 1) % 400] for n in range(400)])
    GRU4Rec(config, progress_bar=False).fit(store, numbered_vocabulary(400))


if __name__ == "__main__":
    main()
