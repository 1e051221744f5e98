"""Makes a realm's outboxes of their sections in router.json, and the rules by which they may publish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wampgate.authorization.rules import Rule
from wampgate.bridge.interruptions import Interruptions
from wampgate.bridge.pace import Pace
from wampgate.bridge.templates import TopicPattern
from wampgate.composition.bridges import Bridged
from wampgate.config.outbox import PostgresOutbox
from wampgate.core.interfaces import Principal
from wampgate.core.local import LocalPublisher

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wampgate.config import model
    from wampgate.core.history import History
    from wampgate.core.realm import Realm
    from wampgate.wire.messages import Match


def outbox_grants(realm: model.Realm) -> Iterator[Rule]:
    """What lets each outbox publish on its own topics, and nowhere else."""
    for section in _sections(realm):
        for topic in section.topics:
            yield Rule(
                _principal(section).authrole,
                frozenset({"publish"}),
                topic.uri,
                topic.match,
                allow=True,
                disclose="never",
                name=f"the topics of outbox {section.name}",
            )


def outbox_of(reactor: Any, section: PostgresOutbox, realm: Realm, history: History | None) -> Bridged:
    """An outbox that publishes under a principal of its own; nothing is opened yet."""
    # The driver is loaded only where it is used.
    from wampgate.stores.outbox import Outbox  # noqa: PLC0415

    def tell_gap(topics: Sequence[tuple[str, Match]], *, since: float) -> None:
        patterns = [TopicPattern(uri, match) for uri, match in topics]
        told = Interruptions(realm, patterns, lambda go_on: reactor.callLater(0, go_on))
        told.tell(since, why="stream_trimmed")

    made = Outbox(
        reactor,
        section.name,
        section.dsn.reveal(),
        [(topic.uri, topic.match) for topic in section.topics],
        LocalPublisher(realm, _principal(section)),
        pace=Pace(reactor).step,
        listen_dsn=None if section.listen_dsn is None else section.listen_dsn.reveal(),
        node=section.node,
        history=history,
        tell_gap=tell_gap,
        oldest=section.offset == "oldest",
        poll_seconds=section.poll_seconds,
        timeout=section.timeout_seconds,
        count=section.count,
        retention_seconds=section.retention_seconds,
        dead_letter_seconds=section.dead_letter_seconds,
    )
    return Bridged(section, b"", made, history)


def _sections(realm: model.Realm) -> Iterator[PostgresOutbox]:
    return (bridge for bridge in realm.bridges if isinstance(bridge, PostgresOutbox))


def _principal(section: PostgresOutbox) -> Principal:
    """Whom an outbox acts for: nobody else."""
    # No client can have this role: router.json takes none below wampgate.
    role = f"wampgate.bridge.{section.name}"
    return Principal(role, role, "bridge", "router")
