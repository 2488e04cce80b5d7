"""Values go in, the text that a report shows of them comes out; nothing measured is a dash."""

from datetime import UTC, datetime

NOTHING = "–"


def decimal(value: float | None) -> str:
    """Show three decimals, or more of a value so small that they would say zero."""
    if value is None:
        return NOTHING
    # Chance among many items is small, but it is not 0.000.
    return f"{value:.5f}" if 0 < value < 0.001 else f"{value:.3f}"


def interval(low: float | None, high: float | None) -> str:
    """Show the two ends of an interval."""
    return NOTHING if low is None or high is None else f"{low:.3f} to {high:.3f}"


def signed(value: float | None) -> str:
    """Show a difference with its sign, three decimals."""
    return NOTHING if value is None else f"{value:+.3f}".replace("-", "−")


def signed_interval(low: float | None, high: float | None) -> str:
    """Show the two ends of a difference's interval with their signs."""
    return NOTHING if low is None or high is None else f"{signed(low)} to {signed(high)}"


def percent(share: float | None) -> str:
    """Show a share of one in percent, one decimal."""
    return NOTHING if share is None else f"{100 * share:.1f} %"


def share_of(value: float | None, best: float | None) -> str:
    """Show what part of the best a value is, in percent."""
    return NOTHING if value is None or not best else percent(value / best)


def p_value(value: float | None) -> str:
    """Show a p-value to four decimals."""
    if value is None:
        return NOTHING
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def moment(text: str) -> str:
    """Show an ISO 8601 time to the minute; other text as it is."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    if time.tzinfo is not None:
        return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"{time:%Y-%m-%d %H:%M}"


def joined(words: list[str]) -> str:
    """Join words as a sentence does: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
