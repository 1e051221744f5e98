"""A whole router without a transport: JSON messages in, JSON messages out, time and stores in the test's hand.

Nothing here stands in for a part of the router. It does what the transport
does for it: decode, hand over, queue deliveries, run coroutines.
"""

from __future__ import annotations

import json
import time
from collections import deque
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from wampgate.authentication.anonymous import AnonymousAuthenticator
from wampgate.authentication.ticket import StaticPrincipal, TicketAuthenticator
from wampgate.authorization.memberships import Memberships
from wampgate.authorization.organization import OrganizationAuthorizer
from wampgate.authorization.rules import Rule, Rules
from wampgate.core.deadlines import Deadlines
from wampgate.core.guesses import Guesses
from wampgate.core.history import History
from wampgate.core.interfaces import Connection
from wampgate.core.procedures import Procedures
from wampgate.core.realm import Realm
from wampgate.core.router import Router
from wampgate.core.session import State
from wampgate.core.topics import Topics
from wampgate.procedures import get_events, history, publish
from wampgate.stores.memory import MemoryTokenStore
from wampgate.wire.errors import InvalidMessage
from wampgate.wire.serializers import JSON

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping, Sequence

    from wampgate.core.decisions import Action, Disclosure
    from wampgate.core.errors import Farewell
    from wampgate.core.interfaces import Authenticator, Change, Membership, Token
    from wampgate.core.limits import SessionLimits
    from wampgate.core.session import Session
    from wampgate.core.topics import TopicOptions
    from wampgate.wire.messages import Match, Message
    from wampgate.wire.payload import Payload

Wamp = list[Any]

ROLES: Final[dict[str, Any]] = {"subscriber": {}, "publisher": {}, "caller": {}, "callee": {}}


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Question:
    """What a store is asked and has not answered yet; a coroutine that awaits it waits until it is opened."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.open = False
        self.memberships: Sequence[Membership] | None = None

    def __await__(self) -> Generator[Question, None, None]:
        while not self.open:
            yield self


class SlowTokenStore:
    """A token store that answers when the test says so; what it answers is the memory store's."""

    def __init__(self, store: MemoryTokenStore) -> None:
        self.store = store
        self.slow = False
        self.asked: list[str] = []
        self.asked_all: list[Sequence[str]] = []

    async def look_up(self, token: str, digest: str | None = None) -> Token | None:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        self.asked.append(token)
        await self._wait(token)
        return await self.store.look_up(token, digest)

    async def memberships(self, user: str) -> Sequence[Membership]:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        self.asked.append(user)
        question = await self._wait(user)
        if question is not None and question.memberships is not None:
            return question.memberships
        return await self.store.memberships(user)

    def remember(self, question: Question) -> None:
        """Answer a question about memberships with what is true now, whenever it is answered."""
        question.memberships = outcome_of(self.store.memberships(question.subject))

    async def look_up_all(self, tokens: Sequence[str]) -> Mapping[str, Token]:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        return await self.store.look_up_all(tokens)

    async def memberships_of(self, users: Sequence[str]) -> Mapping[str, Sequence[Membership]]:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        self.asked_all.append(users)
        return await self.store.memberships_of(users)

    def watch(self, changed: Callable[[Change], None]) -> None:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        self.store.watch(changed)

    @property
    def hears(self) -> bool:
        """See :class:`wampgate.core.interfaces.TokenStore`."""
        return self.store.hears

    async def _wait(self, subject: str) -> Question | None:
        question = Question(subject) if self.slow else None
        if question is not None:
            await question
        return question


class Peer:
    """One client's end: what it was sent, and what became of its connection."""

    encoding = "json"

    def __init__(self, routed: Routed, address: str, agent: str) -> None:
        self._routed = routed
        self._read = 0
        self.messages: list[Wamp] = []
        self.closed: tuple[int, str] | None = None
        self.paused = False
        self.request = 0
        self.session: Session = routed.router.connected(self, Connection(f"{address}:50000", address, agent=agent))

    # --- Link ---

    def close(self, code: int, reason: str) -> None:
        """See :class:`wampgate.core.interfaces.Link`."""
        assert len(reason.encode()) <= 123
        if self.closed is None:
            self.closed = (code, reason)

    def pause(self) -> None:
        """See :class:`wampgate.core.interfaces.Link`."""
        self.paused = True

    def resume(self) -> None:
        """See :class:`wampgate.core.interfaces.Link`."""
        self.paused = False

    # --- what a client does ---

    def say(self, *message: Any) -> list[Wamp]:
        """Send a message; return what has come since one last looked."""
        return self.say_bytes(json.dumps(message).encode())

    def say_bytes(self, data: bytes) -> list[Wamp]:
        """Send any bytes."""
        self._routed.receive(self, data)
        return self.heard()

    def ask(self, code: int, *rest: Any) -> list[Wamp]:
        """Send a request under the next request id."""
        self.request += 1
        return self.say(code, self.request, *rest)

    def heard(self) -> list[Wamp]:
        """What has come since one last looked."""
        new = self.messages[self._read :]
        self._read = len(self.messages)
        return new

    def hello(self, realm: str = "realm1", **details: Any) -> list[Wamp]:
        """Say HELLO."""
        return self.say(1, realm, {"roles": ROLES, **details})

    def join(self, ticket: str | None = None, realm: str = "realm1", **details: Any) -> Peer:
        """Join a realm, with a ticket or anonymously."""
        heard = self.hello(realm, authmethods=["anonymous" if ticket is None else "ticket"], **details)
        if ticket is not None:
            assert heard == [[4, "ticket", {}]]
            heard = self.say(5, ticket, {})
        assert [message[0] for message in heard] == [2], heard
        return self

    def leave(self) -> None:
        """Lose the connection."""
        self._routed.router.disconnected(self.session)
        self._routed.flush()


class Deliveries:
    """Hands messages to peers at once and to sessions inside the router when flushed."""

    def __init__(self) -> None:
        self._local: deque[tuple[Any, Message, Payload]] = deque()

    def __call__(self, message: Message, payload: Payload, recipients: Iterable[Session]) -> None:
        """See :class:`wampgate.core.interfaces.Deliver`."""
        data = None
        for session in recipients:
            link: Any = session.link
            if isinstance(link, Peer):
                data = data or JSON.encode(message, payload)
                assert link.closed is None, f"{data!r} came after the connection was closed"
                link.messages.append(json.loads(data))
            else:
                self._local.append((link, message, payload))

    def retract(self, session: Session, subscription: int) -> None:
        """See :class:`wampgate.core.interfaces.Deliver`: nothing waits here, all was sent."""

    def flush(self) -> None:
        """Hand over what goes to sessions inside the router, and what follows from it."""
        while self._local:
            link, message, payload = self._local.popleft()
            link.receive(message, payload)


class Routed:
    """A router with its realms, stores and clock."""

    def __init__(
        self,
        *realms: RealmUnderTest,
        guesses: int = 50,
        hello_seconds: float = 5.0,
        join_seconds: float = 10.0,
        goodbye: Farewell = "always",
        deliver: Any = None,
    ) -> None:
        """``deliver`` takes the deliveries instead of the one here that hands them over at once."""
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock)
        self.records: list[tuple[str, dict[str, object]]] = []
        self.waiting: list[tuple[Question, Coroutine[Any, Any, None]]] = []
        self.odd_ids: list[tuple[str, str]] = []
        self.peers: list[Peer] = []
        self.deliver = deliver or Deliveries()
        self.realms = realms or (RealmUnderTest(),)
        for realm in self.realms:
            realm.build(self)
        self.realm = self.realms[0]
        self.router = Router(
            [realm.realm for realm in self.realms],
            deliver=self.deliver,
            record=self.record,
            deadlines=self.deadlines,
            run=self.run,
            guesses=Guesses(guesses, self.clock),
            hello_seconds=hello_seconds,
            join_seconds=join_seconds,
            goodbye=goodbye,
        )

    def peer(self, address: str = "127.0.0.1", agent: str = "") -> Peer:
        """A new connection."""
        self.peers.append(Peer(self, address, agent))
        return self.peers[-1]

    def receive(self, peer: Peer, data: bytes) -> None:
        """Take bytes as a transport does."""
        try:
            message, payload = JSON.decode(data)
        except InvalidMessage as error:
            self.router.violated(peer.session, str(error))
        else:
            self.router.receive(peer.session, message, payload)
        self.flush()

    def flush(self) -> None:
        """Hand over what goes to sessions inside the router."""
        self.deliver.flush()

    def record(self, event: str, session: Session, **fields: object) -> None:
        """See :class:`wampgate.core.interfaces.Record`."""
        self.records.append((event, fields))

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Step a coroutine until it ends or waits for a store."""
        try:
            question = coroutine.send(None)
        except StopIteration:
            return
        assert isinstance(question, Question)
        self.waiting.append((question, coroutine))

    def answer(self, number: int = 0) -> None:
        """Let a store answer one of the questions that wait."""
        question, coroutine = self.waiting.pop(number)
        question.open = True
        self.run(coroutine)
        self.flush()

    def pass_time(self, seconds: float) -> None:
        """Move the clock and run what is due."""
        self.clock.now += seconds
        self.deadlines.run_due()
        self.flush()

    def is_empty(self) -> bool:
        """Whether nothing is left of any session in any realm, but what the router's own procedures hold."""
        return all(realm.is_empty() for realm in self.realms) and len(self.deadlines) == 0


def rule(
    role: str | None,
    actions: Iterable[Action],
    uri: str,
    match: Match = "exact",
    *,
    allow: bool = True,
    disclose: Disclosure = "on_request",
    name: str = "",
) -> Rule:
    """A static rule."""
    return Rule(role, frozenset(actions), uri, match, allow, disclose, name or f"{role} {uri} {match}")


EVERY: Final[tuple[Action, ...]] = ("subscribe", "publish", "call", "register")

RULES: Final = (
    rule("member", EVERY, "com.example.", "prefix"),
    rule("member", ["call"], "wampgate.publish"),
    rule("guest", EVERY, "com.example.", "prefix"),
    rule("backend", EVERY, "", "prefix", disclose="on_request"),
    rule("member", EVERY, "com.example.secret.", "prefix", disclose="never"),
    rule("member", EVERY, "com.example.open.", "prefix", disclose="always"),
    rule("member", EVERY, "com.example.closed.", "prefix", allow=False),
)


class RealmUnderTest:
    """A realm with a slow store, tickets, anonymous sessions and one static principal ("backend")."""

    def __init__(
        self,
        name: str = "realm1",
        *,
        rules: Iterable[Rule] = RULES,
        limits: SessionLimits | None = None,
        require_organization: bool = False,
        cache_seconds: float = 5.0,
        anonymous: bool = True,
        authenticators: dict[str, Authenticator] | None = None,
        authorizer: Callable[[OrganizationAuthorizer], Any] | None = None,
        topics: Iterable[TopicOptions] = (),
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._topics = Topics(topics)
        self._wall_clock = wall_clock
        self._rules = rules
        self._limits = limits
        self._require_organization = require_organization
        self._cache_seconds = cache_seconds
        self._anonymous = anonymous
        self._authenticators = authenticators
        self._wrap_authorizer = authorizer
        self.memory: MemoryTokenStore
        self.store: SlowTokenStore
        self.memberships: Memberships
        self.realm: Realm

    def build(self, routed: Routed) -> None:
        """Make the realm, once the router's clock is there."""
        self.memory = MemoryTokenStore(routed.clock)
        self.store = SlowTokenStore(self.memory)
        self.memberships = Memberships(
            self.store,
            now=routed.clock,
            seconds=self._cache_seconds,
            run=routed.run,
            odd_id=lambda user, organization: routed.odd_ids.append((user, organization)),
            wall_clock=self._wall_clock,
        )
        authorizer = OrganizationAuthorizer(
            Rules(self._rules), self.memberships, require_organization=self._require_organization
        )
        backend = StaticPrincipal("backend", "backend", sha256(b"the ticket of backend").hexdigest())
        authenticators: dict[str, Authenticator] = {
            "ticket": TicketAuthenticator(principals=[backend], store=self.store, now=routed.clock)
        }
        if self._anonymous:
            authenticators["anonymous"] = AnonymousAuthenticator("guest")
        self.realm = Realm(
            self.name,
            deliver=routed.deliver,
            authorizer=self._wrap_authorizer(authorizer) if self._wrap_authorizer else authorizer,
            admission=authorizer,
            authenticators=self._authenticators or authenticators,
            record=routed.record,
            deadlines=routed.deadlines,
            limits=self._limits,
            topics=self._topics,
            history=self._history(),
        )
        procedures = Procedures(self.realm, routed.run)
        procedures.add(publish.NAME, publish.Publish(self.realm))
        if self.realm.history is not None:
            procedures.add(history.NAME, history.Recover(self.realm, self.realm.history))
            procedures.add(get_events.NAME, get_events.GetEvents(self.realm, self.realm.history))

    def _history(self) -> History | None:
        if not any(options.history is not None for options in self._topics):
            return None
        return History(self._topics, now=self._wall_clock)

    def add_user(self, user: str, *organizations: str, seconds: float | None = None) -> str:
        """A user of these organizations; return the user's token."""
        token = f"the token of {user}"
        if seconds is None:
            self.memory.add_token(token, user)
        else:
            self.memory.add_token(token, user, seconds)
        for organization in organizations:
            self.memory.add_membership(user, organization)
        return token

    def is_empty(self) -> bool:
        """Whether nothing is left of any session, but what the router's own procedures hold."""
        own = {registration.procedure for registration in self.realm.dealer.registrations}
        inside = {place.session for registration in self.realm.dealer.registrations for place in registration.callees}
        return (
            not self.realm.sessions
            and len(self.realm.broker) == 0
            and own == {"wampgate.publish"}
            and all(not session.invocations and not session.calls for session in inside)
        )


def holds_nothing(session: Session) -> bool:
    """Whether a session that has ended keeps nothing of what it had."""
    return (
        session.state in (State.CLOSED, State.CLOSING)
        and not session.subscriptions
        and not session.registrations
        and not session.calls
        and not session.invocations
        and session.joining is None
        and (session.inbox is None or len(session.inbox) == 0)
    )


def outcome_of(awaitable: Awaitable[Any]) -> Any:
    """The result of a coroutine that has nothing to wait for."""
    coroutine: Any = awaitable
    try:
        waits_for = coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError(f"it waits for {waits_for}")
