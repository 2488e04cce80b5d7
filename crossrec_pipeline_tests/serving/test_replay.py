from collections.abc import Iterator
from pathlib import Path

import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.popularity import Popularity
from crossrec_pipeline.models.registry import LoadedBundle, load_bundle, promote, save_bundle
from crossrec_pipeline.serving.local_service import local_service
from crossrec_pipeline.serving.replay import Replay, Service, replay
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.settings import ServingSettings, Settings, load_settings
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

VOCABULARY = numbered_vocabulary(40)
TRAIN = SessionStore.from_sequences([[n, n + 1, (7 * n) % 40] for n in range(39)])
KEY = "0123456789abcdef"
SESSIONS = [
    ["Movie_1", "Movie_2", "Movie_9"],
    ["Movie_4", "nobody's", "Movie_4"],
    ["nobody's"],
    ["Movie_39"],
]


def save(settings: Settings, model: Markov | Popularity) -> LoadedBundle:
    model.fit(TRAIN, VOCABULARY)
    return load_bundle(save_bundle(model, VOCABULARY, settings.models_dir, inputs={}).path)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(data_dir=tmp_path_factory.mktemp("replay"))


@pytest.fixture(scope="module")
def champion(settings: Settings) -> LoadedBundle:
    loaded = save(settings, Markov())
    promote(settings.models_dir, loaded.bundle, reason="test")
    return loaded


@pytest.fixture(scope="module")
def service(settings: Settings, champion: LoadedBundle) -> Iterator[Service]:
    with local_service(settings) as url:
        yield Service(url)


def test_a_service_of_the_champion_answers_as_it_ranks_offline(
    service: Service, champion: LoadedBundle
):
    found = replay(service, champion, SESSIONS)
    # Three beginnings, two of the known items of the second session, none, and one.
    assert (found.n_predictions, found.n_equal) == (6, 6)
    assert (found.model, found.recall, found.first_difference) == (champion.bundle.name, 1.0, None)
    assert found.passed


def test_sessions_without_known_items_ask_nothing(service: Service, champion: LoadedBundle):
    found = replay(service, champion, [["nobody's"]])
    assert found.n_predictions == 0
    assert found.passed


def test_a_service_of_another_model_is_refused(
    service: Service, settings: Settings, champion: LoadedBundle
):
    other = save(settings, Popularity())
    with pytest.raises(
        EvaluationError, match=rf"answers with markov/.* not with {other.bundle.kind}"
    ):
        replay(service, other, SESSIONS)


def test_other_lists_are_found_out(service: Service, champion: LoadedBundle):
    # The same bundle by name and content, but a model that ranks otherwise.
    popularity = Popularity()
    popularity.fit(TRAIN, VOCABULARY)
    altered = LoadedBundle(popularity, champion.vocabulary, champion.bundle)
    found = replay(service, altered, SESSIONS)
    assert not found.passed
    assert found.n_equal < found.n_predictions == 6
    assert found.recall < 1
    assert "instead of" in (found.first_difference or "")


def test_a_service_that_is_not_there_is_told(champion: LoadedBundle):
    with pytest.raises(EvaluationError, match=r"127\.0\.0\.1:9 cannot be asked .*CHECK_URL"):
        replay(Service("http://127.0.0.1:9"), champion, SESSIONS)


def test_a_service_that_asks_for_a_key_is_given_one(
    settings: Settings, champion: LoadedBundle, monkeypatch: pytest.MonkeyPatch
):
    keyed = ServingSettings.model_validate({"api_keys": KEY})
    monkeypatch.setattr("crossrec_pipeline.serving.local_service._LIMITS", keyed)
    with local_service(settings) as url:
        assert replay(Service(url, KEY), champion, SESSIONS).passed
        with pytest.raises(EvaluationError, match="with 401"):
            replay(Service(url), champion, SESSIONS)


def test_without_a_champion_no_service_is_ready(tmp_path: Path):
    with (
        pytest.raises(EvaluationError, match="is not ready"),
        local_service(load_settings(data_dir=tmp_path)),
    ):
        pass


@pytest.mark.parametrize(
    ("kernel_recall", "n_equal", "recall", "passed"),
    [(1.0, 10, 1.0, True), (1.0, 9, 0.999, False), (0.995, 5, 0.99, True), (0.995, 9, 0.98, False)],
)
def test_an_approximate_kernel_may_miss_one_in_a_hundred(
    kernel_recall: float, n_equal: int, recall: float, passed: bool
):
    kernel = {"kernel": "some", "recall": kernel_recall}
    assert Replay("markov/1", kernel, 10, n_equal, recall, None).passed == passed
