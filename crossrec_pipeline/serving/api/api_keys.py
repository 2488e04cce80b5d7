"""Headers of a request in, which API key it bears out."""

import hmac
from collections.abc import Sequence

from pydantic import SecretStr


class ApiKeys:
    """The keys that open the service.

    Parameters
    ----------
    keys
        At least one.
    """

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._keys = [key.get_secret_value().encode() for key in keys]

    def number_of(self, headers: Sequence[tuple[bytes, bytes]]) -> int | None:
        """Return the position of the key among all, or None for a missing or unknown one.

        Every key is compared whole: the time tells nothing of any.
        """
        given = _given_key(headers)
        if given is None:
            return None
        fits = [hmac.compare_digest(given, key) for key in self._keys]
        return fits.index(True) if any(fits) else None


def _given_key(headers: Sequence[tuple[bytes, bytes]]) -> bytes | None:
    for name, value in headers:
        if name == b"x-api-key":
            return value
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip()
    return None
