"""Calls of the router's own: a procedure of the user's is asked something, and not waited for beyond a deadline."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from wampgate.core.decisions import Pending
from wampgate.core.errors import uri
from wampgate.core.interfaces import Principal
from wampgate.core.local import local_session
from wampgate.core.session import State
from wampgate.wire.messages import Call, CallOptions, Cancel, CancelOptions, Error, Result
from wampgate.wire.payload import NO_PAYLOAD, Payload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wampgate.core.deadlines import Deadlines
    from wampgate.core.realm import Realm
    from wampgate.wire.messages import Message

CALLER: Final = Principal("wampgate.caller", "wampgate.caller", "router", "router")
"""Whom such calls are made for. No client can have this role: router.json takes none below ``wampgate``."""

_REQUEST: Final = 1
"""Each call has a session of its own, so this is the only request id that there is."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A call that brought no result.

    Attributes:
        error: the URI of the ERROR that it brought instead, the callee's or the router's.
        message: what happened, in words of the router's own; what the callee said besides may
            repeat a secret that it was told, and is left out.
    """

    error: str
    message: str


Outcome: TypeAlias = Payload | Unanswered


class _Call:
    """One call, waiting for its turn or for its answer."""

    __slots__ = ("_caller", "answer", "args", "deadline", "kwargs", "procedure", "session")

    def __init__(self, caller: LocalCaller, procedure: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._caller = caller
        self.procedure = procedure
        self.args = args
        self.kwargs = kwargs
        self.answer: Pending[Outcome] = Pending()
        # Limits and rates of sessions are for clients: none of them may exhaust the router's own.
        self.session = local_session(caller.realm, CALLER, self._receive)
        self.deadline = caller.deadlines.after(caller.seconds, self._late)

    def send(self) -> None:
        """Call, now that there is a place."""
        message = Call(_REQUEST, CallOptions(), self.procedure)
        self._caller.realm.receive(self.session, message, Payload(list(self.args), self.kwargs))

    def _receive(self, message: Message, payload: Payload) -> None:
        if not self.session.established:
            return
        if isinstance(message, Result):
            self._end(payload)
        elif isinstance(message, Error):
            self._end(Unanswered(message.error, _WORDS.get(message.error, f"it failed with {message.error}")))

    def _late(self) -> None:
        realm, session = self._caller.realm, self.session
        if session.calls:
            realm.receive(session, Cancel(_REQUEST, CancelOptions(mode="killnowait")), NO_PAYLOAD)
        self._end(Unanswered(uri.TIMEOUT, f"it did not answer within {self._caller.seconds:g} s"))

    def _end(self, outcome: Outcome) -> None:
        # What comes from now on is late.
        self.session.state = State.CLOSED
        self._caller.deadlines.cancel(self.deadline)
        self._caller.ended(self)
        self.answer.resolve(outcome)


class LocalCaller:
    """Calls procedures in a realm as the router itself; every call has one outcome, in time.

    A call that finds no place waits for one; its time runs meanwhile.

    Args:
        realm: where the procedures are.
        deadlines: the one heap of deadlines.
        seconds: how long a call may take, its wait included.
        limit: so many calls are with their callees at a time.
        waiting: so many more wait for a place; further ones fail at once.

    Attributes:
        realm: where the procedures are.
        deadlines: the one heap of deadlines.
        seconds: how long a call may take.
    """

    def __init__(
        self, realm: Realm, deadlines: Deadlines, *, seconds: float, limit: int = 100, waiting: int = 1000
    ) -> None:
        self.realm = realm
        self.deadlines = deadlines
        self.seconds = seconds
        self._limit = limit
        self._most_waiting = waiting
        self._under_way: set[_Call] = set()
        self._waiting: deque[_Call] = deque()

    def __len__(self) -> int:
        return len(self._under_way) + len(self._waiting)

    def call(
        self, procedure: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Pending[Outcome]:
        """Call a procedure; its result, or why there is none.

        Args:
            procedure: a URI.
            args: plain values.
            kwargs: plain values.
        """
        if len(self._waiting) >= self._most_waiting:
            refused: Pending[Outcome] = Pending()
            refused.resolve(Unanswered(uri.LIMIT_EXCEEDED, f"{len(self)} calls wait for it already"))
            return refused
        call = _Call(self, procedure, args, kwargs or {})
        if len(self._under_way) < self._limit:
            self._start(call)
        else:
            self._waiting.append(call)
        return call.answer

    def ended(self, call: _Call) -> None:
        """A call has its outcome: the next one may begin."""
        if call in self._under_way:
            self._under_way.remove(call)
        else:
            self._waiting.remove(call)
        now = self.deadlines.now()
        # A callee is not troubled with what is late already: that ends by itself in a moment.
        while self._waiting and len(self._under_way) < self._limit and self._waiting[0].deadline.when > now:
            self._start(self._waiting.popleft())

    def _start(self, call: _Call) -> None:
        self._under_way.add(call)
        call.send()


_WORDS: Final = {
    uri.NO_SUCH_PROCEDURE: "nobody has registered it",
    uri.CANCELED: "its callee left before it answered",
    uri.NOT_AUTHORIZED: "it says no, or may not be called",
}
