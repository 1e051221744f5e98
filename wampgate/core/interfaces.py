"""The contracts between the core and its adapters: what each may count on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import force_setattr, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from wampgate.core.broker import Subscription
    from wampgate.core.decisions import Action, Decision, Pending
    from wampgate.core.registrations import Registration
    from wampgate.core.session import Session
    from wampgate.core.stored_events import StoredEvent
    from wampgate.wire.messages import HelloDetails, Match, Message
    from wampgate.wire.payload import Payload

EndBy: TypeAlias = Literal["authid", "user", "token_hash", "organization", "address", "session", "login"]
"""By what sessions are named that shall end."""


NOT_ACCEPTED: Final = "the credentials are not accepted"
"""What a client hears whose answer, key or certificate is refused, whatever the reason."""


class Ticket:
    """A token that a session showed, kept to ask the store again whether it is still good; never shown."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The token itself, for the store."""
        return self._text

    def __repr__(self) -> str:
        return "Ticket(…)"


@dataclass(frozen=True, slots=True)
class Issued:
    """What a signed token says of itself, kept so that it can be denied later.

    Attributes:
        id: the token's own name (``jti``); None if it has none.
        at: when it was made (``iat``), in seconds since 1970; None if it does not say.
    """

    id: str | None
    at: float | None


_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


# Structs, since each session has one of these two: as dataclasses they take 3.4 and 2.5 µs to make, so 0.4.
class Principal(Struct, frozen=True):
    """Who a session is. Written by the router, never by the client.

    Attributes:
        authid: the name; for a user of the token store, the user id.
        authrole: the role that rules name.
        authmethod: how it was authenticated: ``ticket``, ``anonymous``, …
        authprovider: who vouches for it: ``store``, ``jwt``, ``static``, ``anonymous``, ``router``.
        user: the user id whose memberships count; None for a principal that is no user.
        expires: when the session ends, in seconds of the router's monotonic clock; None for never.
        token_id: the SHA-256 of the token, in hexadecimal; None without a token.
        ticket: what the store knows its token by; None if the store knows nothing of it.
        extra: goes into WELCOME's authextra.
        organizations: the organizations that its signed token names, with its role in each, which
            then count instead of the store's memberships; None for all others.
        issued: of a signed token, what it says of itself.
        organization: the organization that it asked for in its HTTP request instead of in HELLO.
        known: the row of a store by which it is known; None without one.
        login: the login by cookie that it belongs to, which ends with it; None without one.
    """

    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    user: str | None = None
    expires: float | None = None
    token_id: str | None = None
    ticket: Ticket | None = None
    extra: Mapping[str, Any] = _NOTHING
    organizations: Mapping[str, str] | None = None
    issued: Issued | None = None
    organization: str | None = None
    known: Known | None = None
    login: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A store's row by which a principal is known, kept to ask the store again whether it still stands there.

    Attributes:
        authmethod: the row's.
        authid: the row's.
        key: the public key or fingerprint that the row holds; empty for none.
        content: a digest of all that it says: another one means that the row says something else by now.
    """

    authmethod: str
    authid: str
    key: str = ""
    content: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Secured:
    """What the TLS below a connection tells of it.

    Attributes:
        certificate: the client's certificate in DER, which the listener's authorities vouch for;
            None if it showed none.
        bindings: what ties an authentication to this very connection, by the type of the channel
            binding ("tls-unique" with TLS 1.2, "tls-exporter", "tls-server-end-point").
    """

    certificate: bytes | None = None
    bindings: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """By what a principal is known that does not show a ticket.

    Attributes:
        authid: its name.
        authrole: its role; empty where the source has none and the method's own applies.
        provider: what knows it: ``static``, ``store`` or ``dynamic``.
        secret: what the method checks, by name; never shown. wampcra: ``secret``, and with a salt
            ``salt``, ``iterations``, ``keylen``; scram: ``kdf``, ``salt``, ``iterations``, ``memory``,
            ``stored_key``, ``server_key``; cryptosign: ``public_key`` (hexadecimal); tls:
            ``fingerprint`` (SHA-256 of the certificate's DER, hexadecimal).
        user: the user id whose memberships count; None for a principal that is no user.
        extra: goes into WELCOME's authextra.
        seconds_left: how long they are still good, more than 0; infinity if they never end.
        known: the row of a store where they stand, for :attr:`Principal.known`; None for all others.
    """

    authid: str
    authrole: str
    provider: str
    secret: Mapping[str, Any] = field(repr=False)
    user: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    seconds_left: float = math.inf
    known: Known | None = None


class CredentialSource(Protocol):
    """Where principals are known: the configuration, a store, a dynamic authenticator."""

    async def credentials(
        self, authmethod: str, authid: str | None, key: str | None, details: HelloDetails, connection: Connection
    ) -> Credentials | None:
        """By what a principal is known for a method; None if it is not known here.

        Args:
            authmethod: ``wampcra``, ``scram``, ``cryptosign`` or ``tls``.
            authid: who the client says it is; None if it names no one.
            key: what it shows instead: a public key or a certificate's fingerprint, in lower-case
                hexadecimal; None for the methods that know no such thing.
            details: HELLO's, for those who decide by more than that.
            connection: the peer's, likewise.

        Raises:
            JoinRefused: this client may not join, with the reason.
            StoreUnavailable: it can't be said now.
        """


class CredentialStore(CredentialSource, Protocol):
    """A store that holds credentials in rows which may change while sessions live that joined by them."""

    async def credentials_of(self, known: Sequence[Known]) -> Mapping[Known, Credentials]:
        """What many rows say now, by what was known of them; one that is gone or of no use is missing.

        Never shares the answer to a question that was asked before.

        Raises:
            StoreUnavailable: not all answers could be had in time.
        """


@dataclass(frozen=True, slots=True)
class Token:
    """What a token store knows of a token.

    Attributes:
        user: whose it is, as text.
        seconds_left: how long it is still good by the store's own clock: 0 or
            less if it has expired, infinity if it never does.
    """

    user: str
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Membership:
    """A user belongs to an organization.

    Attributes:
        organization: the organization's id as the store has it, as text. Not yet
            checked: it may be no legal id.
        role: the user's role there; empty if the store keeps none.
        since: when it began, in seconds since 1970; infinity if the store has no time for this
            one; None if it keeps none at all.
    """

    organization: str
    role: str = ""
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something in a token store may have changed. A hint only: who hears it asks the store.

    Attributes:
        users: whose memberships, tokens or logins may have changed, by user id, and whose credentials,
            by authid.
        everything: whether anything may have changed, for anyone.
    """

    users: frozenset[str] = frozenset()
    everything: bool = False


class TokenStore(Protocol):
    """Where tokens and memberships live: Postgres, SQLite or memory. One per realm.

    Every answer comes within the store's own deadline, or
    :class:`wampgate.core.errors.StoreUnavailable` is raised. Nothing here blocks,
    and no token reaches a log, an error text or a ``repr``.
    """

    async def look_up(self, token: str, digest: str | None = None) -> Token | None:
        """The token's row, expired or not; None if there is none.

        Args:
            token: what the client has shown, or its name.
            digest: the SHA-256 of its UTF-8 in lower-case hexadecimal, where the caller has it already.

        Raises:
            StoreUnavailable: no answer could be had in time.
        """

    async def memberships(self, user: str) -> Sequence[Membership]:
        """The organizations that a user belongs to now, in no particular order; empty for an unknown user.

        Raises:
            StoreUnavailable: no answer could be had in time.
        """

    async def look_up_all(self, tokens: Sequence[str]) -> Mapping[str, Token]:
        """The rows of many tokens, by token; a token without a row is missing. Asked in batches.

        Never shares the answer to a question that was asked before.

        Raises:
            StoreUnavailable: not all answers could be had in time.
        """

    async def memberships_of(self, users: Sequence[str]) -> Mapping[str, Sequence[Membership]]:
        """The organizations of many users, by user; every user that was asked for is there. Asked in batches.

        Never shares the answer to a question that was asked before.

        Raises:
            StoreUnavailable: not all answers could be had in time.
        """

    def watch(self, changed: Callable[[Change], None]) -> None:
        """Call back with each change that is heard of, until the store stops. Called once, before it starts.

        After a change was told, no question is answered with what was read before it.
        """

    @property
    def hears(self) -> bool:
        """Whether changes are heard of at once, now; if not, only a sweep finds them."""


class Authorizer(Protocol):
    """Decides what a principal may do. The default answer is no."""

    def authorize(self, who: Principal, action: Action, uri: str, match: Match) -> Decision | Pending[Decision]:
        """Whether ``who`` may do ``action`` on ``uri``, taken with ``match``.

        At once where it can be decided from what is known; later where a store
        has to be asked. A pattern is allowed only if all it could match is.
        ``uri`` is syntactically valid. Never raises.
        """


class Admission(Protocol):
    """Decides whether someone who is known may join a realm, and what WELCOME tells about it."""

    async def admit(self, who: Principal, authextra: Mapping[str, Any]) -> Mapping[str, Any]:
        """WELCOME.Details.authextra for a principal that may join.

        Args:
            who: who it is, authenticated.
            authextra: HELLO.Details.authextra, as the client sent it.

        Raises:
            JoinRefused: it may not join with what it asked for.
            StoreUnavailable: it can't be said now.
        """


class Record(Protocol):
    """Takes what the core has to tell the operator: one line per event, no secrets."""

    def __call__(self, event: str, session: Session, **fields: object) -> None:
        """Take an event; :mod:`wampgate.journal` lists them. Never raises."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the client has to answer ("Authentication Methods").

    Attributes:
        method: the authmethod.
        extra: what the client is sent of it.
        session: the session id that it promises; None where it promises none.
        private: what the authenticator needs to judge the answer, and the client is not sent.
    """

    method: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    session: int | None = None
    private: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """What the query string of a client's HTTP request says: ``/ws?token=…&organizationId=…``.

    Attributes:
        token: the parameter ``token``; None if it is missing or empty.
        organization: the parameter ``organizationId``, likewise.
    """

    token: Ticket | None = None
    organization: str | None = None

    def __bool__(self) -> bool:
        """Whether it says anything."""
        return self.token is not None or self.organization is not None


class Connection(Struct, frozen=True):
    """What the transport knows of a peer.

    Attributes:
        peer: the peer's address and port, for the log: ``127.0.0.1:50000``.
        address: the address alone.
        secure: whether the connection is encrypted.
        agent: what the client calls itself (User-Agent); empty if it says nothing.
        bearer: the token of the request's ``Authorization: Bearer``; None without one.
        query: the request's query string; None where no realm takes tokens from there.
        network: what limits count by: the address, or the IPv6 network that one client has to
            itself; the address where nothing else is given.
        secured: what TLS tells; None without it, or where a proxy has it.
        cookie: the session cookie that the HTTP request brought; None without one.
    """

    peer: str
    address: str
    secure: bool = False
    agent: str = ""
    bearer: Ticket | None = None
    query: Query | None = None
    network: str = ""
    secured: Secured | None = None
    cookie: Ticket | None = None

    def __post_init__(self) -> None:
        """An address is a network of its own, unless one is named."""
        if not self.network:
            force_setattr(self, "network", self.address)

    @property
    def shows_token(self) -> bool:
        """Whether the HTTP request came with a token."""
        return self.bearer is not None or (self.query is not None and self.query.token is not None)

    def without_token(self) -> Connection:
        """The same, once nobody needs the token any more."""
        if not self.shows_token and self.secured is None and self.cookie is None:
            return self
        return replace(self, bearer=None, query=None, secured=None, cookie=None)


class Authenticator(Protocol):
    """One authmethod. Keeps no state between sessions."""

    @property
    def authmethod(self) -> str:
        """As HELLO and WELCOME name it."""

    async def hello(self, details: HelloDetails, connection: Connection) -> Challenge | Principal:
        """The first step: a challenge, or who it is if nothing more needs to be asked.

        Raises:
            JoinRefused: this client may not join this way.
            StoreUnavailable: it can't be said now.
        """

    async def authenticate(
        self, details: HelloDetails, challenge: Challenge, signature: str, extra: Mapping[str, Any]
    ) -> Principal:
        """The second step: who it is, by its answer to the challenge.

        Raises:
            JoinRefused: the answer is not accepted.
            StoreUnavailable: it can't be said now.
        """


class Link(Protocol):
    """The way from the router to one session's peer, apart from messages (see ``Deliver``)."""

    def close(self, code: int, reason: str) -> None:
        """End the connection once all that was delivered before has left. Never raises.

        Args:
            code: the WebSocket close code.
            reason: for the peer, at most 123 bytes of UTF-8.
        """

    def pause(self) -> None:
        """Stop reading: the session has as many messages waiting as it may have."""

    def resume(self) -> None:
        """Read again."""


class Deliver(Protocol):
    """Hands one message to many sessions: the core's only way out."""

    def __call__(self, message: Message, payload: Payload, recipients: Iterable[Session]) -> None:
        """Take a delivery; deliveries leave in order, when the current turn ends. Never raises.

        The recipients are read at once or copied: the caller may change them afterwards.
        """

    def retract(self, session: Session, subscription: int) -> None:
        """Take back the events of a subscription that wait for one session, wherever they wait. Never raises.

        What the operating system has taken can't be taken back.
        """


class SessionEnder(Protocol):
    """Ends sessions for an adapter that brings such wishes from elsewhere (a bridge)."""

    def end(self, by: EndBy, value: str) -> int:
        """End all sessions that something is true of, as an administrator would; how many those were.

        Args:
            by: what ``value`` is.
            value: an authid, a user id, a token's hash, an organization, an address, or a
                session id in decimal digits.
        """

    def end_subscribers(self, uri: str, match: Match) -> int:
        """End all sessions with a subscription that this one covers; how many those were.

        Whoever subscribes to more than that lives on, as a service that listens to all organizations.
        """


class InterestWatcher(Protocol):
    """Hears which topics and patterns anyone subscribes to, as that begins and ends."""

    def begun(self, topic: str, match: Match) -> None:
        """A topic or pattern has its first subscriber. Never raises, and does no more than note it."""

    def ended(self, topic: str, match: Match) -> None:
        """Its last subscriber is gone. Never raises, and does no more than note it."""


class SubscriptionObserver(Protocol):
    """Hears what becomes of subscriptions, in the order in which it happens ("Subscription Meta API").

    The subscriber has had its SUBSCRIBED before; and of what a session loses at once, all is lost
    before the first of it is told.
    """

    def created(self, session: Session, subscription: Subscription) -> None:
        """A topic or pattern has its first subscriber. Never raises."""

    def subscribed(self, session: Session, subscription: Subscription) -> None:
        """A session has become a subscriber; after ``created``. Never raises."""

    def unsubscribed(self, session: Session, subscription: Subscription) -> None:
        """A session is a subscriber no more. Never raises."""

    def deleted(self, session: Session, subscription: Subscription) -> None:
        """The last subscriber is gone; after its ``unsubscribed``. Never raises."""


class RegistrationObserver(Protocol):
    """Hears what becomes of registrations, in the order in which it happens ("Registration Meta API")."""

    def created(self, session: Session, registration: Registration) -> None:
        """A procedure or pattern has its first callee. Never raises."""

    def registered(self, session: Session, registration: Registration) -> None:
        """A session has become a callee; after ``created``. Never raises."""

    def unregistered(self, session: Session, registration: Registration) -> None:
        """A session is a callee no more. Never raises."""

    def deleted(self, session: Session, registration: Registration) -> None:
        """The last callee is gone; after its ``unregistered``. Never raises."""


class Outlet(Protocol):
    """Takes publications out of the router.

    Unlike a subscriber it sees who published, so that what came in by a bridge
    need not go out again, and it counts as nobody's interest.
    """

    def __call__(self, publisher: Session, topic: str, publication: int, payload: Payload, disclosed: bool) -> None:
        """Take one publication. Never raises, and does no more than queue it.

        Args:
            publisher: who published.
            topic: where.
            publication: the publication id.
            payload: what.
            disclosed: whether receivers may learn who it was.
        """


class Publisher(Protocol):
    """What an adapter that brings events from elsewhere (a bridge) publishes through.

    It speaks for a principal of its own that may publish on its rules' topics only.
    """

    def publish(
        self,
        topic: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        exclude: Sequence[int] | None = None,
        exclude_subscribers: Sequence[str] = (),
        publication: int | None = None,
        encoded: Payload | None = None,
    ) -> int:
        """Publish an event and return its publication id.

        Args:
            topic: where.
            args: plain values.
            kwargs: plain values.
            exclude: sessions that don't receive it.
            exclude_subscribers: topics; whoever receives what is published on one of them, by
                a subscription that has nothing of this topic, doesn't receive it.
            publication: the id, where the source has one of its own; None for a random one.
            encoded: the same args and kwargs, where the source has them encoded already.

        Raises:
            RequestRefused: the topic is no URI, or this publisher may not publish there.
        """


class HistoryStore(Protocol):
    """Keeps a realm's events beyond the process: appends behind the router's back, in the order that it is told.

    Whatever it could not append begins a new epoch there, never a silent hole:
    then what was appended before is no position any more once the process has ended.
    """

    @property
    def epoch(self) -> str:
        """The name of the unbroken run of events that it is appending to."""

    def append(self, event: StoredEvent, previous: int) -> None:
        """Queue an event. Never raises, never blocks.

        Args:
            event: what to keep, with its sequence.
            previous: the sequence of the event before it on its topic; 0 if it is the first.
        """

    def forget(self, events: Sequence[StoredEvent], floor: int) -> None:
        """Queue the removal of events that are kept no more. Never raises, never blocks.

        Args:
            events: what exceeds the bounds.
            floor: the newest event of any topic of which nothing is kept any more.
        """


class EventsAfter(Protocol):
    """A source that keeps its events itself, further back than the memory: a stream that a bridge reads."""

    async def events_after(self, topic: str, publication: int, limit: int) -> Sequence[StoredEvent] | None:
        """What came on a topic behind an event, oldest first, without a hole up to now; None if it can't be said.

        Args:
            topic: a topic that it publishes on.
            publication: the event's publication id.
            limit: so many events at most, at least 1; an answer that is shorter is complete.
        """
