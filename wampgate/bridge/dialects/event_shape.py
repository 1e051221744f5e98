"""What of an event's name and values becomes arguments, and what a component of the topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Place: TypeAlias = Literal["argument", "keyword", "topic"]
"""Where an event's name goes: before its values in args, into kwargs as ``event``, or into the topic as ``{event}``."""

Values: TypeAlias = Literal["arguments", "keywords"]
"""What an object becomes that is an event's one value: an argument, or the kwargs."""


@dataclass(frozen=True, slots=True)
class EventShape:
    """How an event with a name looks to its subscribers.

    Attributes:
        name: where its name goes.
        values: what becomes of its values.
    """

    name: Place = "argument"
    values: Values = "arguments"

    def payload(self, name: str, values: Sequence[Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """The args and kwargs of an event: plain values in, plain values out."""
        args, kwargs = list(values), {}
        if self.values == "keywords" and len(args) == 1 and isinstance(args[0], dict):
            kwargs = args.pop()
        if self.name == "argument":
            args.insert(0, name)
        elif self.name == "keyword":
            kwargs = kwargs | {"event": name}
        return args, kwargs


def escaped(name: str) -> str:
    """A text as one URI component: what JavaScript's ``encodeURIComponent`` makes of it, and ``%2E`` for the dot."""
    return quote(name, safe="-_!~*'()", errors="replace").replace(".", "%2E")


def payload_of(value: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The args and kwargs of a value without a name: an array is the args, an object the kwargs, any other one arg."""
    if isinstance(value, list):
        return value, {}
    if isinstance(value, dict):
        return (), value
    return (value,), {}
