"""The messages of a session's life, and ERROR ("Sessions")."""

from typing import Any

from msgspec import Raw

from wampgate.wire.messages.attributes import ABSENT, Attributes, Id, Message, NonNegative


class RoleAnnouncement(Attributes):
    """One role in HELLO: the features that the client announces for it."""

    features: dict[str, Any] = {}  # noqa: RUF012 - msgspec copies an empty one for each


class ClientRoles(Attributes):
    """HELLO.Details.roles ("Client: Role and Feature Announcement")."""

    publisher: RoleAnnouncement | None = None
    subscriber: RoleAnnouncement | None = None
    caller: RoleAnnouncement | None = None
    callee: RoleAnnouncement | None = None


class HelloDetails(Attributes):
    """HELLO.Details."""

    roles: ClientRoles
    authmethods: list[str] | None = None
    authid: str | None = None
    authrole: str | None = None
    authextra: dict[str, Any] | None = None
    agent: str | None = None


class Hello(Message, tag=1):
    """``[HELLO, Realm|uri, Details|dict]``."""

    code = 1
    realm: str
    details: HelloDetails

    def is_plain(self) -> bool:
        """See :meth:`Message.is_plain`."""
        return False


class Welcome(Message, tag=2):
    """``[WELCOME, Session|id, Details|dict]``."""

    code = 2
    session: Id
    details: dict[str, Any]


class Abort(Message, tag=3):
    """``[ABORT, Details|dict, Reason|uri, Arguments|list, ArgumentsKw|dict]``."""

    code = 3
    has_payload = True
    details: dict[str, Any]
    reason: str
    args: Raw = ABSENT
    kwargs: Raw = ABSENT


class Challenge(Message, tag=4):
    """``[CHALLENGE, AuthMethod|string, Extra|dict]``."""

    code = 4
    method: str
    extra: dict[str, Any]


class Authenticate(Message, tag=5):
    """``[AUTHENTICATE, Signature|string, Extra|dict]``."""

    code = 5
    signature: str
    extra: dict[str, Any]

    def __repr__(self) -> str:
        # The signature may be a ticket, that is, a secret: it must not reach a log.
        return "Authenticate(signature=…, extra=…)"


class Goodbye(Message, tag=6):
    """``[GOODBYE, Details|dict, Reason|uri]``."""

    code = 6
    details: dict[str, Any]
    reason: str


class Error(Message, tag=8):
    """``[ERROR, Type|int, Request|id, Details|dict, Error|uri, Arguments|list, ArgumentsKw|dict]``."""

    code = 8
    has_payload = True
    request_type: NonNegative
    request: Id
    details: dict[str, Any]
    error: str
    args: Raw = ABSENT
    kwargs: Raw = ABSENT
