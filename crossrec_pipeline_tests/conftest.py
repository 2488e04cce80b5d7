"""What all tests take for granted, however they were started."""

import signal

import hypothesis

# What else the machine does at that moment is no fault of an example.
hypothesis.settings.register_profile("crossrec", deadline=None)
hypothesis.settings.load_profile("crossrec")


def pytest_configure() -> None:
    """Let Ctrl-C interrupt, which shells have ignored by what they run in the background.

    SIGTERM does the same, so that the processes that a test has started are stopped with it.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
