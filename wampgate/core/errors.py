"""Every error and close reason that wampgate sends, in one catalogue, and the errors that carry them.

WampgateError
├── Refused             the peer's fault or no right: an answer with a URI
│   ├── RequestRefused      one request fails: ERROR
│   └── JoinRefused         the session ends before WELCOME: ABORT
├── ProtocolViolation   the peer broke the protocol: ABORT, connection closed
└── StoreUnavailable    our side can't answer: asked again later, nothing is granted
"""

from typing import Final


class uri:  # noqa: N801 - reads as the prefix of what it holds: uri.NOT_AUTHORIZED
    """The error and close URIs of the specification ("Basic Profile URIs", "Advanced Profile URIs")."""

    INVALID_URI: Final = "wamp.error.invalid_uri"
    INVALID_ARGUMENT: Final = "wamp.error.invalid_argument"
    NO_SUCH_PROCEDURE: Final = "wamp.error.no_such_procedure"
    PROCEDURE_ALREADY_EXISTS: Final = "wamp.error.procedure_already_exists"
    NO_SUCH_REGISTRATION: Final = "wamp.error.no_such_registration"
    NO_SUCH_SUBSCRIPTION: Final = "wamp.error.no_such_subscription"
    CANCELED: Final = "wamp.error.canceled"
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
    ORGANIZATION_REQUIRED: Final = "wampgate.error.organization_required"
    TOKEN_REVOKED: Final = "wampgate.close.token_revoked"  # noqa: S105 - a URI, no secret
    TOKEN_EXPIRED: Final = "wampgate.close.token_expired"  # noqa: S105 - a URI, no secret


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
