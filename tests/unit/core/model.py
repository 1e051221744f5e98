"""A naive router, written from the specification and the issue alone: what each peer must be sent, and when.

It knows nothing of the real one's parts. Rights are looked up for every URI of
a small world, events are matched against every subscription and calls against
every registration, and everything is kept in plain lists. Ids that the router
may choose freely are :class:`unit.core.model_peers.Name`\\ s here, and get their
numbers when the router first sends them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from unit.core.model_calls import Calls
from unit.core.model_events import Events
from unit.core.model_meta import Meta
from unit.core.model_peers import Text
from unit.core.model_procedures import Procedures
from unit.core.model_requests import Requests
from unit.core.model_rights import Rights
from unit.core.model_sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from unit.core.model_peers import ModelPeer
    from unit.core.model_registrations import ModelCallee


class Model:
    """All realms together.

    Args:
        choose: finds out which of several callees the router has chosen at random, by the
            call's arguments and the features that it needs.
    """

    def __init__(self, choose: Callable[[list[ModelCallee], list[Any], frozenset[str]], ModelCallee]) -> None:
        self.now = 1000.0
        self.peers: list[ModelPeer] = []
        self.counted: Counter[str] = Counter()
        self.rights = Rights(self)
        self.requests = Requests(self)
        self.meta = Meta(self)
        self.events = Events(self)
        self.calls = Calls(self, choose)
        self.procedures = Procedures(self)
        self.sessions = Sessions(self)

    def error(self, peer: ModelPeer, code: int, request: int, reason: str) -> None:
        """ERROR, with a sentence."""
        peer.told([8, code, request, {}, reason, [Text]])
        self.counted[reason] += 1

    def violated(self, peer: ModelPeer) -> None:
        """ABORT, and the end."""
        if peer.state == "closed":
            return
        peer.told([3, {"message": Text}, "wamp.error.protocol_violation"])
        self.leave(peer)
        self.counted["violated"] += 1

    def leave(self, peer: ModelPeer, state: str = "closed") -> None:
        """A session ends."""
        self.sessions.leave(peer, state)

    def reconsider(self, peer: ModelPeer) -> None:
        """What a session's rights no longer allow ends, and what it waits for is asked anew."""
        self.events.reconsider(peer)
        self.calls.registrations.reconsider(peer)
        self.requests.reconsider(peer)

    def pass_time_to(self, when: float) -> None:
        """It is so late now."""
        self.now = when
        self.calls.pass_time()
        self.sessions.pass_time()
