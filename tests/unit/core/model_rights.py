"""Who may do what in the model's small world, and the stores that have to be asked for it."""

from __future__ import annotations

import itertools
from functools import cache
from typing import TYPE_CHECKING, Final

from unit.core.test_matching import matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from unit.core.model import Model
    from unit.core.model_peers import ModelPeer

    from wampgate.core.decisions import Action
    from wampgate.wire.messages import Match

CACHE_SECONDS: Final = 5.0

COMPONENTS: Final = ("7", "70", "8", "a", "closed", "news", "room", "rooms")
WORLD: Final = [
    ".".join([root, *rest])
    for root in ("organization", "com", "wamp", "wampgate", "x")
    for length in range(4)
    for rest in itertools.product(COMPONENTS, repeat=length)
] + ["wamp.registration.on_create", "wamp.session.on_leave", "wampgate.revoked"]


@cache
def matched(topic: str, match: Match) -> tuple[str, ...]:
    """Every URI of the small world that a pattern matches, and the topic itself."""
    return tuple(uri for uri in {*WORLD, topic} if matches(topic, match, uri) and "" not in uri.split("."))


class Rights:
    """Static rules, one template for organizations and one for their rooms, and what the stores say of users."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.slow = False
        self.down = False
        self.memberships: dict[tuple[str, str], set[str]] = {}
        self.tokens: dict[tuple[str, str], tuple[str, float | None]] = {}
        self._known: dict[tuple[str, str], tuple[set[str], float]] = {}
        self._asking: dict[tuple[str, str], list[Callable[[set[str] | None], None]]] = {}
        self.questions: list[tuple[str, Callable[[], None]]] = []

    # --- stores ---

    def ask(self, subject: str, then: Callable[[], None]) -> None:
        """Ask a store: it answers now, or when the machine lets it."""
        if self.slow:
            self.questions.append((subject, then))
        else:
            then()

    def answer(self, number: int) -> None:
        """A store answers."""
        self.questions.pop(number)[1]()

    def cached(self, peer: ModelPeer) -> set[str] | None:
        """What is known of a user's organizations and still holds."""
        ids, until = self._known.get((peer.realm, str(peer.user)), (set(), 0.0))
        return ids if until > self._model.now else None

    def read(self, peer: ModelPeer, asked: float) -> set[str] | None:
        """What the store says of a user's organizations, at this moment; None if it is down."""
        if self.down:
            return None
        key = (peer.realm, str(peer.user))
        ids, until = self._known.get(key, (set(), 0.0))
        if until > asked + CACHE_SECONDS:
            # Who asked later has been answered already.
            return ids
        ids = set(self.memberships.get(key, set()))
        self._known[key] = (ids, asked + CACHE_SECONDS)
        return ids

    def _ask_memberships(self, peer: ModelPeer, then: Callable[[set[str] | None], None]) -> None:
        """Ask for a user's organizations, once for all who want to know at the same time."""
        key, asked = (peer.realm, str(peer.user)), self._model.now
        if key in self._asking:
            self._asking[key].append(then)
            return
        self._asking[key] = [then]

        def answered() -> None:
            ids = self.read(peer, asked)
            for waits in self._asking.pop(key):
                waits(ids)

        self.ask(str(peer.user), answered)

    # --- what they mean ---

    def decision(
        self, peer: ModelPeer, action: Action, topic: str, match: Match, later: Callable[[str], None]
    ) -> str | None:
        """Whether a peer may do something: yes or no at once, or told later (then it may have failed, too)."""
        if peer.user is None or not _concerns_members(action, topic, match):
            return "yes" if self.may(peer, action, topic, match, set()) else "no"
        ids = self.cached(peer)
        if ids is not None:
            return "yes" if self.may(peer, action, topic, match, ids) else "no"

        def answered(ids: set[str] | None) -> None:
            if ids is None:
                later("failed")
            else:
                later("yes" if self.may(peer, action, topic, match, ids) else "no")

        self._model.counted["waited"] += 1
        self._model.counted[f"{action} waited"] += 1
        self._ask_memberships(peer, answered)
        return None

    def may(self, peer: ModelPeer, action: Action, topic: str, match: Match, ids: set[str]) -> bool:
        """Whether a peer may do something with all that a pattern could match (promise 2)."""
        if action == "subscribe" and (topic, match) == ("wampgate.revoked", "exact"):
            return True
        if action == "call" and topic in ("wamp.session.add_testament", "wamp.session.flush_testaments"):
            return True
        return _may(peer.role, action, topic, match, frozenset(ids))


@cache
def _may(role: str, action: Action, topic: str, match: Match, ids: frozenset[str]) -> bool:
    return all(_says(role, action, uri, ids) for uri in matched(topic, match))


def _says(role: str, action: Action, uri: str, ids: frozenset[str]) -> bool:
    """Whether a role, in some organizations, may do something with one URI. The machine's rules in words."""
    first, _, rest = uri.partition(".")
    if action in ("publish", "register") and first in ("wamp", "wampgate"):
        return False
    if role == "backend":
        return True
    if first == "com":
        return not rest.startswith("closed.")
    if first != "organization":
        return False
    organization, *below = rest.split(".")
    return organization in ids and (action == "subscribe" or below[:1] == ["room"])


@cache
def _concerns_members(action: Action, topic: str, match: Match) -> bool:
    """Whether it is a matter of one organization's members: only then is the store asked."""
    length = 2 if action == "subscribe" else 3
    seen = {tuple(uri.split(".")[:length]) for uri in matched(topic, match)}
    if len(seen) != 1:
        return False
    (shape,) = seen
    return len(shape) == length and shape[0] == "organization" and (length == 2 or shape[2] == "room")
