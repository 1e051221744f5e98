"""Who is here: a session, its state, and what it holds ("Sessions")."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.core.broker import Subscription
    from wampgate.core.deadlines import Deadline
    from wampgate.core.inbox import Inbox
    from wampgate.core.interfaces import Authenticator, Challenge, Connection, Link, Principal
    from wampgate.core.pending_calls import PendingCall
    from wampgate.core.realm import Realm
    from wampgate.core.registrations import Registration
    from wampgate.wire.messages import HelloDetails


class State(Enum):
    """Where a session stands, from the router's side.

    The specification's state chart is the client's view as well; here each state
    says what the router waits for::

        OPENING ──HELLO──▶ AUTHENTICATING ──▶ ESTABLISHED ──GOODBYE──▶ CLOSED
                             │        ▲            │
                         CHALLENGE  AUTHENTICATE   └──our GOODBYE──▶ CLOSING ──GOODBYE──▶ CLOSED
                             ▼        │
                            CHALLENGING

    ABORT, a protocol violation and a lost connection lead from everywhere to CLOSED.
    """

    OPENING = "waits for HELLO"
    AUTHENTICATING = "an authenticator or a store is asked"
    CHALLENGING = "waits for AUTHENTICATE"
    ESTABLISHED = "joined"
    CLOSING = "has sent GOODBYE and waits for the peer's"
    CLOSED = "over"


ESTABLISHED: Final = State.ESTABLISHED
"""By a name of its own: each message asks for it, and an enumeration's members take three times as long to find."""


class Joining:
    """What has to be remembered between HELLO and WELCOME."""

    __slots__ = ("authenticator", "challenge", "details", "realm", "since")

    def __init__(self, realm: Realm, details: HelloDetails, authenticator: Authenticator, since: float) -> None:
        self.realm = realm
        self.details = details
        self.authenticator = authenticator
        self.since = since
        self.challenge: Challenge | None = None


class Session:
    """One peer in one realm. Written by the core only; there are tens of thousands of them.

    Attributes:
        id: the WAMP session id; 0 before WELCOME.
        link: the way to the peer.
        expires: when its token ends, by the monotonic clock; None before that is known.
        since: when it began to join, by the monotonic clock; 0 before it has joined.
        principal: who it is; only read once the session is established.
        subscriptions, registrations: what it holds, by id.
        buckets: when each kind's token bucket is full again; None before the first message that counts.
        excess: how many of its messages were one too many.
        features: what its client has announced, as bits; see :mod:`wampgate.core.features`.
        calls: calls it waits for, by request id.
        invocations: invocations it still owes an answer, by request id.
    """

    __slots__ = (
        "buckets",
        "calls",
        "connection",
        "deadline",
        "excess",
        "expires",
        "features",
        "id",
        "inbox",
        "invocations",
        "joining",
        "last_invocation",
        "last_request",
        "link",
        "principal",
        "realm",
        "registrations",
        "since",
        "state",
        "subscriptions",
    )

    principal: Principal
    realm: Realm

    def __init__(self, link: Link, connection: Connection) -> None:
        self.id = 0
        self.link = link
        self.connection = connection
        self.state = State.OPENING
        self.joining: Joining | None = None
        self.deadline: Deadline | None = None
        self.expires: float | None = None
        self.since = 0.0
        self.inbox: Inbox | None = None
        self.features = 0
        self.buckets: list[float] | None = None
        self.excess = 0
        self.last_request = 0
        self.last_invocation = 0
        # Most sessions subscribe only: what isn't used is not allocated.
        self.subscriptions: dict[int, Subscription] | None = None
        self.registrations: dict[int, Registration] | None = None
        self.calls: dict[int, PendingCall] | None = None
        self.invocations: dict[int, PendingCall] | None = None

    @property
    def established(self) -> bool:
        """Whether it takes part in its realm."""
        return self.state is ESTABLISHED

    def __repr__(self) -> str:
        who = f" {self.principal.authid!r}" if hasattr(self, "principal") else ""
        return f"<Session {self.id}{who} {self.state.name}>"


def offered(methods: Sequence[str] | None, connection: Connection) -> tuple[str, ...]:
    """The authmethods that a HELLO offers.

    A client that names none is anonymous, unless its HTTP request (its cookie among it) or its certificate has said
    who it is.
    """
    certified = connection.secured is not None and connection.secured.certificate is not None
    if methods:
        # Who offers a certificate or a cookie among other ways, and shows none, comes in by one of the others.
        usable = [
            method
            for method in methods
            if (method != "tls" or certified) and (method != "cookie" or connection.cookie is not None)
        ]
        return tuple(usable or methods)
    if certified and connection.bearer is None and not connection.query:
        return ("tls", "anonymous")
    if connection.bearer is not None or connection.query:
        return ("ticket", "anonymous")
    if connection.cookie is not None:
        return ("cookie", "anonymous")
    # Where a token is expected in the query string, the refusal has to say what is missing there.
    return ("anonymous",) if connection.query is None else ("anonymous", "ticket")


def describe(session: Session) -> dict[str, Any]:
    """A session's fields for a log line."""
    fields: dict[str, Any] = {"session": session.id, "peer": session.connection.peer}
    if hasattr(session, "principal"):
        fields["authid"] = session.principal.authid
        fields["authrole"] = session.principal.authrole
    realm = getattr(session, "realm", None) or (None if session.joining is None else session.joining.realm)
    if realm is not None:
        fields["realm"] = realm.name
    return fields
