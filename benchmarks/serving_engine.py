"""A GRU4Rec bundle in; processor time of a request in the engine out, by batch and by search.

Run it on one core: ``taskset -c 1 python -m benchmarks.serving_engine FOLDER --items 100000``.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving_bundle import make_bundle
from crossrec_pipeline.models.registry import list_bundles
from crossrec_pipeline.serving.engine.base import Query
from crossrec_pipeline.serving.engine.cluster_search import ClusterSearch
from crossrec_pipeline.serving.engine.item_table import ItemTable, open_item_table
from crossrec_pipeline.serving.engine.load import load_engine, prepare_engine, read_gru4rec
from crossrec_pipeline.serving.engine.search import ItemSearch, WholeSearch
from crossrec_pipeline.sessions.vocabulary import Vocabulary

BATCHES = (1, 4, 8, 16, 64)
TOP_K = 20
LONGEST = 20
REQUESTS_A_ROUND = 64
ASKED: dict[str, dict[str, Any]] = {
    "rank": {},
    "rank, one type": {"types": (1,)},
    "rank, with influence": {"wants_influence": True},
    "rank, from a token": {},
}


def sessions(vocabulary: Vocabulary, n: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Draw sessions of 1 to 20 items by support."""
    shares = vocabulary.support / vocabulary.support.sum()
    lengths = generator.integers(1, LONGEST + 1, n)
    items = generator.choice(vocabulary.n_items, lengths.sum(), p=shares).astype(np.int32)
    return np.split(items, np.cumsum(lengths)[:-1])


def milliseconds(
    ways: dict[str, Callable[[Sequence[Query]], object]],
    asked: dict[str, list[Query]],
    n_rounds: int,
) -> dict[tuple[str, int], float]:
    """Time each way with each batch, one after the other in every round: medians of a request."""
    taken: dict[tuple[str, int], list[float]] = {}
    for turn in range(n_rounds + 1):
        for batch in BATCHES:
            for name, way in ways.items():
                for begin in range(0, REQUESTS_A_ROUND, batch):
                    queries = asked[name][begin : begin + batch]
                    start = time.thread_time()
                    way(queries)
                    if turn:  # the first round warms up
                        ms = 1000 * (time.thread_time() - start) / batch
                        taken.setdefault((name, batch), []).append(ms)
    return {key: float(np.median(values)) for key, values in taken.items()}


def _search_of(search: ItemSearch, hidden: dict[int, np.ndarray]) -> Callable[..., object]:
    def best(queries: Sequence[Query]) -> object:
        return search.best(np.concatenate([hidden[id(query)] for query in queries]), queries)

    return best


def _searches(table: ItemTable) -> list[ItemSearch]:
    whole: list[ItemSearch] = [WholeSearch(table, "bytes"), WholeSearch(table, "floats")]
    if table.n_seen < len(table.item_bias):
        whole.append(ClusterSearch(table, "bytes", table.n_seen))
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the bundle is, or is made")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    bundles = list_bundles(options.folder, "gru4rec")
    path = bundles[-1] if bundles else make_bundle(options.folder, options.items, options.dim, 0)
    if not (options.folder / "engine").exists():
        print(prepare_engine(path, options.folder / "engine"))
    engine, vocabulary, bundle = load_engine(path, options.folder / "engine")
    print(engine.description())
    states, tensors = read_gru4rec(path, vocabulary)
    weight, bias = tensors["output_weight"], tensors["output_bias"]
    table = open_item_table(options.folder / "engine", weight, bias, bundle.data_version)

    drawn = sessions(vocabulary, REQUESTS_A_ROUND, np.random.default_rng(1))
    asked = {
        name: [Query(session, TOP_K, **more) for session in drawn] for name, more in ASKED.items()
    }
    before = engine.rank(
        [Query(session[:-1], 1, wants_state=True) for session in drawn if len(session) > 1]
    )
    tokens = iter(before)
    asked["rank, from a token"] = [
        Query(session, TOP_K, state=next(tokens).state if len(session) > 1 else None)
        for session in drawn
    ]
    hidden = {id(query): states.last_hidden([query.session]) for query in asked["rank"]}
    ways: dict[str, Callable[[Sequence[Query]], object]] = dict.fromkeys(asked, engine.rank)
    for search in _searches(table):
        ways[search.name] = _search_of(search, hidden)
        asked[search.name] = asked["rank"]
    ways["states"] = lambda queries: states.last_hidden([query.session for query in queries])
    asked["states"] = asked["rank"]
    found = milliseconds(ways, asked, options.rounds)
    print(f"| ms a request, batch of | {' | '.join(map(str, BATCHES))} |")
    print("|---" * (1 + len(BATCHES)) + "|")
    for name in ways:
        print(f"| {name} | {' | '.join(f'{found[name, batch]:.3f}' for batch in BATCHES)} |")


if __name__ == "__main__":
    main()
