"""What a session leaves to be published once it is gone ("Session Testament").

Sessions are not resumed here, so a session is detached and destroyed in one
moment: what is left for the former is published before what is left for the
latter, each in the order in which it was added.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from wampgate.core.decisions import Decision
from wampgate.core.errors import RequestRefused, uri
from wampgate.wire.messages import PublishOptions
from wampgate.wire.payload import Payload
from wampgate.wire.serializers import MSGPACK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.core.interfaces import Principal
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.wire.payload import Parts
    from wampgate.wire.serializers import Serializer

Scope: TypeAlias = Literal["detached", "destroyed"]
"""When a testament is published."""

OVERHEAD: Final = 500
"""Bytes that a testament costs beside its payload and its topic."""

_ENDED: Final = frozenset({uri.TOKEN_REVOKED, uri.TOKEN_EXPIRED})
"""For these reasons a session ends together with its token, and with it what the token says."""


@dataclass(frozen=True, slots=True)
class Testament:
    """A publication that waits for its session's end, encoded as long as it waits.

    Attributes:
        topic: where it is to be published.
        options: how, as MessagePack; ``acknowledge`` and ``exclude_me`` mean nothing here.
        serializer, parts: the payload.
    """

    topic: str
    options: bytes
    serializer: Serializer
    parts: Parts

    @classmethod
    def of(cls, topic: str, options: PublishOptions, args: list[Any], kwargs: Mapping[str, Any]) -> Testament:
        """A testament of plain values."""
        return cls(topic, msgspec.msgpack.encode(options), MSGPACK, Payload(args, kwargs).parts(MSGPACK))

    @property
    def size(self) -> int:
        """What it counts against the bounds, in bytes: about what it takes in memory."""
        return sum(map(len, self.parts)) + len(self.topic) + len(self.options) + OVERHEAD


class _Left:
    """What one session leaves."""

    __slots__ = ("destroyed", "detached")

    def __init__(self) -> None:
        self.detached: list[Testament] = []
        self.destroyed: list[Testament] = []

    def of(self, scope: Scope) -> list[Testament]:
        return self.detached if scope == "detached" else self.destroyed

    def in_order(self) -> list[Testament]:
        return self.detached + self.destroyed


class Testaments:
    """The testaments of one realm's sessions. Those of a session share its two bounds."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._left_by_session: dict[int, _Left] = {}

    def __len__(self) -> int:
        return len(self._left_by_session)

    def add(self, session: Session, scope: Scope, testament: Testament) -> None:
        """Keep a testament behind those that are there.

        Raises:
            RequestRefused: the session has as many, or as large ones, as it may have.
        """
        limits = self._realm.requests.limits
        left = self._left_by_session.get(session.id) or _Left()
        theirs = left.in_order()
        if len(theirs) >= limits.testaments:
            raise self._realm.requests.limit("testaments", limits.testaments)
        if sum(other.size for other in theirs) + testament.size > limits.testament_bytes:
            raise self._realm.requests.limit("testament_bytes", limits.testament_bytes)
        left.of(scope).append(testament)
        self._left_by_session[session.id] = left

    def flush(self, session: Session, scope: Scope) -> int:
        """Forget those of one scope; how many they were."""
        left = self._left_by_session.get(session.id)
        if left is None:
            return 0
        theirs = left.of(scope)
        count = len(theirs)
        theirs.clear()
        if not left.in_order():
            del self._left_by_session[session.id]
        return count

    def forget(self, session: Session) -> None:
        """Forget all of a session's."""
        self._left_by_session.pop(session.id, None)

    def read(self, session: Session, reason: str) -> None:
        """A session is gone: publish what it may still publish, with its rights of this moment.

        Args:
            session: who has left.
            reason: why it was ended, a URI; empty where it left by itself.
        """
        left = self._left_by_session.pop(session.id, None)
        if left is not None:
            self._publish(session, _as_of_now(session.principal, reason), deque(left.in_order()))

    def _publish(self, session: Session, who: Principal, left: deque[Testament]) -> None:
        """Publish one after the other; where a decision has to be waited for, those behind it wait too."""
        while left:
            testament = left.popleft()
            answer = self._realm.authorize_principal(who, "publish", testament.topic, "exact")
            if not isinstance(answer, Decision):
                answer.then(partial(self._decided, session, who, testament, left))
                return
            self._take(session, testament, answer)

    def _decided(
        self, session: Session, who: Principal, testament: Testament, left: deque[Testament], decision: Decision
    ) -> None:
        self._take(session, testament, decision)
        self._publish(session, who, left)

    def _take(self, session: Session, testament: Testament, decision: Decision) -> None:
        realm = self._realm
        if not decision.allowed:
            self._refused(session, testament, decision.because)
            return
        payload = testament.serializer.payload_of(testament.parts)
        options = msgspec.msgpack.decode(testament.options, type=PublishOptions)
        try:
            realm.broker.publish(session, testament.topic, options, payload, decision.disclose)
        except RequestRefused as refusal:
            self._refused(session, testament, refusal.message)
        else:
            realm.counters["testaments_published"] += 1

    def _refused(self, session: Session, testament: Testament, because: str) -> None:
        self._realm.counters["testaments_refused"] += 1
        self._realm.record("testament_refused", session, uri=testament.topic, because=because)


def _as_of_now(who: Principal, reason: str) -> Principal:
    """Whose rights count: the organizations that a token names are no one's any more when the token has ended."""
    if who.organizations is None or reason not in _ENDED:
        return who
    return replace(who, organizations={})
