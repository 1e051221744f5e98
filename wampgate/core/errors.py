"""Every error and close reason that wampgate sends, in one catalogue, and the errors that carry them.

WampgateError
├── Refused             the peer's fault or no right: an answer with a URI
│   ├── RequestRefused      one request fails: ERROR
│   └── JoinRefused         the session ends before WELCOME: ABORT
├── ProtocolViolation   the peer broke the protocol: ABORT, connection closed
└── StoreUnavailable    our side can't answer: asked again later, nothing is granted

How a session or a connection ends is an :class:`Ending`; :data:`ENDINGS` lists them all.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias


class uri:  # noqa: N801 - reads as the prefix of what it holds: uri.NOT_AUTHORIZED
    """The error and close URIs of the specification ("Basic Profile URIs", "Advanced Profile URIs")."""

    INVALID_URI: Final = "wamp.error.invalid_uri"
    INVALID_ARGUMENT: Final = "wamp.error.invalid_argument"
    NO_SUCH_PROCEDURE: Final = "wamp.error.no_such_procedure"
    PROCEDURE_ALREADY_EXISTS: Final = "wamp.error.procedure_already_exists"
    NO_SUCH_REGISTRATION: Final = "wamp.error.no_such_registration"
    NO_SUCH_SESSION: Final = "wamp.error.no_such_session"
    NO_SUCH_SUBSCRIPTION: Final = "wamp.error.no_such_subscription"
    CANCELED: Final = "wamp.error.canceled"
    TIMEOUT: Final = "wamp.error.timeout"
    NO_AVAILABLE_CALLEE: Final = "wamp.error.no_available_callee"
    PAYLOAD_SIZE_EXCEEDED: Final = "wamp.error.payload_size_exceeded"
    PROTOCOL_VIOLATION: Final = "wamp.error.protocol_violation"
    NOT_AUTHORIZED: Final = "wamp.error.not_authorized"
    AUTHORIZATION_FAILED: Final = "wamp.error.authorization_failed"
    NO_SUCH_REALM: Final = "wamp.error.no_such_realm"
    NO_SUCH_ROLE: Final = "wamp.error.no_such_role"
    NO_MATCHING_AUTH_METHOD: Final = "wamp.error.no_matching_auth_method"
    AUTHENTICATION_DENIED: Final = "wamp.error.authentication_denied"
    AUTHENTICATION_FAILED: Final = "wamp.error.authentication_failed"
    AUTHENTICATION_REQUIRED: Final = "wamp.error.authentication_required"
    OPTION_NOT_ALLOWED: Final = "wamp.error.option_not_allowed"
    DISCLOSE_ME_DISALLOWED: Final = "wamp.error.option_disallowed.disclose_me"
    FEATURE_NOT_SUPPORTED: Final = "wamp.error.feature_not_supported"
    CLOSE_REALM: Final = "wamp.close.close_realm"
    GOODBYE_AND_OUT: Final = "wamp.close.goodbye_and_out"
    SYSTEM_SHUTDOWN: Final = "wamp.close.system_shutdown"
    KILLED: Final = "wamp.close.killed"

    # Our own, where the specification has no word for it.
    LIMIT_EXCEEDED: Final = "wampgate.error.limit_exceeded"
    INVALID_CONFIGURATION: Final = "wampgate.error.invalid_configuration"
    REGISTRATION_DISPLACED: Final = "wampgate.error.registration_displaced"
    ORGANIZATION_REQUIRED: Final = "wampgate.error.organization_required"
    TOKEN_REVOKED: Final = "wampgate.close.token_revoked"  # noqa: S105 - a URI, no secret
    TOKEN_EXPIRED: Final = "wampgate.close.token_expired"  # noqa: S105 - a URI, no secret


Told: TypeAlias = Literal["GOODBYE", "ABORT", "close", "dropped"]
Farewell: TypeAlias = Literal["auto", "always", "never"]
"""Which endings are told by GOODBYE or ABORT: those that no retry can cure, all, or none."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One way in which the router ends a session or a connection.

    Stock clients (Autobahn JS) never come back after a GOODBYE or an ABORT, but
    after a close code they do. So what a retry can cure is a close code alone.

    Attributes:
        name: what it is called in the documentation.
        told: what the client is sent where ``goodbye`` is ``auto``: a message and
            then the close code, the close code alone, or nothing because the
            connection is simply dropped (the client sees 1006).
        reason: what that message and the close frame give as reason; a URI as a rule.
        code: the WebSocket close code where no GOODBYE was answered.
        curable: whether trying again, with the same credentials, may help.
        advice: what the client should do.
    """

    name: str
    told: Told
    reason: str
    code: int
    curable: bool
    advice: str


LEFT: Final = Ending(
    "left", "GOODBYE", uri.GOODBYE_AND_OUT, 1000, False, "Nothing: this answers the client's own GOODBYE."
)
ABORTED: Final = Ending(
    "aborted", "close", "the client aborted", 1000, False, "Nothing: this answers the client's own ABORT."
)
VIOLATED: Final = Ending(
    "protocol violation",
    "ABORT",
    uri.PROTOCOL_VIOLATION,
    1002,
    False,
    "Correct the client; the message says what it did.",
)
NO_HELLO: Final = Ending(
    "no HELLO", "close", "no HELLO in time", 1008, True, "Send HELLO as soon as the WebSocket is open."
)
NO_ANSWER: Final = Ending(
    "no answer", "ABORT", uri.AUTHENTICATION_FAILED, 1008, False, "Answer CHALLENGE within the time for joining."
)
NO_SUCH_REALM: Final = Ending(
    "no such realm", "ABORT", uri.NO_SUCH_REALM, 1008, False, "Name a realm that router.json has."
)
INVALID_REALM: Final = Ending("invalid realm", "ABORT", uri.INVALID_URI, 1008, False, "Name a realm by its URI.")
NO_METHOD: Final = Ending(
    "no method",
    "ABORT",
    uri.NO_MATCHING_AUTH_METHOD,
    1008,
    False,
    "Offer one of the authmethods that the message names.",
)
NO_TOKEN: Final = Ending(
    "no token", "ABORT", uri.AUTHENTICATION_REQUIRED, 1008, False, "Show a token: send the user through the login."
)
DENIED: Final = Ending(
    "denied", "ABORT", uri.AUTHENTICATION_DENIED, 1008, False, "Get another token: send the user through the login."
)
NO_BINDING: Final = Ending(
    "no channel binding",
    "ABORT",
    uri.FEATURE_NOT_SUPPORTED,
    1008,
    False,
    "Ask for a channel binding that the message names.",
)
NO_ORGANIZATION: Final = Ending(
    "no organization", "ABORT", uri.ORGANIZATION_REQUIRED, 1008, False, "Name an organization in HELLO's authextra."
)
NOT_A_MEMBER: Final = Ending(
    "not a member", "ABORT", uri.NOT_AUTHORIZED, 1008, False, "Name an organization that the user belongs to."
)
CONTRADICTED: Final = Ending(
    "contradiction", "ABORT", uri.INVALID_ARGUMENT, 1008, False, "Say the same in HELLO as in the HTTP request."
)
TOO_MANY_SESSIONS: Final = Ending(
    "too many sessions", "ABORT", uri.LIMIT_EXCEEDED, 1008, False, "End another session of this authid first."
)
REFUSED: Final = Ending(
    "refused", "ABORT", "the URI that the authenticator gives", 1008, False, "What the message says."
)
STORE_DOWN: Final = Ending(
    "store down", "close", uri.AUTHENTICATION_FAILED, 1013, True, "Come back after a while, with some jitter."
)
OVERLOAD: Final = Ending(
    "too many messages", "close", uri.LIMIT_EXCEEDED, 1013, True, "Come back after a while, and send less."
)
SHUTDOWN: Final = Ending("shutdown", "close", uri.SYSTEM_SHUTDOWN, 1012, True, "Come back at once, with some jitter.")
EXPIRED: Final = Ending(
    "token expired", "GOODBYE", uri.TOKEN_EXPIRED, 1008, False, "Get another token, then connect again."
)
REVOKED: Final = Ending("token revoked", "GOODBYE", uri.TOKEN_REVOKED, 1008, False, "Send the user through the login.")
KILLED: Final = Ending(
    "killed", "GOODBYE", uri.KILLED, 1008, False, "Stay away, unless the administrator's reason and message say else."
)
REALM_GONE: Final = Ending(
    "realm gone", "GOODBYE", uri.CLOSE_REALM, 1008, False, "Name another realm: a reload has taken this one away."
)
TOO_BIG: Final = Ending("message too big", "close", "a text that says what", 1009, False, "Send smaller messages.")
BAD_FRAME: Final = Ending("bad frame", "close", "a text that says what", 1002, False, "Correct the client's WebSocket.")
BAD_TEXT: Final = Ending("bad text", "close", "a text that says what", 1007, False, "Send UTF-8 in text frames.")
EVENT_TOO_LONG: Final = Ending(
    "event too long",
    "GOODBYE",
    uri.PAYLOAD_SIZE_EXCEEDED,
    1009,
    False,
    "Take longer messages in the RawSocket handshake, or subscribe to `wampgate.gap` and be told.",
)
ANSWER_TOO_LONG: Final = Ending(
    "answer too long",
    "ABORT",
    uri.PAYLOAD_SIZE_EXCEEDED,
    1009,
    False,
    "Take longer messages in the RawSocket handshake.",
)
SLOW_READER: Final = Ending(
    "slow reader", "dropped", "", 1006, True, "Come back, fetch what was missed, and read faster or subscribe to less."
)
SILENT: Final = Ending("no sign of life", "dropped", "", 1006, True, "Come back; answer pings.")
NO_PLACE: Final = Ending("no place", "dropped", "", 1006, True, "Come back after a while, with some jitter.")

ENDINGS: Final = tuple(value for value in list(globals().values()) if isinstance(value, Ending))
"""All of them, in the order of a session's life."""

_ENDING_BY_REFUSAL: Final = {
    ending.reason: ending
    for ending in (
        NO_METHOD,
        NO_TOKEN,
        DENIED,
        NO_BINDING,
        NO_ORGANIZATION,
        NOT_A_MEMBER,
        CONTRADICTED,
        TOO_MANY_SESSIONS,
        NO_ANSWER,
    )
}


_ENDING_BY_GOODBYE: Final = {ending.reason: ending for ending in (EXPIRED, REVOKED, KILLED, REALM_GONE, EVENT_TOO_LONG)}


def ending_by_goodbye(reason: str) -> Ending:
    """How a session ends that the router sends a GOODBYE; an administrator's own reason is a way of being killed."""
    return _ENDING_BY_GOODBYE.get(reason, KILLED)


def ending_of(error: str) -> Ending:
    """How a session ends that is refused with an error URI before it has joined."""
    return _ENDING_BY_REFUSAL.get(error) or Ending(REFUSED.name, "ABORT", error, REFUSED.code, False, REFUSED.advice)


class WampgateError(Exception):
    """Anything that wampgate raises on purpose."""


class Refused(WampgateError):
    """A peer does not get what it asked for.

    Attributes:
        error: the URI that says why, sent to the peer.
        message: one sentence for the peer; holds no secret.
        log: what only the log may tell; empty if there is nothing to add.
    """

    def __init__(self, error: str, message: str, log: str = "") -> None:
        super().__init__(message)
        self.error = error
        self.message = message
        self.log = log


class RequestRefused(Refused):
    """One request fails; the session lives on. Sent as ERROR."""


class JoinRefused(Refused):
    """A session can't be opened. Sent as ABORT."""


class ProtocolViolation(WampgateError):
    """A peer broke the protocol ("Protocol Errors"). Sent as ABORT, then the connection closes."""


class StoreUnavailable(WampgateError):
    """A token store could not answer in time. Never says what was asked: that would be a secret."""
