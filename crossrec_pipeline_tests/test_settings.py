import os
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.settings import load_settings, project_root, unknown_variables


@pytest.fixture(autouse=True)
def no_variables_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CROSSREC_")]:
        monkeypatch.delenv(name)


def test_defaults_are_the_documented_ones() -> None:
    settings = load_settings()
    assert settings.data_dir == project_root() / "data"
    assert settings.sessions.gap_minutes == 30
    assert settings.sessions.min_length == 2
    assert settings.domains == ("movies", "music", "books")
    assert settings.events == "simulated"
    assert settings.controls.seeds == 2


def test_environment_wins_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSREC_SESSIONS__GAP_MINUTES", "20")
    monkeypatch.setenv("CROSSREC_SESSIONS__COLLAPSE_REPEATS", "false")
    settings = load_settings()
    assert settings.sessions.gap_minutes == 20
    assert settings.sessions.collapse_repeats is False
    assert settings.sessions.max_length == 50


def test_explicit_values_win_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CROSSREC_DATA_DIR", "/elsewhere")
    assert load_settings(data_dir=tmp_path).data_dir == tmp_path


def test_no_bound_on_the_rounds_is_written_null(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().sessions.support_rounds == 1
    monkeypatch.setenv("CROSSREC_SESSIONS__SUPPORT_ROUNDS", "null")
    assert load_settings().sessions.support_rounds is None


def test_days_of_the_split_are_set_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSREC_SPLIT__TEST_DAYS", "7")
    with pytest.raises(SettingsError, match="validation_days and test_days are set both"):
        load_settings()
    monkeypatch.setenv("CROSSREC_SPLIT__VALIDATION_DAYS", "7")
    assert load_settings().split.validation_days == 7


def test_first_day_of_a_growing_log_is_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSREC_LOG__FIRST_DAY", "2024-02-29")
    assert load_settings().log.first_day == date(2024, 2, 29)
    monkeypatch.setenv("CROSSREC_LOG__FIRST_DAY", "2023-02-29")
    with pytest.raises(SettingsError, match="CROSSREC_LOG__FIRST_DAY='2023-02-29'"):
        load_settings()


def test_how_sessions_are_computed_is_not_shown_with_what_they_are() -> None:
    usual, other = load_settings(), load_settings(sessions={"engine": "polars"})
    assert str(other.sessions) == str(usual.sessions)
    assert str(load_settings(sessions={"gap_minutes": 20}).sessions) != str(usual.sessions)


def test_event_inputs_are_shown_only_where_they_are_asked_for() -> None:
    usual, asked = load_settings(), load_settings(sessions={"event_inputs": True})
    assert "event_inputs" not in str(usual.sessions)
    assert str(asked.sessions) == str(usual.sessions).replace(
        "collapse_repeats=True", "collapse_repeats=True event_inputs=True"
    )


def test_lists_of_the_service_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSREC_SERVING__API_KEYS", "first key of all, second key of all")
    monkeypatch.setenv("CROSSREC_SERVING__CORS_ORIGINS", "https://a.example,https://b.example")
    serving = load_settings().serving
    assert [key.get_secret_value() for key in serving.api_keys] == [
        "first key of all",
        "second key of all",
    ]
    assert serving.cors_origins == ("https://a.example", "https://b.example")
    assert "first" not in repr(serving)


def test_short_api_key_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSREC_SERVING__API_KEYS", "pa55")
    with pytest.raises(SettingsError, match=r"API_KEYS.*at least 16") as caught:
        load_settings()
    assert "pa55" not in str(caught.value)


def test_every_output_is_under_the_data_directory(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    paths = [
        settings.warehouse_path,
        settings.raw_dir,
        settings.events_dir,
        settings.rejected_events_path,
        settings.rejected_dir,
        settings.deliveries_dir,
        settings.sessions_by_day_dir,
        settings.sessions_dir,
        settings.models_dir,
        settings.serving_dir,
        settings.evaluation_dir,
    ]
    assert all(path.is_relative_to(tmp_path) for path in paths)
    assert len(set(paths)) == len(paths)


def test_domains_are_comma_separated_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSREC_DOMAINS", "movies, games.spec:GAMES,")
    assert load_settings().domains == ("movies", "games.spec:GAMES")


def test_sources_are_by_domain_and_samples_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSREC_SOURCES__MOVIES", "hub")
    settings = load_settings()
    assert settings.source("movies") == "hub"
    assert settings.source("books") == "sample"


def test_columns_of_a_log_are_given_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSREC_EVENT_COLUMNS", '{"item_id": "asin"}')
    assert load_settings().event_columns == {"item_id": "asin"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CROSSREC_SESSIONS__GAP_MINUTES", "0"),
        ("CROSSREC_SESSIONS__GAP_MINUTES", "soon"),
        ("CROSSREC_SESSIONS__MIN_LENGTH", "1"),
        ("CROSSREC_SPLIT__TEST_SHARE", "0.5"),
        ("CROSSREC_TRAINING__DEVICE", "abacus"),
        ("CROSSREC_CONTROLS__SEEDS", "-1"),
        ("CROSSREC_SESSIONS__GAP_MINUTE", "20"),
    ],
)
def test_impossible_value_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}='{value}'"):
        load_settings()


def test_every_impossible_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSREC_SESSIONS__GAP_MINUTES", "-1")
    monkeypatch.setenv("CROSSREC_POLL_SECONDS", "0")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert len(str(caught.value).splitlines()) == 2


ENDPOINT = "CROSSREC_ENRICHMENT__BASE_URL"


def test_nobody_describes_items_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not load_settings().enrichment.is_on
    monkeypatch.setenv("CROSSREC_ENRICHMENT__MAX_ITEMS", "5")
    assert not load_settings().enrichment.is_on
    monkeypatch.setenv(ENDPOINT, "http://localhost:11434/v1/")
    monkeypatch.setenv("CROSSREC_ENRICHMENT__MODEL", "small")
    monkeypatch.setenv("CROSSREC_ENRICHMENT__MAX_TOKENS", "null")
    monkeypatch.setenv("CROSSREC_ENRICHMENT__REQUEST_FIELDS", '{"temperature": 0}')
    enrichment = load_settings().enrichment
    assert enrichment.is_on
    assert enrichment.base_url == "http://localhost:11434/v1"
    assert enrichment.max_tokens is None
    assert enrichment.request_fields == {"temperature": 0}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({ENDPOINT: "ftp://host/v1"}, "an endpoint is an http:// or https:// URL"),
        ({ENDPOINT: "localhost:11434"}, "an endpoint is an http:// or https:// URL"),
        ({ENDPOINT: "https://host/v1?key=1"}, r"without \? or #"),
        ({ENDPOINT: "https://host:port/v1"}, "cannot be read as a URL"),
        ({ENDPOINT: "https://host/v1/chat/completions"}, "leave /chat/completions out"),
        ({ENDPOINT: "https://host/v1"}, "base_url needs a model: set CROSSREC_ENRICHMENT__MODEL"),
        ({"CROSSREC_ENRICHMENT__MAX_COST": "1"}, "max_cost needs prompt_price"),
        (
            {
                ENDPOINT: "https://ann:pw@host/v1",
                "CROSSREC_ENRICHMENT__MODEL": "m",
                "CROSSREC_ENRICHMENT__API_KEY": "k",
            },
            "not both",
        ),
    ],
)
def test_an_endpoint_that_cannot_work_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        load_settings()


@pytest.mark.parametrize(
    "variables",
    [
        {ENDPOINT: "ftp://ann:pa55word@host"},
        {ENDPOINT: "https://ann:pa55word@host/v1"},
        {"CROSSREC_ENRICHMENT__API_KEY": "pa55word", ENDPOINT: "https://host/v1"},
        {"CROSSREC_ENRICHMENT__APIKEY": "pa55word"},
        {"CROSSREC_ENRICHMENT": '{"SECRET_KEY": "pa55word"}'},
        {"CROSSREC_ENRICHMENT": '{"api_key": "pa55word", "base_url": "https://host/v1"}'},
        {"CROSSREC_ENRICHMENT": '{"api_key": {"a": "pa55word"}}'},
        {"CROSSREC_ENRICHMENT": '{"api_key": "pa55word"'},
    ],
)
def test_no_message_about_an_endpoint_shows_its_secrets(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "pa55word" not in str(caught.value)


def test_settings_of_an_endpoint_are_shown_without_its_secrets() -> None:
    settings = load_settings(
        enrichment={"base_url": "https://host/v1", "model": "m", "api_key": "pa55word"}
    )
    assert "pa55word" not in repr(settings) + str(settings) + settings.model_dump_json()
    settings = load_settings(enrichment={"base_url": "https://ann:pa55word@host/v1", "model": "m"})
    assert "pa55word" not in repr(settings) + str(settings)


def test_text_that_is_not_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSREC_EVENT_COLUMNS", "item_id=asin")
    with pytest.raises(SettingsError, match=r"CROSSREC_\* setting cannot be read.*event_columns"):
        load_settings()


def test_settings_cannot_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.poll_seconds = 1  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    "name",
    [
        "CROSSREC_DATA_DIR",
        "crossrec_data_dir",
        "CROSSREC_SESSIONS",
        "CROSSREC_SESSIONS__GAP_MINUTES",
        "CROSSREC_SOURCES__GAMES",
        "CROSSREC_EVENT_COLUMNS__ITEM_ID",
        "CROSSREC_REAL_DATA",
        "HOME",
    ],
)
def test_variable_of_a_setting_or_of_others_is_known(name: str) -> None:
    assert unknown_variables([name]) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CROSSREC_DATADIR", "CROSSREC_DATA_DIR"),
        ("CROSSREC_SESSION__GAP_MINUTES", "CROSSREC_SESSIONS__GAP_MINUTES"),
        ("CROSSREC_SESSIONS__GAP", "CROSSREC_SESSIONS__GAP_MINUTES"),
        ("CROSSREC_GAP_MINUTES", "CROSSREC_SESSIONS__GAP_MINUTES"),
        ("CROSSREC_POLL_SECONDS__X", "CROSSREC_POLL_SECONDS"),
    ],
)
def test_variable_of_no_setting_is_named_with_the_nearest(name: str, meant: str) -> None:
    assert unknown_variables([name]) == [f"{name} is no setting. Did you mean {meant}?"]


def test_variable_like_no_setting_is_named_alone() -> None:
    assert unknown_variables(["CROSSREC_XYZZY"]) == ["CROSSREC_XYZZY is no setting."]
