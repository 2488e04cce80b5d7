import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crossrec_pipeline
from crossrec_pipeline.errors import BundleError, SettingsError, UnknownItemError
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.registry import Bundle, promote, save_bundle
from crossrec_pipeline.serving.recommender import (
    Recommendation,
    SessionRecommender,
    load_recommender,
    recommend_next_items,
)
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

VOCABULARY = vocabulary_of("Movie_A", "Movie_B", "Music_C", "Music_D", "Book_E")
# After A: B twice, C once. Counts: A 3, B 3, C 2, D 1, E 1.
TRAIN = [[0, 1], [0, 1], [0, 2], [1, 2], [3, 4]]


def save(data_dir: Path, train: list[list[int]] = TRAIN) -> Bundle:
    model = Markov()
    model.fit(SessionStore.from_sequences(train), VOCABULARY)
    return save_bundle(model, VOCABULARY, data_dir / "models", inputs={})


@pytest.fixture
def recommender(tmp_path: Path) -> SessionRecommender:
    return load_recommender(save(tmp_path).path)


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CROSSREC_DATA_DIR", str(tmp_path))
    return tmp_path


def ids(recommendations: list[Recommendation]) -> list[str]:
    return [recommendation.item_id for recommendation in recommendations]


def test_likeliest_next_items_come_first(recommender: SessionRecommender) -> None:
    found = recommender.recommend_next_items(["Movie_A"], top_k=3)
    assert ids(found) == ["Movie_B", "Music_C", "Movie_A"]
    assert (found[0].title, found[0].item_type) == ("B", "Movie")


def test_score_is_the_probability_among_all_items(recommender: SessionRecommender) -> None:
    found = recommender.recommend_next_items(["Movie_A"], top_k=5)
    shares = {"Movie_A": 4, "Movie_B": 4, "Music_C": 3, "Music_D": 2, "Book_E": 2}
    counts = {"Movie_B": 2, "Music_C": 1}
    wanted = [(counts.get(item_id, 0) + shares[item_id] / 15) / 4 for item_id in ids(found)]
    assert [item.score for item in found] == pytest.approx(wanted)
    assert sum(item.score for item in found) == pytest.approx(1)


def test_filters_do_not_change_an_items_score(recommender: SessionRecommender) -> None:
    scores = {i.item_id: i.score for i in recommender.recommend_next_items(["A"], top_k=5)}
    for item in recommender.recommend_next_items(["A"], types=["Music"], exclude_seen=True):
        assert item.score == scores[item.item_id]


def test_item_index_zero_is_a_real_item_that_is_recommended(tmp_path: Path) -> None:
    recommender = load_recommender(save(tmp_path, [[1, 0], [1, 0], [2, 3], [4, 2]]).path)
    assert ids(recommender.recommend_next_items(["Movie_B"], top_k=1)) == ["Movie_A"]


def test_titles_in_any_case_are_understood(recommender: SessionRecommender) -> None:
    assert recommender.recommend_next_items(["a"]) == recommender.recommend_next_items(["Movie_A"])


def test_list_is_full_within_the_asked_types(recommender: SessionRecommender) -> None:
    found = recommender.recommend_next_items(["Movie_A"], top_k=3, types=["book", "Music"])
    assert ids(found) == ["Music_C", "Music_D", "Book_E"]


def test_one_type_can_be_named_alone(recommender: SessionRecommender) -> None:
    assert ids(recommender.recommend_next_items(["Movie_A"], types="Book")) == ["Book_E"]


def test_items_of_the_session_are_left_out_on_request(recommender: SessionRecommender) -> None:
    found = recommender.recommend_next_items(["Movie_B", "Movie_A"], top_k=3, exclude_seen=True)
    assert ids(found) == ["Music_C", "Music_D", "Book_E"]


def test_items_of_the_session_may_come_again_by_default(recommender: SessionRecommender) -> None:
    assert "Movie_A" in ids(recommender.recommend_next_items(["Movie_A"], top_k=5))


def test_fewer_items_come_back_when_fewer_exist(recommender: SessionRecommender) -> None:
    assert len(recommender.recommend_next_items(["Movie_A"], top_k=99)) == 5


def test_nothing_comes_back_when_everything_is_filtered(recommender: SessionRecommender) -> None:
    found = recommender.recommend_next_items(["Book_E"], types=["Book"], exclude_seen=True)
    assert found == []


def test_unknown_item_is_refused(recommender: SessionRecommender) -> None:
    with pytest.raises(UnknownItemError, match="'Nothing like it'"):
        recommender.recommend_next_items(["Movie_A", "Nothing like it"])


def test_empty_session_is_refused(recommender: SessionRecommender) -> None:
    with pytest.raises(SettingsError, match="session is empty"):
        recommender.recommend_next_items([])


def test_text_in_place_of_a_list_is_refused(recommender: SessionRecommender) -> None:
    with pytest.raises(SettingsError, match=r"write \['Movie_A'\]"):
        recommender.recommend_next_items("Movie_A")


@pytest.mark.parametrize("top_k", [0, -1])
def test_list_of_nothing_is_refused(recommender: SessionRecommender, top_k: int) -> None:
    with pytest.raises(SettingsError, match=f"top_k={top_k} must be at least 1"):
        recommender.recommend_next_items(["Movie_A"], top_k=top_k)


@pytest.mark.parametrize(("types", "named"), [(["Game"], "'Game'"), ([], "none at all")])
def test_unknown_types_are_refused_with_the_known_ones(
    recommender: SessionRecommender, types: list[str], named: str
) -> None:
    with pytest.raises(SettingsError, match=f"names {named}; .*knows Book, Movie, Music"):
        recommender.recommend_next_items(["Movie_A"], types=types)


def test_champion_is_loaded_by_default(data_dir: Path) -> None:
    bundle = save(data_dir)
    promote(data_dir / "models", bundle, reason="")
    assert load_recommender().bundle == bundle


def test_without_a_champion_the_remedy_is_named(data_dir: Path) -> None:
    save(data_dir)
    with pytest.raises(BundleError, match="run `make run` or `crossrec run` first"):
        load_recommender()
    with pytest.raises(BundleError, match="run `make run` or `crossrec run` first"):
        recommend_next_items(["Movie_A"])


def test_new_champion_is_served_without_restart(data_dir: Path) -> None:
    promote(data_dir / "models", save(data_dir), reason="")
    assert ids(recommend_next_items(["Movie_A"], top_k=1)) == ["Movie_B"]
    promote(data_dir / "models", save(data_dir, [[0, 4], [0, 4], [1, 2], [2, 3]]), reason="")
    assert ids(recommend_next_items(["Movie_A"], top_k=1)) == ["Book_E"]


def test_champion_is_loaded_once(data_dir: Path) -> None:
    bundle = save(data_dir)
    promote(data_dir / "models", bundle, reason="")
    first = recommend_next_items(["Movie_A"])
    weights = bundle.path / "weights.safetensors"
    weights.write_bytes(b"")  # loading again would fail
    assert recommend_next_items(["Movie_A"]) == first


def test_long_sessions_are_taken(recommender: SessionRecommender) -> None:
    items = [VOCABULARY.item_ids[n] for n in np.random.default_rng(0).integers(0, 5, 500)]
    assert recommender.recommend_next_items(items) == recommender.recommend_next_items(items[-1:])


def test_package_offers_the_recommender() -> None:
    assert crossrec_pipeline.load_recommender is load_recommender
    assert crossrec_pipeline.recommend_next_items is recommend_next_items
    assert {"load_recommender", "recommend_next_items"} <= set(dir(crossrec_pipeline))
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        crossrec_pipeline.train  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, crossrec_pipeline; "
        "heavy = {'numpy', 'polars', 'duckdb', 'torch', 'dagster', 'rapidfuzz'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
