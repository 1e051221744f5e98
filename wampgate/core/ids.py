"""WAMP ids: random in global scope, counted in router and session scope ("IDs")."""

import os
import random
from collections.abc import Iterator
from typing import Final

from wampgate.wire.messages import MAX_ID

_BYTES: Final = 7
"""So many bytes of randomness one id takes: 56 bits, of which it uses 53."""

_AT_ONCE: Final = 64
"""Ids for which randomness is taken from the system at once: asking costs more than an id does."""


class RandomIds:
    """Global-scope ids that can't be guessed (session ids), uniform over [1, 2^53]."""

    __slots__ = ("_bytes", "_used")

    def __init__(self) -> None:
        self._bytes = b""
        self._used = 0

    def next(self) -> int:
        """The next id; none of its randomness is used again."""
        begin = self._used
        if begin >= len(self._bytes):
            self._bytes = os.urandom(_BYTES * _AT_ONCE)
            begin = 0
        self._used = begin + _BYTES
        return (int.from_bytes(self._bytes[begin : begin + _BYTES], "big") >> (8 * _BYTES - 53)) + 1

    def forget(self) -> None:
        """Use nothing of what was taken from the system so far."""
        self._bytes = b""
        self._used = 0


_random_ids: Final = RandomIds()
# Two processes must not give the same ids.
os.register_at_fork(after_in_child=_random_ids.forget)


def random_id() -> int:
    """A global-scope id that can't be guessed (session ids), uniform over [1, 2^53]."""
    return _random_ids.next()


class PublicationIds:
    """Global-scope ids for publications: uniform over [1, 2^53], seeded by the system, 0.2 µs each.

    A publication id opens nothing, so it need not be unguessable, only unlikely
    to meet another one, on this node or elsewhere.
    """

    __slots__ = ("_random",)

    def __init__(self) -> None:
        self._random = random.Random(os.urandom(32)).random  # noqa: S311

    def next(self) -> int:
        """The next id."""
        return int(self._random() * MAX_ID) + 1


def sequential_ids() -> Iterator[int]:
    """Ids from 1 upwards, back to 1 after 2^53 ("IDs in the session scope")."""
    while True:
        yield from range(1, MAX_ID + 1)
