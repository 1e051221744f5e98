"""A naive router, written from the specification and the issue alone: what each peer must be sent, and when.

It knows nothing of the real one's parts. Rights are looked up for every URI of
a small world, events are matched against every subscription, and everything is
kept in plain lists. Ids that the router may choose freely are :class:`Name`\\ s
here, and get their numbers when the router first sends them.
"""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from unit.core.test_matching import matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.wire.messages import Match

CACHE_SECONDS: Final = 5.0
JOIN_SECONDS: Final = 10.0

COMPONENTS: Final = ("7", "70", "8", "a", "closed", "news")
WORLD: Final = [
    ".".join([root, *rest])
    for root in ("organization", "com", "wamp", "wampgate", "x")
    for length in range(4)
    for rest in itertools.product(COMPONENTS, repeat=length)
]


@cache
def matched(topic: str, match: Match) -> tuple[str, ...]:
    """Every URI of the small world that a pattern matches, and the topic itself."""
    return tuple(uri for uri in {*WORLD, topic} if matches(topic, match, uri) and "" not in uri.split("."))


class Name:
    """A number that the router chooses: the same wherever the name stands."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.number: int | None = None

    def __repr__(self) -> str:
        return f"<{self.kind} {self.number}>"


class Text:
    """Any text."""


class Together(list[Any]):
    """EVENTs of one publication to one peer: their order is the router's choice."""


class ModelPeer:
    """What the model knows of one client."""

    def __init__(self, number: int, opened: float) -> None:
        self.number = number
        self.opened = opened
        self.state = "joining"
        self.realm = ""
        self.authid: str | Any = ""
        self.role = ""
        self.user: str | None = None
        self.expires: float | None = None
        self.session = Name("session")
        self.waiting: list[Waiting] = []
        self.invocations = 0
        self.expected: list[Any] = []

    @property
    def here(self) -> bool:
        """Whether it takes part."""
        return self.state == "established"


class Waiting:
    """A SUBSCRIBE whose decision is not there yet, or that has to wait behind one."""

    def __init__(self, request: int, topic: str, match: Match) -> None:
        self.request = request
        self.topic = topic
        self.match = match
        self.decision: str | None = None


class ModelSubscription:
    """A topic or pattern of one realm, with its subscribers in order."""

    def __init__(self, realm: str, topic: str, match: Match) -> None:
        self.realm = realm
        self.topic = topic
        self.match = match
        self.id = Name("subscription")
        self.peers: list[ModelPeer] = []


class ModelCall:
    """A call from CALL to its one answer."""

    def __init__(self, caller: ModelPeer, request: int, callee: ModelPeer, invocation: int) -> None:
        self.caller = caller
        self.request = request
        self.callee = callee
        self.invocation = invocation


class Model:
    """All realms together."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slow = False
        self.down = False
        self.memberships: dict[tuple[str, str], set[str]] = {}
        self.tokens: dict[tuple[str, str], tuple[str, float | None]] = {}
        self.known: dict[tuple[str, str], tuple[set[str], float]] = {}
        self.asking: dict[tuple[str, str], list[Callable[[set[str] | None], None]]] = {}
        self.questions: list[tuple[str, Callable[[], None]]] = []
        self.peers: list[ModelPeer] = []
        self.subscriptions: list[ModelSubscription] = []
        self.registrations: dict[tuple[str, str], tuple[ModelPeer, Name]] = {}
        self.calls: list[ModelCall] = []
        self.counted: Counter[str] = Counter()

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
        ids, until = self.known.get((peer.realm, str(peer.user)), (set(), 0.0))
        return ids if until > self.now else None

    def read(self, peer: ModelPeer, asked: float) -> set[str] | None:
        """What the store says of a user's organizations, at this moment; None if it is down."""
        if self.down:
            return None
        ids = set(self.memberships.get((peer.realm, str(peer.user)), set()))
        self.known[peer.realm, str(peer.user)] = (ids, asked + CACHE_SECONDS)
        return ids

    # --- joining ---

    def join(self, peer: ModelPeer, realm: str, ticket: str | None, organization: str | None) -> None:
        """HELLO, and the ticket if there is one."""
        self.peers.append(peer)
        peer.realm = realm
        if ticket is None:
            peer.authid, peer.role = Text, "guest"
            self.admit(peer, organization)
            return
        peer.expected.append([4, "ticket", {}])
        if ticket == "the ticket of backend":
            peer.authid, peer.role = "backend", "backend"
            self.admit(peer, organization)
            return
        self.ask(ticket, lambda: self.looked_up(peer, ticket, organization))

    def looked_up(self, peer: ModelPeer, ticket: str, organization: str | None) -> None:
        """The store has said whose the ticket is."""
        if peer.state != "joining":
            return
        user, expires = self.tokens.get((peer.realm, ticket), (None, None))
        if self.down:
            self.refuse_join(peer, "wamp.error.authentication_failed")
        elif user is None or (expires is not None and expires <= self.now):
            self.refuse_join(peer, "wamp.error.authentication_denied")
        else:
            peer.authid = peer.user = user
            peer.role, peer.expires = "member", expires
            self.admit(peer, organization)

    def admit(self, peer: ModelPeer, organization: str | None) -> None:
        """It is known who it is; a user's organizations have to be known too."""
        if peer.user is None:
            if organization is None:
                self.welcome(peer, {})
            else:
                self.refuse_join(peer, "wamp.error.not_authorized")
            return
        ids, asked = self.cached(peer), self.now
        if ids is not None:
            self.admitted(peer, organization, ids)
        else:
            self.ask(peer.user, lambda: self.admitted(peer, organization, self.read(peer, asked)))

    def admitted(self, peer: ModelPeer, organization: str | None, ids: set[str] | None) -> None:
        """The user's organizations are known, or can't be."""
        if peer.state != "joining":
            return
        if ids is None:
            self.refuse_join(peer, "wamp.error.authentication_failed")
        elif organization is not None and organization not in ids:
            self.refuse_join(peer, "wamp.error.not_authorized")
        else:
            told: dict[str, Any] = {"organizations": sorted(ids), "organization_count": len(ids)}
            self.welcome(peer, told | ({} if organization is None else {"organization": organization}))

    def welcome(self, peer: ModelPeer, authextra: dict[str, Any]) -> None:
        """The session begins. Who comes later stands behind in the order of ends."""
        peer.state = "established"
        self.peers.remove(peer)
        self.peers.append(peer)
        told = {"authid": peer.authid, "authrole": peer.role, "authextra": authextra, "realm": peer.realm}
        peer.expected.append([2, peer.session, told])
        self.counted["joined"] += 1

    def refuse_join(self, peer: ModelPeer, reason: str) -> None:
        """ABORT."""
        peer.expected.append([3, {"message": Text}, reason])
        peer.state = "closed"
        self.counted["join refused"] += 1

    # --- rights ---

    def says(self, peer: ModelPeer, action: str, uri: str, ids: set[str]) -> bool:
        """Whether a peer may do something with one URI. The machine's rules in words."""
        first, _, rest = uri.partition(".")
        if action in ("publish", "register") and first in ("wamp", "wampgate"):
            return False
        if peer.role == "backend":
            return True
        if first == "com":
            return not rest.startswith("closed.")
        return first == "organization" and action == "subscribe" and rest.partition(".")[0] in ids

    def may(self, peer: ModelPeer, action: str, topic: str, match: Match, ids: set[str]) -> bool:
        """Whether a peer may do something with all that a pattern could match (promise 2)."""
        return all(self.says(peer, action, uri, ids) for uri in matched(topic, match))

    def one_organization(self, topic: str, match: Match) -> bool:
        """Whether it is a matter of one organization's members: only then is the store asked."""
        seen = {tuple(uri.split(".")[:2]) for uri in matched(topic, match)}
        return len(seen) == 1 and all(len(two) == 2 and two[0] == "organization" for two in seen)

    # --- publish and subscribe ---

    def subscribe(self, peer: ModelPeer, request: int, topic: str, match: Match) -> None:
        """SUBSCRIBE: decided now, or when the store has answered and those before are done."""
        entry = Waiting(request, topic, match)
        if peer.user is None or not self.one_organization(topic, match):
            entry.decision = "yes" if self.may(peer, "subscribe", topic, match, set()) else "no"
        else:
            ids = self.cached(peer)
            if ids is not None:
                entry.decision = "yes" if self.may(peer, "subscribe", topic, match, ids) else "no"
        peer.waiting.append(entry)
        if entry.decision is None:
            self.counted["waited"] += 1
            self.ask_memberships(peer, lambda ids: self.decided(peer, entry, ids))
        self.advance(peer)

    def ask_memberships(self, peer: ModelPeer, then: Callable[[set[str] | None], None]) -> None:
        """Ask for a user's organizations, once for all who want to know at the same time."""
        key, asked = (peer.realm, str(peer.user)), self.now
        if key in self.asking:
            self.asking[key].append(then)
            return
        self.asking[key] = [then]

        def answered() -> None:
            ids = self.read(peer, asked)
            for waits in self.asking.pop(key):
                waits(ids)

        self.ask(str(peer.user), answered)

    def decided(self, peer: ModelPeer, entry: Waiting, ids: set[str] | None) -> None:
        """The decision for a SUBSCRIBE is there."""
        if ids is None:
            entry.decision = "failed"
        else:
            entry.decision = "yes" if self.may(peer, "subscribe", entry.topic, entry.match, ids) else "no"
        self.advance(peer)

    def advance(self, peer: ModelPeer) -> None:
        """Answer those SUBSCRIBEs whose turn it is."""
        while peer.here and peer.waiting and peer.waiting[0].decision is not None:
            entry = peer.waiting.pop(0)
            if entry.decision != "yes":
                reason = "not_authorized" if entry.decision == "no" else "authorization_failed"
                self.error(peer, 32, entry.request, f"wamp.error.{reason}")
                continue
            key = (peer.realm, entry.topic, entry.match)
            found = [one for one in self.subscriptions if (one.realm, one.topic, one.match) == key]
            subscription = found[0] if found else ModelSubscription(*key)
            if not found:
                self.subscriptions.append(subscription)
            if peer not in subscription.peers:
                subscription.peers.append(peer)
            peer.expected.append([33, entry.request, subscription.id])

    def unsubscribe(self, peer: ModelPeer, request: int, number: int) -> None:
        """UNSUBSCRIBE."""
        for subscription in self.subscriptions:
            if subscription.realm == peer.realm and subscription.id.number == number and peer in subscription.peers:
                self.drop(peer, subscription)
                peer.expected.append([35, request])
                return
        self.error(peer, 34, request, "wamp.error.no_such_subscription")

    def drop(self, peer: ModelPeer, subscription: ModelSubscription) -> None:
        """End one subscription of one peer."""
        subscription.peers.remove(peer)
        if not subscription.peers:
            self.subscriptions.remove(subscription)

    def publish(self, peer: ModelPeer, request: int, topic: str, options: dict[str, Any], args: list[Any]) -> None:
        """PUBLISH."""
        acknowledge = options.get("acknowledge", False)
        if not self.may(peer, "publish", topic, "exact", set()):
            self.counted["publish refused"] += 1
            if acknowledge:
                self.error(peer, 16, request, "wamp.error.not_authorized")
            return
        publication = Name("publication")
        together: dict[ModelPeer, Together] = {}
        for subscription in self.subscriptions:
            if subscription.realm == peer.realm and matches(subscription.topic, subscription.match, topic):
                for receiver in subscription.peers:
                    if self.receives(receiver, peer, options):
                        details = self.details(peer, topic, subscription, options)
                        event = [36, subscription.id, publication, details, args]
                        together.setdefault(receiver, Together()).append(event)
        for receiver, events in together.items():
            receiver.expected.append(events)
            self.counted["delivered"] += len(events)
        if acknowledge:
            peer.expected.append([17, request, publication])

    def receives(self, receiver: ModelPeer, publisher: ModelPeer, options: dict[str, Any]) -> bool:
        """Exclusion and eligibility."""
        authid = receiver.authid if isinstance(receiver.authid, str) else "someone"
        return not (
            (receiver is publisher and options.get("exclude_me", True))
            or ("eligible" in options and receiver.session.number not in options["eligible"])
            or receiver.session.number in options.get("exclude", [])
            or ("eligible_authid" in options and authid not in options["eligible_authid"])
            or authid in options.get("exclude_authid", [])
            or ("eligible_authrole" in options and receiver.role not in options["eligible_authrole"])
            or receiver.role in options.get("exclude_authrole", [])
        )

    def details(
        self, publisher: ModelPeer, topic: str, subscription: ModelSubscription, options: dict[str, Any]
    ) -> dict[str, Any]:
        """EVENT.Details."""
        told: dict[str, Any] = {} if subscription.match == "exact" else {"topic": topic}
        if options.get("disclose_me"):
            told |= {
                "publisher": publisher.session,
                "publisher_authid": publisher.authid,
                "publisher_authrole": publisher.role,
            }
        return told

    # --- calls ---

    def register(self, peer: ModelPeer, request: int, procedure: str) -> None:
        """REGISTER."""
        if not self.may(peer, "register", procedure, "exact", set()):
            self.error(peer, 64, request, "wamp.error.not_authorized")
        elif (peer.realm, procedure) in self.registrations:
            self.error(peer, 64, request, "wamp.error.procedure_already_exists")
        else:
            registration = Name("registration")
            self.registrations[peer.realm, procedure] = (peer, registration)
            peer.expected.append([65, request, registration])

    def unregister(self, peer: ModelPeer, request: int, number: int) -> None:
        """UNREGISTER."""
        for key, (callee, registration) in list(self.registrations.items()):
            if callee is peer and registration.number == number:
                del self.registrations[key]
                peer.expected.append([67, request])
                return
        self.error(peer, 66, request, "wamp.error.no_such_registration")

    def call(self, peer: ModelPeer, request: int, procedure: str, args: list[Any]) -> None:
        """CALL."""
        if not self.may(peer, "call", procedure, "exact", set()):
            self.error(peer, 48, request, "wamp.error.not_authorized")
        elif (peer.realm, procedure) not in self.registrations:
            self.error(peer, 48, request, "wamp.error.no_such_procedure")
        else:
            callee, registration = self.registrations[peer.realm, procedure]
            callee.invocations += 1
            self.calls.append(ModelCall(peer, request, callee, callee.invocations))
            callee.expected.append([68, callee.invocations, registration, {}, args])

    def answered(self, peer: ModelPeer, invocation: int, answer: Callable[[int], list[Any]]) -> None:
        """YIELD or ERROR; the answer is made from the caller's request id."""
        if invocation > peer.invocations:
            self.violated(peer)
            return
        for call in self.calls:
            if call.callee is peer and call.invocation == invocation:
                self.calls.remove(call)
                call.caller.expected.append(answer(call.request))
                self.counted["answered"] += 1
                return
        self.counted["late"] += 1

    # --- ends ---

    def error(self, peer: ModelPeer, code: int, request: int, reason: str) -> None:
        """ERROR, with a sentence."""
        peer.expected.append([8, code, request, {}, reason, [Text]])
        self.counted[reason] += 1

    def violated(self, peer: ModelPeer) -> None:
        """ABORT, and the end."""
        if peer.state == "closed":
            return
        peer.expected.append([3, {"message": Text}, "wamp.error.protocol_violation"])
        self.leave(peer)

    def leave(self, peer: ModelPeer, state: str = "closed") -> None:
        """Nothing of a peer stays; its callers are told."""
        was_here = peer.here
        peer.state = state
        if not was_here:
            return
        peer.waiting.clear()
        for subscription in list(self.subscriptions):
            if peer in subscription.peers:
                self.drop(peer, subscription)
        self.registrations = {key: value for key, value in self.registrations.items() if value[0] is not peer}
        self.calls = [call for call in self.calls if call.caller is not peer]
        for call in list(self.calls):
            if call.callee is peer:
                self.calls.remove(call)
                self.error(call.caller, 48, call.request, "wamp.error.canceled")

    def pass_time(self, seconds: float) -> None:
        """Tokens expire, and who joins too slowly is let go."""
        self.now += seconds
        ends: list[tuple[float, ModelPeer]] = []
        for peer in self.peers:
            if peer.here and peer.expires is not None:
                ends.append((peer.expires, peer))
            elif peer.state == "joining":
                ends.append((peer.opened + JOIN_SECONDS, peer))
        for when, peer in sorted(ends, key=lambda end: end[0]):
            if when > self.now:
                continue
            if peer.here:
                peer.expected.append([6, {"message": Text}, "wampgate.close.token_expired"])
                self.leave(peer, "closing")
                self.counted["expired"] += 1
            else:
                self.refuse_join(peer, "wamp.error.authentication_failed")
