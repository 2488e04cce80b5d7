"""How fast GRU4Rec learns a log, how well and how fast it ranks what came next.

    python benchmarks/gru4rec.py --train FILE --test FILE [--set dropout_hidden=0.2 ...]
    python benchmarks/gru4rec.py --train FILE --validation-share 0.1 --set ... --against-set ...
    python benchmarks/gru4rec.py --train FILE --test FILE --against module:function

FILE is Parquet or TSV with the columns SessionId, ItemId and Time. Vocabulary and support come
from train alone. Clicks of test on items that train does not have are dropped, then sessions of one
click; every click after a session's first is ranked among all items, ties against the model. There
is no early stopping: all epochs are run.

To choose a configuration, leave test alone: ``--validation-share 0.1`` ranks the last tenth of
train's sessions instead, and trains on the rest. ``--against-set`` or ``--against-preset`` times a
second configuration, ``--against`` another implementation (see `turns`), chunk by chunk in turn
with the first.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
from click_logs import ClickSplit, hold_out_last, read_clicks, to_store, to_vocabulary
from turns import CUTOFF, Done, Lap, Task, take_turns

from crossrec_pipeline.errors import CrossrecError, SettingsError
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig, preset

OURS = f"{Path(__file__).stem}:train_and_rank"


def main() -> None:
    options = _parser()
    given = options.parse_args()
    if (given.test is None) == (given.validation_share is None):
        options.error("give either --test FILE or --validation-share SHARE")
    try:
        with tempfile.TemporaryDirectory() as folder:
            run(given, Path(folder))
    except CrossrecError as error:
        sys.exit(f"error: {error}")


def run(given: argparse.Namespace, folder: Path) -> None:
    """Do as the options say, with `folder` for the files that all sides read."""
    sides = _sides(given)
    split = _split(given)
    files = {"train": folder / "train.parquet", "test": folder / "test.parquet"}
    split.train.write_parquet(files["train"])
    split.ranked.write_parquet(files["test"])
    for line in _data_lines(split):
        print(line)
    common = {**files, "epochs": given.epochs, "seed": given.seed, "threads": given.threads}
    tasks = {name: (entry, Task(options=side, **common)) for name, (entry, side) in sides.items()}
    print(f"\n{'':<12}{'stage':<10}{'events':>10}{'CPU s':>9}{'events/CPU-s':>14}{'/wall-s':>10}")
    laps: list[Lap] = []
    for lap in take_turns(tasks):
        laps.append(lap)
        print(_lap_line(lap), flush=True)
    print()
    for line in _summary_lines(laps, list(sides)):
        print(line)
    if given.json is not None:
        report = {
            "sides": {name: {"entry": entry, **side} for name, (entry, side) in sides.items()},
            "n_train_events": split.train.height,
            "n_items": split.train["ItemId"].n_unique(),
            "laps": [asdict(lap) for lap in laps],
        }
        given.json.write_text(json.dumps(report, indent=2) + "\n")


def train_and_rank(task: Task, done: Done) -> None:
    """Train this project's GRU4Rec and rank test: an implementation as `turns` wants it."""
    import torch

    from crossrec_pipeline.evaluation.ranking import target_ranks
    from crossrec_pipeline.models.gru4rec.model import GRU4Rec

    torch.set_num_threads(task.threads)
    clicks = pl.read_parquet(task.train)
    vocabulary = to_vocabulary(clicks)
    train, test = (to_store(part, vocabulary) for part in (clicks, pl.read_parquet(task.test)))
    epochs = {} if task.epochs is None else {"epochs": str(task.epochs)}
    model = GRU4Rec(
        configuration({**task.options, "seed": str(task.seed), **epochs}), progress_bar=False
    )
    done("prepared")
    model.fit(train, vocabulary, progress=lambda _: done("trained", train.n_predictions))
    ranks = target_ranks(model, test, vocabulary)
    done("ranked", len(ranks), ranks)


def configuration(options: Mapping[str, str]) -> GRU4RecConfig:
    """Make a configuration of texts: JSON values (0.1, true, null); anything else is a word."""
    fields = {name: _value(text) for name, text in options.items() if name != "preset"}
    return preset(options.get("preset", "default"), **fields)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = options.add_argument
    add("--train", type=Path, required=True, metavar="FILE", help="clicks to learn from")
    add("--test", type=Path, metavar="FILE", help="clicks to rank")
    add("--validation-share", type=_share, metavar="SHARE", help="rank the last sessions of train")
    add("--recent-share", type=_share, metavar="SHARE", help="use the last sessions of train only")
    add("--min-support", type=int, default=1, metavar="N", help="drop rarer items from train")
    add("--preset", default="default", help="configuration to begin with")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="replace one of its fields")
    add("--against", metavar="MODULE:FUNCTION", help="another implementation, timed in turn")
    add("--against-preset", metavar="PRESET", help="a second configuration, timed in turn")
    add("--against-set", action="append", default=[], metavar="KEY=VALUE", help="its options")
    add("--epochs", type=int, metavar="N", help="passes over train, of both sides")
    add("--seed", type=int, default=0, metavar="S")
    add("--threads", type=int, default=1, metavar="T", help="our training always takes one")
    add("--json", type=Path, metavar="OUT", help="write all figures there")
    return options


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return share


def _sides(given: argparse.Namespace) -> dict[str, tuple[str, dict[str, str]]]:
    """Return what runs, by name: where it is, and its options."""
    ours = {"preset": given.preset, **_pairs(given.set)}
    configuration(ours)
    sides = {"ours": (OURS, ours)}
    theirs = _pairs(given.against_set)
    if given.against is not None:
        module = given.against.partition(":")[0]
        if not module or find_spec(module) is None:
            raise SettingsError(
                f"There is no module {module!r} for --against {given.against}. Give "
                "MODULE:FUNCTION, and the module's folder in PYTHONPATH."
            )
        sides[module] = (given.against, theirs)
    elif theirs or given.against_preset is not None:
        second = {"preset": given.against_preset or given.preset, **theirs}
        configuration(second)
        sides["second"] = (OURS, second)
    return sides


def _pairs(settings: Sequence[str]) -> dict[str, str]:
    for setting in settings:
        if "=" not in setting:
            raise SettingsError(f"{setting!r} is not KEY=VALUE, such as dropout_hidden=0.2.")
    return dict(setting.split("=", 1) for setting in settings)


def _split(given: argparse.Namespace) -> ClickSplit:
    train = read_clicks(given.train)
    if given.recent_share is not None:
        train = hold_out_last(train, given.recent_share)[1]
    if given.validation_share is not None:
        train, test = hold_out_last(train, given.validation_share)
    else:
        test = read_clicks(given.test)
    return ClickSplit.of_files(train, test, given.min_support)


def _data_lines(split: ClickSplit) -> Iterator[str]:
    for name, clicks in (("train", split.train), ("ranked", split.ranked)):
        n_sessions = clicks["SessionId"].n_unique()
        yield (
            f"{name:<8}{clicks.height:>11,} clicks {n_sessions:>9,} sessions "
            f"{clicks.height - n_sessions:>9,} predictions {clicks['ItemId'].n_unique():>8,} items"
        )
    yield from split.notes


def _lap_line(lap: Lap) -> str:
    line = f"{lap.name:<12}{lap.stage:<10}{lap.n_events:>10,}{lap.cpu_seconds:>9.1f}"
    if lap.n_events:
        line += f"{lap.n_events / lap.cpu_seconds:>14,.0f}{lap.n_events / lap.wall_seconds:>10,.0f}"
    if lap.recall_at_20 is not None:
        line += f"  Recall@{CUTOFF} {lap.recall_at_20:.4f}  MRR@{CUTOFF} {lap.mrr_at_20:.4f}"
    return line


def _summary_lines(laps: Iterable[Lap], names: Sequence[str]) -> Iterator[str]:
    by_side: dict[str, list[Lap]] = defaultdict(list)
    for lap in laps:
        by_side[lap.name].append(lap)
    yield (
        f"{'':<12}{'training':>16}{'ranking':>16}{'peak memory':>14}"
        f"{f'Recall@{CUTOFF}':>11}{f'MRR@{CUTOFF}':>8}"
    )
    for name in names:
        mine = by_side[name]
        peak = f"{mine[-1].peak_mib:,.0f} MiB"
        figures = "".join(
            f"{lap.recall_at_20:>11.4f}{lap.mrr_at_20:>8.4f}"
            for lap in mine
            if lap.recall_at_20 is not None
        )
        speeds = "".join(
            f"{f'{_speed(mine, stage):,.0f}/CPU-s':>16}" for stage in ("trained", "ranked")
        )
        yield f"{name:<12}{speeds}{peak:>14}{figures}"
    if len(names) == 2:
        first, second = (by_side[name] for name in names)
        ratios = [
            _speed([mine], "trained") / _speed([theirs], "trained")
            for mine, theirs in zip(_of(first, "trained"), _of(second, "trained"), strict=False)
        ]
        yield (
            f"{names[0]} : {names[1]} by CPU time: training "
            f"{_speed(first, 'trained') / _speed(second, 'trained'):.2f} (by turn "
            f"{min(ratios):.2f} to {max(ratios):.2f}), ranking "
            f"{_speed(first, 'ranked') / _speed(second, 'ranked'):.2f}"
        )


def _of(laps: Iterable[Lap], stage: str) -> list[Lap]:
    return [lap for lap in laps if lap.stage == stage]


def _speed(laps: Iterable[Lap], stage: str) -> float:
    """Return predictions a second of CPU time over all chunks of a stage; NaN without any."""
    chosen = _of(laps, stage)
    seconds = sum(lap.cpu_seconds for lap in chosen)
    return sum(lap.n_events for lap in chosen) / seconds if seconds else float("nan")


if __name__ == "__main__":
    main()
