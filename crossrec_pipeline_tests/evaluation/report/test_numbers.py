import pytest

from crossrec_pipeline.evaluation.report import numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.0, "0.000"), (0.47449, "0.474"), (0.00065, "0.00065"), (0.001, "0.001")],
)
def test_decimals_never_say_zero_of_what_is_not(value: float | None, shown: str):
    assert numbers.decimal(value) == shown


def test_differences_have_a_sign():
    assert numbers.signed(0.0123) == "+0.012"
    assert numbers.signed(-0.0123) == "−0.012"
    assert numbers.signed(None) == "–"
    assert numbers.signed_interval(-0.01, 0.02) == "−0.010 to +0.020"
    assert numbers.signed_interval(None, None) == "–"


def test_an_interval_without_ends_is_a_dash():
    assert numbers.interval(0.1, 0.25) == "0.100 to 0.250"
    assert numbers.interval(None, None) == "–"


def test_shares_are_percent_and_need_something_to_be_a_share_of():
    assert numbers.share_of(0.4, 0.5) == "80.0 %"
    assert numbers.share_of(0.4, None) == "–"
    assert numbers.share_of(0.4, 0.0) == "–"
    assert numbers.share_of(None, 0.5) == "–"


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (0.01234, "0.0123"), (0.00009, "< 0.0001"), (1.0, "1.0000")]
)
def test_p_values(value: float | None, shown: str):
    assert numbers.p_value(value) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2023-02-24T02:00:53.57+01:00", "2023-02-24 01:00 UTC"),
        ("2023-02-24T02:00:53", "2023-02-24 02:00"),
        ("the first of March", "the first of March"),
    ],
)
def test_times_are_shown_to_the_minute_whatever_zone_they_are_given_in(given: str, shown: str):
    assert numbers.moment(given) == shown


@pytest.mark.parametrize(
    ("words", "shown"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_are_joined_as_in_a_sentence(words: list[str], shown: str):
    assert numbers.joined(words) == shown
