"""What an authorizer says, at once or later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

Action = Literal["subscribe", "publish", "call", "register"]
Disclosure = Literal["on_request", "always", "never"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a principal may do what it asks.

    Attributes:
        allowed: yes or no.
        because: the rule or row that decides, for the log and for `explain`; never a secret.
        failed: True if nothing could be decided (then ``allowed`` is False).
        disclose: whether the principal's identity goes to receivers ("Publisher
            Identification", "Caller Identification").
        since: of a membership by which it is allowed, when that began, in seconds since
            1970; infinity if nobody knows; None if no membership decides.
    """

    allowed: bool
    because: str
    failed: bool = False
    disclose: Disclosure = "on_request"
    since: float | None = None


class Pending(Generic[T]):
    """An answer that is still to come; exactly one party gives it and one party waits for it.

    Not a Deferred and not a Future, since the core knows neither, and making one
    costs nothing unless something really waits.
    """

    __slots__ = ("_done", "_then", "_value")

    def __init__(self) -> None:
        self._then: Callable[[T], None] | None = None
        self._done = False
        self._value: T

    def resolve(self, value: T) -> None:
        """Give the answer. Whoever waits runs at once, here.

        Raises:
            RuntimeError: the answer was given before.
        """
        if self._done:
            raise RuntimeError("this answer was given before")
        self._done = True
        self._value = value
        if self._then is not None:
            self._then(value)

    def then(self, callback: Callable[[T], None]) -> None:
        """Call back with the answer, at once if it is there.

        Raises:
            RuntimeError: someone waits already.
        """
        if self._then is not None:
            raise RuntimeError("someone waits for this answer already")
        self._then = callback
        if self._done:
            callback(self._value)
