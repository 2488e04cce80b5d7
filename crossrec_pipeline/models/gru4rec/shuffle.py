"""A count in; the numbers below it in order, or as a key shuffles them, out: any part of them."""

import numpy as np

_ROUNDS = 8


class NumbersInOrder:
    """The numbers 0 … n - 1 as they are, computed where they are looked at."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, part: slice) -> np.ndarray:
        """Return the numbers at these positions, int64."""
        return np.arange(*part.indices(self._n))


class ShuffledNumbers:
    """The numbers 0 … n - 1 in an order that a key decides, computed where it is looked at.

    A permutation held in memory takes 8 bytes a session; this one takes none, and a run that was
    broken off needs to remember the key and a position only. Every number's bits are split in two
    halves, each of which is changed in turn by a hash of the other: a Feistel network, which maps
    the numbers of that many bits onto themselves whatever the hash. What comes out at `n` or above
    is put in again until it does not (cycle walking, Black and Rogaway 2002).

    Parameters
    ----------
    n
        How many numbers.
    key
        Equal keys give equal orders.

    Examples
    --------
    >>> order = ShuffledNumbers(1000, np.random.SeedSequence(0))
    >>> len(order), sorted(order[:]) == list(range(1000)), order[:3].dtype
    (1000, True, dtype('int64'))
    """

    def __init__(self, n: int, key: np.random.SeedSequence) -> None:
        self._n = n
        self._keys = key.generate_state(_ROUNDS, np.uint64)
        bits = max(n - 1, 0).bit_length()
        self._low_bits = np.uint64((bits + 1) // 2)
        self._low_mask = np.uint64((1 << ((bits + 1) // 2)) - 1)
        self._high_mask = np.uint64((1 << (bits // 2)) - 1)

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, part: slice) -> np.ndarray:
        """Return the numbers at these positions of the order, int64."""
        numbers = self._mapped(np.arange(*part.indices(self._n), dtype=np.uint64))
        while len(outside := np.flatnonzero(numbers >= self._n)):
            numbers[outside] = self._mapped(numbers[outside])
        return numbers.astype(np.int64)

    def _mapped(self, numbers: np.ndarray) -> np.ndarray:
        low, high = numbers & self._low_mask, numbers >> self._low_bits
        for number, key in enumerate(self._keys):
            if number % 2:
                high ^= _hashed(low, key) & self._high_mask
            else:
                low ^= _hashed(high, key) & self._low_mask
        return (high << self._low_bits) | low


def _hashed(values: np.ndarray, key: np.uint64) -> np.ndarray:
    """Mix 64-bit values so that every bit depends on all (the finaliser of SplitMix64)."""
    mixed = values + key
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
