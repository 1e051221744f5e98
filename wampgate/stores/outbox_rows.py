"""The rows of an outbox, and what is poison among them: what can never become an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wampgate.core.uri import MAX_LENGTH, is_uri
from wampgate.wire.messages import MAX_ID
from wampgate.wire.payload import depth_of
from wampgate.wire.serializers import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_SIZE: Final = 1 << 20
"""The largest event: bytes of args and kwargs as JSON text; as for messages of WAMP clients."""

TOPIC_READ: Final = MAX_LENGTH + 1
"""So many characters of a topic are read: one more than a URI may have."""

MAX_CONTAINERS: Final = 100_000
"""So many arrays and objects may an event hold: a million empty ones in 1 MiB would take 0.3 s to make."""

_decode: Final = msgspec.json.Decoder().decode


class Poison(Exception):
    """A row can't be published, now or ever.

    Attributes:
        kind: for the counter.
        reason: for the dead letter and the log; repeats nothing of the payload.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Row:
    """One row as the router reads it.

    Attributes:
        place: its place in the order of publishing.
        id: its key in the table.
        publication: the publication id of its event.
        topic: where to publish; cut off behind :data:`TOPIC_READ` characters.
        args, kwargs: JSON text; None if they are too large, together.
        at: when it was inserted, in seconds since 1970.
    """

    place: int
    id: int
    publication: int
    topic: str
    args: str | None
    kwargs: str | None
    at: float

    def payload(self) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """The event's args and kwargs.

        Raises:
            Poison: the row is none that can be published.
        """
        if not is_uri(self.topic):
            raise Poison("bad_topic", "the topic is not a URI")
        if not 1 <= self.publication <= MAX_ID:
            raise Poison("bad_publication", "the publication is no WAMP id: leave that column to its default")
        if self.args is None or self.kwargs is None:
            raise Poison("too_large", f"args and kwargs have more than {MAX_SIZE >> 20} MiB as text")
        args, kwargs = _value(self.args), _value(self.kwargs)
        if not isinstance(args, list):
            raise Poison("bad_args", "args is not a JSON array")
        if not isinstance(kwargs, dict):
            raise Poison("bad_kwargs", "kwargs is not a JSON object")
        return args, kwargs


def _value(text: str) -> Any:
    containers = text.count("[") + text.count("{")
    if containers > MAX_CONTAINERS:
        raise Poison("too_many_values", f"more than {MAX_CONTAINERS} arrays and objects")
    try:
        value = _decode(text)
    except msgspec.MsgspecError:  # Postgres has checked its syntax
        raise Poison("bad_number", "a number is too large for a 64-bit float") from None
    except RecursionError:
        raise _too_deep() from None
    if containers > MAX_DEPTH and depth_of(value, MAX_DEPTH) > MAX_DEPTH:
        raise _too_deep()
    return value


def _too_deep() -> Poison:
    return Poison("too_deep", f"nested deeper than {MAX_DEPTH} levels")
