"""What all tests take for granted, however they were started."""

import signal


def pytest_configure() -> None:
    """Let Ctrl-C interrupt: shells have it ignored by what they run in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
