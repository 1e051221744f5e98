"""What authorization costs: a realm's SUBSCRIBE and PUBLISH with the real authorizer and with one that allows all.

Measured inside this process, without a socket: the question is a difference of
less than a microsecond, which would be lost beside a system call.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from benchmarks.costs import Cost
from wampgate.authorization.memberships import Memberships
from wampgate.authorization.organization import OrganizationAuthorizer
from wampgate.authorization.rules import Rule, Rules
from wampgate.authorization.templates import TopicTemplate
from wampgate.core.deadlines import Deadlines
from wampgate.core.decisions import Decision
from wampgate.core.interfaces import Membership, Principal
from wampgate.core.local import local_session
from wampgate.core.realm import Realm
from wampgate.wire.messages import Publish, PublishOptions, Subscribe, SubscribeOptions, Unsubscribe
from wampgate.wire.payload import NO_PAYLOAD, Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

    from wampgate.core.decisions import Action
    from wampgate.core.interfaces import Authorizer
    from wampgate.core.session import Session
    from wampgate.wire.messages import Match, Message

NAME: Final = "authorization"

MOST: Final = 1.0
"""Microseconds that it may cost at the most."""

_OPERATIONS: Final = 100_000
_ORGANIZATIONS: Final = 100
_USER: Final = Principal("joe", "user", "ticket", "store", user="joe")
_BACKEND: Final = Principal("backend", "backend", "ticket", "static")


def measure(rounds: int) -> list[Cost]:
    """Run both realms in turn."""
    kinds: dict[str, Callable[[Realm], float]] = {
        "SUBSCRIBE by a member, and UNSUBSCRIBE": _subscribe,
        "PUBLISH by a backend": _publish,
    }
    realms = {"authorized": _realm(_authorizer()), "unrestricted": _realm(_Unrestricted())}
    found: dict[tuple[str, str], list[float]] = {(kind, name): [] for kind in kinds for name in realms}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for kind, run in kinds.items():
                for name, realm in realms.items():
                    found[kind, name].append(run(realm))
    finally:
        gc.enable()
    return [_cost(kind, found[kind, "authorized"], found[kind, "unrestricted"]) for kind in kinds]


def _cost(kind: str, authorized: Sequence[float], unrestricted: Sequence[float]) -> Cost:
    """The difference, round by round."""
    added = tuple(one - other for one, other in zip(authorized, unrestricted, strict=True))
    beside = {"authorized": tuple(authorized), "everything allowed": tuple(unrestricted)}
    return Cost(NAME, f"authorization of {kind}, decision cached", "µs", added, MOST, beside)


def _subscribe(realm: Realm) -> float:
    session = _session(realm, _USER)
    options = SubscribeOptions()
    topics = [f"organization.{number % _ORGANIZATIONS}.news" for number in range(_OPERATIONS)]
    begun = time.process_time()
    request = 0
    for topic in topics:
        request += 1
        realm.receive(session, Subscribe(request, options, topic), NO_PAYLOAD)
        request += 1
        subscription = next(iter(session.subscriptions or ()))
        realm.receive(session, Unsubscribe(request, subscription), NO_PAYLOAD)
    return (time.process_time() - begun) / _OPERATIONS * 1e6


def _publish(realm: Realm) -> float:
    session = _session(realm, _BACKEND)
    options, payload = PublishOptions(), Payload(["news"])
    topics = [f"organization.{number % _ORGANIZATIONS}.news" for number in range(_OPERATIONS)]
    begun = time.process_time()
    for request, topic in enumerate(topics, 1):
        realm.receive(session, Publish(request, options, topic), payload)
    return (time.process_time() - begun) / _OPERATIONS * 1e6


def _session(realm: Realm, principal: Principal) -> Session:
    return local_session(realm, principal, lambda _message, _payload: None)


def _realm(authorizer: Authorizer) -> Realm:
    return Realm(
        "benchmark",
        deliver=_Nowhere(),
        authorizer=authorizer,
        admission=_Unrestricted(),
        authenticators={},
        record=_unrecorded,
        deadlines=Deadlines(time.monotonic),
    )


def _authorizer() -> OrganizationAuthorizer:
    """The real one: a rule, templates beside the organization's, and memberships that have been read."""
    memberships = Memberships(_Store(), now=time.monotonic, seconds=3600.0, run=asyncio.run, odd_id=lambda *_: None)
    memberships.learn("joe", [Membership(str(number)) for number in range(_ORGANIZATIONS)], time.monotonic())
    rule = Rule(
        "backend",
        frozenset({"publish"}),
        "organization.",
        "prefix",
        allow=True,
        disclose="on_request",
        name="authorization.rules[0]",
    )
    templates = [TopicTemplate.parse("user.{user}", below=True)]
    return OrganizationAuthorizer(Rules([rule]), memberships, templates=templates)


def _unrecorded(event: str, session: Session, **fields: object) -> None:
    """Nothing is written: both realms would write the same."""


class _Unrestricted:
    """Allows everything at once; implements ``Authorizer`` and ``Admission``."""

    _yes = Decision(True, "everything is allowed")

    def authorize(self, who: Principal, action: Action, uri: str, match: Match) -> Decision:  # noqa: ARG002 - Authorizer's
        return self._yes

    async def admit(self, who: Principal, authextra: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG002 - Admission's
        return {}


class _Nowhere:
    """Counts deliveries and drops them; implements ``Deliver``."""

    def __init__(self) -> None:
        self.delivered: Counter[str] = Counter()

    def __call__(self, message: Message, payload: Payload, recipients: Iterable[Session]) -> None:  # noqa: ARG002 - Deliver's
        self.delivered[type(message).__name__] += 1

    def retract(self, session: Session, subscription: int) -> None:
        """Nothing waits here."""


class _Store:
    """A store that must not be asked: every answer is known; implements ``TokenStore``."""

    hears = True

    def _asked(self, *_: object) -> Coroutine[Any, Any, Any]:
        raise AssertionError("a cached decision must not ask the store")

    look_up = memberships = look_up_all = memberships_of = _asked

    def watch(self, _changed: object) -> None:
        return
