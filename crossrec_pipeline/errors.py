"""Errors a person can act on: each message names what was wrong, where, and the remedy."""


class CrossrecError(Exception):
    """Base of every error this package raises on purpose.

    The command line prints the message alone, without a traceback, and exits with code 2.
    """


class SettingsError(CrossrecError):
    """A setting (``CROSSREC_*``) or option has a value that cannot work."""


class SourceError(CrossrecError):
    """A catalogue file or hub data set cannot be read as its domain declares."""


class SourceUnavailableError(SourceError):
    """A source cannot be reached now; trying again may help."""


class ContentError(CrossrecError):
    """Items' words cannot be embedded, or what was made of them cannot be read."""


class EventsError(CrossrecError):
    """An interaction log cannot be read, or holds nothing that can be used."""


class EnrichmentError(CrossrecError):
    """The endpoint that describes items cannot be used, or does not answer as it was asked."""


class SessionsError(CrossrecError):
    """The events give no sessions that can be trained on or evaluated."""


class TrainingError(CrossrecError):
    """Training cannot start or cannot go on (for example, the loss is not a number)."""


class BundleError(CrossrecError):
    """A model bundle is missing, truncated, altered, or made by another format version."""


class UnknownItemError(CrossrecError):
    """An item id or title is not in the model's vocabulary."""


class QualityError(CrossrecError):
    """Staged data has not passed its checks and must not be published."""


class EvaluationError(CrossrecError):
    """A model's scores cannot be ranked, or evaluated models cannot be compared."""


class StorageError(CrossrecError):
    """A place that a URL names cannot be used: it is missing, refused, damaged or not supported."""


class StorageUnavailableError(StorageError):
    """A place that a URL names cannot be reached now; trying again may help."""
