"""WAMP ids: random in global scope, counted in router and session scope ("IDs")."""

import random
from collections.abc import Iterator
from typing import Final

from wampgate.wire.messages import MAX_ID

_system_random: Final = random.SystemRandom()


def random_id() -> int:
    """A global-scope id that can't be guessed (session ids), uniform over [1, 2^53]."""
    return _system_random.randrange(1, MAX_ID + 1)


class PublicationIds:
    """Global-scope ids for publications: uniform over [1, 2^53], seeded by the system, 0.2 µs each.

    A publication id opens nothing, so it need not be unguessable, only unlikely
    to meet another one, on this node or elsewhere.
    """

    __slots__ = ("_random",)

    def __init__(self) -> None:
        self._random = random.Random(_system_random.getrandbits(256)).random  # noqa: S311

    def next(self) -> int:
        """The next id."""
        return int(self._random() * MAX_ID) + 1


def sequential_ids() -> Iterator[int]:
    """Ids from 1 upwards, back to 1 after 2^53 ("IDs in the session scope")."""
    while True:
        yield from range(1, MAX_ID + 1)
