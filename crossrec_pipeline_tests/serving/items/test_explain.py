import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.serving.api.schemas import Explanation
from crossrec_pipeline.serving.engine.base import Ranking
from crossrec_pipeline.serving.items.catalogue import ItemCatalogue
from crossrec_pipeline.serving.items.explain import LONGEST_TITLE, explain
from crossrec_pipeline_tests.serving.items.catalogues import ROWS, details_of, opened

CREED_3, CREED, PANTHER, AMELIE, DUNE, ARRIVAL, DUNE_BOOK, EMMA, ARRIVAL_BOOK = range(9)
LONG = "The Assassination of Jesse James by the Coward Robert Ford (Widescreen)"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> ItemCatalogue:
    rows = [
        *ROWS,
        ("Music", LONG, ["<b>&"], ["rock"], 0.1),
        ("Music", "<script>", ["<b>&"], ["pop"], 0.1),
        ("Music", "x" * 80, [], [], 0.1),
        ("Music", "Quiet", [], [], 0.1),
    ]
    return opened(details_of(rows, n_known=len(rows)), tmp_path_factory.mktemp("items") / "export")


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> ItemCatalogue:
    """The same, where the two called Dune tell one story, and Creed is an edition of Creed III."""
    details = details_of(
        ROWS,
        n_known=len(ROWS),
        same_story={DUNE: [DUNE_BOOK], DUNE_BOOK: [DUNE]},
        same_work={CREED: [CREED_3], CREED_3: [CREED]},
    )
    return opened(details, tmp_path_factory.mktemp("linked") / "export")


def explained(
    catalogue: ItemCatalogue, item: int, session: list[int], influence: list[float] | None
) -> Explanation:
    ranking = Ranking(
        np.array([EMMA, item], dtype=np.int32),
        np.zeros(2, dtype=np.float32),
        influence=None
        if influence is None
        else np.array([[0.0] * len(session), influence], dtype=np.float32),
    )
    return explain(catalogue, session, ranking, place=1)


@pytest.mark.parametrize(
    ("item", "session", "influence", "sentence"),
    [
        (AMELIE, [CREED], [1.0], "Because of Creed."),
        (AMELIE, [CREED, EMMA], [1.0, 1.0], "Because of Emma and Creed."),
        (AMELIE, [CREED, EMMA], [0.7, 0.3], "Mostly because of Creed."),
        (AMELIE, [CREED, EMMA], [-1.0, 1.0], "Because of Emma."),
        (PANTHER, [CREED_3, CREED], [0.1, 0.9], "Mostly because of Creed; also by Ryan Coogler."),
        (
            PANTHER,
            [CREED, EMMA],
            [0.2, 0.8],
            "Mostly because of Emma; also by Ryan Coogler, like Creed.",
        ),
        (DUNE, [DUNE_BOOK], [1.0], "Because of Dune; also Science Fiction."),
        (
            DUNE_BOOK,
            [CREED, ARRIVAL],
            [0.55, 0.45],
            "Because of Creed and Arrival; also Science Fiction, like Arrival.",
        ),
        (DUNE, [ARRIVAL], [-1.0], "By Denis Villeneuve, like Arrival."),
        (DUNE, [DUNE], [1.0], "It is in your session already."),
        (
            DUNE,
            [DUNE, CREED],
            [1.0, 1.0],
            "It is in your session already; also because of Creed.",
        ),
        (AMELIE, [CREED], [-1.0], "Often chosen after sessions like yours."),
        (AMELIE, [CREED], None, "Often chosen after sessions like yours."),
        (DUNE, [ARRIVAL], None, "By Denis Villeneuve, like Arrival."),
    ],
)
def test_sentences(
    catalogue: ItemCatalogue,
    item: int,
    session: list[int],
    influence: list[float] | None,
    sentence: str,
):
    assert explained(catalogue, item, session, influence).sentence == sentence


@pytest.mark.parametrize(
    ("item", "session", "influence", "sentence"),
    [
        (DUNE, [DUNE_BOOK], [1.0], "The movie of the book Dune."),
        (DUNE_BOOK, [DUNE], [1.0], "The book of the movie Dune."),
        (DUNE, [DUNE_BOOK], None, "The movie of the book Dune."),
        (DUNE, [EMMA, DUNE_BOOK], [0.5, 0.5], "The movie of the book Dune; also because of Emma."),
        (
            DUNE,
            [EMMA, DUNE_BOOK, DUNE],
            [0.2, 0.2, 0.6],
            "It is in your session already; also the movie of the book Dune; also because of Emma.",
        ),
        (CREED, [CREED_3], [1.0], "Another version of Creed III."),
        # Dune and Arrival share their creator, which is not what matters here.
        (
            DUNE,
            [ARRIVAL, DUNE_BOOK],
            [0.9, 0.1],
            "The movie of the book Dune; also because of Arrival.",
        ),
        (DUNE, [ARRIVAL], [1.0], "Because of Arrival; also by Denis Villeneuve."),
    ],
)
def test_a_story_or_work_of_the_session_is_told_first(
    linked: ItemCatalogue,
    item: int,
    session: list[int],
    influence: list[float] | None,
    sentence: str,
):
    assert explained(linked, item, session, influence).sentence == sentence


def test_a_shared_story_comes_before_shared_creators(linked: ItemCatalogue):
    first, second = explained(linked, DUNE, [ARRIVAL, DUNE_BOOK], [0.5, 0.5]).shared[:2]
    assert first.model_dump() == {
        "kind": "story",
        "value": "the movie of the book",
        "item_id": "Book_Dune_6",
        "title": "Dune",
    }
    assert (second.kind, second.value) == ("creator", "Denis Villeneuve")


def test_shares_are_of_all_that_speaks_for_the_item(catalogue: ItemCatalogue):
    found = explained(catalogue, AMELIE, [CREED, EMMA, DUNE], [0.25, -5.0, 0.75])
    assert [(reason.title, reason.share) for reason in found.because] == [
        ("Dune", 0.75),
        ("Creed", 0.25),
    ]


def test_repeats_of_an_item_are_taken_together(catalogue: ItemCatalogue):
    found = explained(catalogue, AMELIE, [CREED, EMMA, CREED], [0.25, 0.5, 0.25])
    assert [(reason.title, reason.share) for reason in found.because] == [
        ("Creed", 0.5),
        ("Emma", 0.5),
    ]


def test_at_most_three_reasons_and_none_of_little_weight(catalogue: ItemCatalogue):
    session = [CREED, EMMA, DUNE, ARRIVAL]
    assert len(explained(catalogue, AMELIE, session, [1.0] * 4).because) == 3
    found = explained(catalogue, AMELIE, session, [9.5, 0.5, 0.0, 0.0])
    assert [reason.title for reason in found.because] == ["Creed"]


def test_creators_are_shared_whatever_their_case(catalogue: ItemCatalogue):
    (shared,) = explained(catalogue, PANTHER, [CREED], [1.0]).shared
    assert (shared.kind, shared.value, shared.title) == ("creator", "Ryan Coogler", "Creed")
    assert shared.item_id == "Movie_Creed_1"


def test_an_item_is_with_one_of_a_cast(catalogue: ItemCatalogue, tmp_path_factory):
    cast = [f"Actor {n}" for n in range(4)]
    rows = [("Movie", title, cast, [], 0.5) for title in ("One", "Two")]
    movies = opened(details_of(rows, 2), tmp_path_factory.mktemp("cast") / "export")
    found = explain(movies, [0], Ranking(np.array([1]), np.zeros(1), influence=np.ones((1, 1))), 0)
    assert found.sentence == "Because of One; also with Actor 0."
    assert len(found.shared) == 3


def test_a_genre_that_most_have_is_not_told(catalogue: ItemCatalogue):
    # Drama is on 5 of 6 movies.
    assert explained(catalogue, AMELIE, [CREED], [1.0]).shared == []


def test_long_titles_are_cut_in_sentences_only(catalogue: ItemCatalogue):
    jesse, x = len(ROWS), len(ROWS) + 2
    found = explained(catalogue, AMELIE, [jesse], [1.0])
    assert found.because[0].title == LONG
    assert found.sentence == "Because of The Assassination of Jesse James by…"
    assert explained(catalogue, AMELIE, [x], [1.0]).sentence == f"Because of {'x' * 39}…"


def test_titles_are_data(catalogue: ItemCatalogue):
    jesse, script = len(ROWS), len(ROWS) + 1
    assert (
        explained(catalogue, jesse, [script], [1.0]).sentence
        == "Because of <script>; also by <b>&."
    )


@given(data=st.data())
def test_shares_add_up_to_one_at_most(catalogue: ItemCatalogue, data: st.DataObject):
    items = st.integers(0, catalogue.n_known - 1)
    session = data.draw(st.lists(items, min_size=1, max_size=30))
    influence = data.draw(
        st.lists(
            st.floats(allow_nan=True, allow_infinity=True, width=32),
            min_size=len(session),
            max_size=len(session),
        )
    )
    found = explained(catalogue, data.draw(items), session, influence)
    assert sum(reason.share for reason in found.because) <= 1
    shares = [reason.share for reason in found.because]
    assert shares == sorted(shares, reverse=True)
    assert len({reason.item_id for reason in found.because}) == len(shares) <= 3
    assert len(found.shared) <= 3
    assert found.sentence.endswith((".", "…"))
    assert len(found.sentence) < 7 * LONGEST_TITLE
