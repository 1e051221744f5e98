"""Where a session's requests wait while it is asked whether they are allowed.

Requests of one kind act in the order in which they came; different kinds don't
wait for each other, and messages that need no decision never come here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from wampgate.core.decisions import Decision, Pending

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.wire.messages import Message


class _Entry:
    """A request, and what is to be done once its decision is there."""

    __slots__ = ("act", "decision", "request")

    def __init__(self, request: int, act: Callable[[Decision], None]) -> None:
        self.request = request
        self.act = act
        self.decision: Decision | None = None


class Inbox:
    """The waiting requests of one session."""

    __slots__ = ("_lane_by_kind", "requests")

    def __init__(self) -> None:
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
        answer: Decision | Pending[Decision],
        act: Callable[[Decision], None],
    ) -> None:
        """Let a request wait for its answer and for those before it."""
        entry = _Entry(request, act)
        self._lane_by_kind.setdefault(kind, deque()).append(entry)
        self.requests.add(request)
        if isinstance(answer, Decision):
            entry.decision = answer
        else:

            def decided(decision: Decision) -> None:
                entry.decision = decision
                self._advance(kind)

            answer.then(decided)

    def clear(self) -> None:
        """Forget everything: the session has ended."""
        self._lane_by_kind.clear()
        self.requests.clear()

    def _advance(self, kind: type[Message]) -> None:
        lane = self._lane_by_kind.get(kind)
        while lane and (decision := lane[0].decision) is not None:
            entry = lane.popleft()
            self.requests.discard(entry.request)
            entry.act(decision)
            # Acting may have ended the session.
            lane = self._lane_by_kind.get(kind)
