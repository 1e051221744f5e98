"""Makes everything that brings events into a realm from elsewhere; loaded only where something does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wampgate.composition.bridges import bridge_grants, bridge_of, content_of
from wampgate.composition.dialects import bridge_rule_of
from wampgate.composition.outbox import outbox_grants, outbox_of
from wampgate.composition.streams import stream_bridge_of, stream_rules_of
from wampgate.config.bridges import RedisBridge as RedisBridgeSection
from wampgate.config.streams import RedisStreamsBridge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from wampgate.authorization.rules import Rule
    from wampgate.composition.bridges import Bridged
    from wampgate.config import model
    from wampgate.config.outbox import PostgresOutbox
    from wampgate.core.history import History
    from wampgate.core.realm import Realm

    AnyBridgeSection: TypeAlias = RedisBridgeSection | RedisStreamsBridge | PostgresOutbox


class Bridging:
    """A realm's bridges and outboxes, of their sections.

    Args:
        section: the realm's.
    """

    def __init__(self, section: model.Realm) -> None:
        self._section = section
        self._rules_by_bridge = {
            bridge: [bridge_rule_of(rule) for rule in bridge.rules]
            for bridge in section.bridges
            if isinstance(bridge, RedisBridgeSection)
        }
        self._stream_rules = stream_rules_of(section)

    def grants(self) -> Iterator[Rule]:
        """What lets each of them publish where its rules say, and nowhere else."""
        yield from bridge_grants(self._rules_by_bridge)
        yield from bridge_grants(self._stream_rules)
        yield from outbox_grants(self._section)

    def bridges(
        self, reactor: Any, realm: Realm, history: History | None, before: Sequence[Bridged] = ()
    ) -> list[Bridged]:
        """All of them; nothing is opened yet.

        Args:
            reactor: Twisted's.
            realm: where they publish.
            history: what keeps the realm's events; None where nothing does.
            before: those that run; one whose section is what it was stays.

        Raises:
            ValueError: what a section names can't be used.
        """
        return [
            _same(section, history, before) or self._made(reactor, section, realm, history)
            for section in self._section.bridges
        ]

    def _made(self, reactor: Any, section: AnyBridgeSection, realm: Realm, history: History | None) -> Bridged:
        if isinstance(section, RedisBridgeSection):
            return bridge_of(reactor, section, self._rules_by_bridge[section], realm)
        if isinstance(section, RedisStreamsBridge):
            return stream_bridge_of(reactor, section, self._stream_rules[section], realm, history)
        return outbox_of(reactor, section, realm, history)


def _same(section: AnyBridgeSection, history: History | None, before: Sequence[Bridged]) -> Bridged | None:
    """The bridge that runs already by a section, and by what that names; None if there is none."""
    for bridged in before:
        fills = isinstance(section, RedisBridgeSection) or bridged.history is history
        if bridged.section == section and fills and bridged.files == content_of(getattr(section, "ca_file", None)):
            return bridged
    return None
