"""A realm with its bridges, made of a configuration and without a port: sessions inside subscribe and publish."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from wampgate.composition.limits import buckets_of
from wampgate.composition.realm import Maker
from wampgate.config.reading import read
from wampgate.config.references import References
from wampgate.core.deadlines import Deadlines
from wampgate.core.interfaces import Principal
from wampgate.core.local import local_session
from wampgate.journal import Journal
from wampgate.observation.records import Records
from wampgate.transports.turn import Turn
from wampgate.wire.messages import Event, PublishOptions
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from wampgate.core.session import Session
    from wampgate.wire.messages import Match, Message


class Member:
    """A session inside the realm.

    Attributes:
        events: (topic or pattern, args, kwargs) of what came, in order.
    """

    def __init__(self, inside: Inside, authid: str) -> None:
        self.events: list[tuple[str, list[Any], dict[str, Any]]] = []
        self._broker = inside.realm.broker
        self._topics: dict[int, str] = {}
        self.session: Session = local_session(
            inside.realm, Principal(authid, "member", "ticket", "store"), self._receive
        )

    def subscribe(self, topic: str, match: Match = "exact") -> int:
        subscription = self._broker.subscribe(self.session, topic, match)
        self._topics[subscription.id] = topic
        return subscription.id

    def unsubscribe(self, subscription: int) -> None:
        self._broker.unsubscribe(self.session, subscription)

    def leave(self) -> None:
        self._broker.leave(self.session)

    def publish(self, topic: str, *args: Any, options: PublishOptions | None = None, **kwargs: Any) -> int:
        payload = Payload(list(args), kwargs)
        return self._broker.publish(self.session, topic, options or PublishOptions(), payload, "on_request")

    def args(self, topic: str) -> list[Any]:
        """The first arguments of what came by one subscription."""
        return [args[0] for at, args, _ in self.events if at == topic]

    def _receive(self, message: Message, payload: Payload) -> None:
        assert isinstance(message, Event)
        self.events.append((self._topics[message.subscription], list(payload.args), dict(payload.kwargs)))


class Inside:
    """One realm; ``start`` and ``stop`` its bridges.

    Args:
        bridges: as in router.json.
    """

    def __init__(self, *bridges: dict[str, Any]) -> None:
        section = {"name": "realm1", "authentication": {"ticket": None, "anonymous": {}}, "bridges": list(bridges)}
        configuration, problems = read({"realms": [section]}, References({}, Path.cwd()))
        assert configuration is not None, problems
        deadlines = Deadlines(time.monotonic)
        maker = Maker(
            reactor,
            turn=Turn(reactor),
            deadlines=deadlines,
            buckets=buckets_of(configuration.limits, deadlines.now),
            record=Records(Journal()),
            run=lambda coroutine: Deferred.fromCoroutine(coroutine) and None,
        )
        parts = maker.realm_of(configuration.realms[0], configuration.limits)
        for bridged in parts.bridged:
            bridged.attach()
        self.realm = parts.realm
        self.bridges: list[Any] = list(parts.bridges)

    @property
    def ready(self) -> bool:
        return all(bridge.ready for bridge in self.bridges)

    def member(self, authid: str = "someone") -> Member:
        return Member(self, authid)

    async def start(self) -> None:
        for bridge in self.bridges:
            await bridge.start()

    async def stop(self) -> None:
        for bridge in self.bridges:
            await bridge.stop()
