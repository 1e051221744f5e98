"""Where a session's requests wait while it is asked whether they are allowed.

Requests of one kind act in the order in which they came; different kinds don't
wait for each other, and messages that need no decision never come here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from wampgate.core.decisions import Decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.core.decisions import Pending
    from wampgate.wire.messages import Call, Message
    from wampgate.wire.payload import Payload

    Answer: TypeAlias = Decision | Pending[Decision]


class _Entry:
    """A request: how to ask for its decision, what to do with it, and the decision once it is there."""

    __slots__ = ("act", "ask", "decision", "generation", "request")

    def __init__(self, request: int, ask: Callable[[], Answer], act: Callable[[Decision], None]) -> None:
        self.request = request
        self.ask = ask
        self.act = act
        self.decision: Decision | None = None
        self.generation = 0


class Inbox:
    """The waiting requests of one session.

    Rights may change while a request waits: then its decision is asked for again,
    and an answer to the older question counts for nothing.

    Attributes:
        requests: the ids of those that wait.
        early: each CALL of several messages that waits, with those that have followed it, by its
            request id ("Progressive Call Invocations").
    """

    __slots__ = ("_lane_by_kind", "early", "requests")

    def __init__(self) -> None:
        self.early: dict[int, list[tuple[Call, Payload]]] = {}
        self._lane_by_kind: dict[type[Message], deque[_Entry]] = {}
        self.requests: set[int] = set()

    def __len__(self) -> int:
        return len(self.requests)

    def has(self, kind: type[Message]) -> bool:
        """Whether a request of this kind waits, so that the next one has to wait behind it."""
        return bool(self._lane_by_kind.get(kind))

    def wait(
        self,
        kind: type[Message],
        request: int,
        answer: Answer,
        *,
        ask: Callable[[], Answer],
        act: Callable[[Decision], None],
    ) -> None:
        """Let a request wait for its answer and for those before it.

        Args:
            kind: requests of one kind act in order.
            request: its id.
            answer: what the authorizer said when it came.
            ask: asks the authorizer again.
            act: what to do once decided.
        """
        entry = _Entry(request, ask, act)
        self._lane_by_kind.setdefault(kind, deque()).append(entry)
        self.requests.add(request)
        self._expect(kind, entry, answer)

    def reconsider(self) -> None:
        """Ask for every decision anew: what was said before the rights changed counts for nothing."""
        for kind, lane in list(self._lane_by_kind.items()):
            for entry in lane:
                entry.decision = None
                entry.generation += 1
            for entry in list(lane):
                self._expect(kind, entry, entry.ask())
            self._advance(kind)

    def withdraw(self, kind: type[Message], request: int) -> bool:
        """Forget a request that no longer wants to be decided; whether it was here."""
        if request not in self.requests:
            return False
        lane = self._lane_by_kind.get(kind)
        entry = next((entry for entry in lane or () if entry.request == request), None)
        if lane is None or entry is None:
            return False
        lane.remove(entry)
        # An answer that is still to come finds that it was asked for another generation.
        entry.generation += 1
        self.requests.discard(request)
        self._advance(kind)
        return True

    def clear(self) -> None:
        """Forget everything: the session has ended."""
        self._lane_by_kind.clear()
        self.early.clear()
        self.requests.clear()

    def _expect(self, kind: type[Message], entry: _Entry, answer: Answer) -> None:
        if isinstance(answer, Decision):
            entry.decision = answer
            return
        generation = entry.generation

        def decided(decision: Decision) -> None:
            if entry.generation == generation:
                entry.decision = decision
                self._advance(kind)

        answer.then(decided)

    def _advance(self, kind: type[Message]) -> None:
        lane = self._lane_by_kind.get(kind)
        while lane and (decision := lane[0].decision) is not None:
            entry = lane.popleft()
            self.requests.discard(entry.request)
            entry.act(decision)
            # Acting may have ended the session.
            lane = self._lane_by_kind.get(kind)
