"""A realm whose sessions are on real sockets, and what its slow readers are sent, read back frame by frame."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from unit.transports.connected import AS_JSON, HANDSHAKE, frames_of

from wampgate.authorization.organization import OrganizationAuthorizer
from wampgate.authorization.rules import Rules
from wampgate.core.interfaces import Connection, Principal
from wampgate.core.local import LocalLink
from wampgate.core.private import GAP
from wampgate.core.realm import Realm
from wampgate.core.session import Session, State
from wampgate.core.topics import TopicOptions, Topics
from wampgate.transports.outbox import OutboxLimits
from wampgate.wire.messages import PublishOptions, Result, ResultDetails
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from unit.transports.connected import Wire, Wired

    from wampgate.transports.turn import Encoding

OPTIONS: Final = (
    TopicOptions("drop.", "prefix", slow_readers="drop"),
    TopicOptions("latest.", "prefix", slow_readers="latest", latest_by="key"),
)
LIMIT: Final = 20_000
SMALL: Final = 4096


@dataclass
class WallClock:
    """Seconds since 1970; the test moves them."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class SlowRealm:
    """A realm with topics of each kind.

    Attributes:
        realm: the realm.
        wall_clock: by which it dates what is published.
    """

    def __init__(self, wired: Wired) -> None:
        self._wired = wired
        authorizer = OrganizationAuthorizer(Rules([]), None)
        self.realm = Realm(
            "realm1",
            deliver=wired.turn,
            authorizer=authorizer,
            admission=authorizer,
            authenticators={},
            record=lambda *_, **__: None,
            deadlines=wired.deadlines,
            topics=Topics(OPTIONS),
        )
        self.wall_clock = WallClock()
        self.realm.broker._wall_clock = self.wall_clock
        self._publisher = Session(LocalLink(lambda *_: None), Connection("inside", "inside"))
        self._establish(self._publisher)

    def _establish(self, session: Session) -> None:
        session.id = max(self.realm.sessions, default=0) + 1
        session.realm = self.realm
        session.principal = Principal("someone", "someone", "anonymous", "anonymous")
        session.state = State.ESTABLISHED
        self.realm.join(session)

    def empty(self) -> None:
        """Let all readers leave."""
        for session in list(self.realm.sessions.values()):
            if session is not self._publisher:
                session.state = State.CLOSED
                self.realm.leave(session)

    def reader(
        self, *topics: str, hears: bool = True, encoding: Encoding = AS_JSON, limit: int = LIMIT, buffer: int = SMALL
    ) -> Wire:
        """A peer with small buffers that has subscribed; it reads nothing unless the test does."""
        wire = self._wired.peer(encoding, limits=OutboxLimits(size=limit, stalled=10), buffer=buffer)
        self._establish(wire.session)
        for topic in (*topics, *((GAP,) if hears else ())):
            self.subscribe(wire, topic)
        return wire

    def subscribe(self, wire: Wire, topic: str) -> int:
        """Subscribe, by prefix if the topic ends in a dot; the subscription's id."""
        match = "prefix" if topic.endswith(".") else "exact"
        return self.realm.broker.subscribe(wire.session, topic, match).id  # type: ignore[arg-type]  # two of three

    def publish(self, topic: str, number: int, size: int = 0, **kwargs: Any) -> None:
        """Publish, and send it at once."""
        self.realm.broker.publish(
            self._publisher, topic, PublishOptions(), Payload([number, "x" * size], kwargs), "on_request"
        )
        self._wired.turn.flush()

    def answer(self, wire: Wire, number: int, size: int = 0) -> None:
        """Send what is no event."""
        self._wired.turn(Result(number, ResultDetails()), Payload([number, "x" * size]), (wire.session,))
        self._wired.turn.flush()

    def read(self, wire: Wire) -> bytes:
        """Everything that was sent to a reader, once nothing waits any more; or until it is cut off."""
        data = b""

        def drained() -> bool:
            nonlocal data
            data += wire.read()
            return not wire.outbox.full or bool(wire.end.was_cut) or wire.end.lost

        self._wired.until(drained)
        if not (wire.end.was_cut or wire.end.lost):
            last = b"\x8a\x04last"
            wire.outbox.write(last)
            self._wired.until(lambda: drained() and data.endswith(last))
            return data.removesuffix(last)
        return data + wire.read()

    def fill(self, wire: Wire) -> int:
        """Publish on a topic that drops until the first event waits; how many events the reader will get."""
        self.subscribe(wire, "drop.filling")
        count = 0
        while not wire.waiting:
            self.publish("drop.filling", count, 1000)
            count += 1
            assert count < 1000
        return count


def messages_of(data: bytes) -> list[Any]:
    """The messages in a stream of JSON frames."""
    data = data.removeprefix(HANDSHAKE)
    return [json.loads(frame[{126: 4, 127: 10}.get(frame[1], 2) :]) for frame in frames_of(data) if frame[0] == 0x81]


def gaps_of(realm: Realm, session: Session, messages: list[Any]) -> list[dict[str, Any]]:
    """What a session was told of gaps."""
    subscription = realm.gaps.subscription_of(session)
    return [message[5] for message in messages if message[0] == 36 and message[1] == subscription]
