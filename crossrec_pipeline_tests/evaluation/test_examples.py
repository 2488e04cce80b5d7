import numpy as np
import polars as pl

from crossrec_pipeline.evaluation.examples import N_SHOWN, Example, pick_examples
from crossrec_pipeline.evaluation.ranking import RANKS
from crossrec_pipeline.evaluation.top_lists import TopLists
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.evaluation.explicit_scores import vocabulary_of

VOCABULARY = vocabulary_of(["Movie"] * 40 + ["Book"] * 40)
N_SESSIONS = 6
STORE = SessionStore.from_sequences([[0, 1, 2, 3, 4, 5, 6, 7, 40]] * N_SESSIONS)


def ranks_of(rank_of_session: list[int]) -> pl.DataFrame:
    """Eight predictions a session, all of one rank; the last is a Book after a Movie."""
    rows = [
        {
            "session": session,
            "position": position,
            "source_type": "Movie",
            "target_type": "Book" if position == 8 else "Movie",
            "target_index": 40 if position == 8 else position,
            "rank": rank,
            "rank_within_type": 1,
            "target_support": 1,
            "rest_ranks": [rank],
        }
        for session, rank in enumerate(rank_of_session)
        for position in range(1, 9)
    ]
    return pl.DataFrame(rows, schema=pl.Schema(RANKS))


def lists_of(ranks: pl.DataFrame, sample: list[int] | None = None) -> TopLists:
    """The true item stands at its rank, where that is within the list; else there are fillers."""
    prediction = np.arange(ranks.height) if sample is None else np.array(sample)
    items = np.tile(np.arange(60, 60 + N_SHOWN, dtype=np.int32), (ranks.height, 1))
    for row, (target, rank) in enumerate(ranks.select("target_index", "rank").iter_rows()):
        if rank <= N_SHOWN:
            items[row, rank - 1] = target
    return TopLists(prediction, items[prediction])


def pick(
    main: list[int], other: list[int], sample: list[int] | None = None, seed: int = 0
) -> list[Example]:
    ranks = {"main": ranks_of(main), "other": ranks_of(other)}
    lists = {model: lists_of(frame, sample) for model, frame in ranks.items()}
    return pick_examples(ranks, lists, STORE, VOCABULARY, seed)


MAIN = [1, 2, 30, 5, 40, 50]
OTHER = [3, 30, 1, 1, 40, 60]


def test_one_example_of_each_outcome_each_of_another_session():
    examples = pick(MAIN, OTHER)

    assert [example.outcome for example in examples] == [
        "Both name it among their first 5",
        "main names it, other does not",
        "other names it, main does not",
        "main names it, and it is of another type than the last item",
        "Neither names it among 20",
        "main misses it, and it is of another type than the last item",
    ]
    # Sessions 0 and 3: both hit. 1: main alone. 2: other alone. 4 and 5: neither.
    assert examples[1].suggestions[0].rank == 2
    assert examples[2].suggestions[1].rank == 1
    assert examples[3].target.item_type == examples[5].target.item_type == "Book"


def test_the_share_says_how_frequent_an_outcome_is():
    shares = [example.share for example in pick(MAIN, OTHER)]

    # Of 6 sessions; across types it is one in eight of the predictions of 3 sessions each.
    assert shares == [2 / 6, 1 / 6, 1 / 6, 3 / 6 / 8, 2 / 6, 3 / 6 / 8]


def test_ranks_between_the_shown_items_and_the_headline_are_neither_hit_nor_miss():
    assert pick([10] * N_SESSIONS, [10] * N_SESSIONS) == []


def test_what_was_seen_ends_with_the_last_item_and_earlier_ones_are_counted():
    (example,) = pick([1] * 6, [1] * 6, sample=[7])  # after eight items the Book

    assert [title.title for title in example.seen] == [f"item {i}" for i in (3, 4, 5, 6, 7)]
    assert example.n_earlier == 3
    assert example.target.title == "item 40"


def test_the_item_that_came_next_is_marked_in_the_list():
    (example,) = pick([3] * 6, [30] * 6, sample=[2])

    marks = [[title.is_next for title in of.titles] for of in example.suggestions]
    assert marks == [[False, False, True, False, False], [False] * 5]


def test_sessions_with_one_item_so_far_are_drawn_only_where_there_are_no_others():
    assert len(pick([1] * 6, [1] * 6, sample=[0, 1])[0].seen) == 2
    assert len(pick([1] * 6, [1] * 6, sample=[0])[0].seen) == 1


def test_the_draw_is_that_of_the_seed():
    assert pick(MAIN, OTHER, seed=3) == pick(MAIN, OTHER, seed=3)
    assert any(pick(MAIN, OTHER, seed=seed) != pick(MAIN, OTHER) for seed in range(1, 5))
