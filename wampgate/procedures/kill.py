"""``wampgate.sessions.kill``: ends the sessions of a user, a token, an organization or an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.uri import is_uri

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.authorization.standing import Standing
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm
    from wampgate.core.router import Router
    from wampgate.core.session import Session

NAME: Final = "wampgate.sessions.kill"

_BY: Final = ("authid", "token_hash", "organization", "address")


class Kill:
    """Takes exactly one of authid, token_hash, organization and address, and perhaps a reason (a URI) and a message.

    The result is how many sessions were ended. The caller's own lives on.
    """

    def __init__(self, realm: Realm, router: Router, standing: Standing | None) -> None:
        self._realm = realm
        self._router = router
        self._standing = standing

    def __call__(self, asked: Asked) -> None:
        """Answer a call.

        Raises:
            RequestRefused: the arguments don't say whom.
        """
        values = asked.arguments(*_BY, "reason", "message")
        by = [(name, values[name]) for name in _BY if values.get(name) is not None]
        reason = values.get("reason", uri.KILLED)
        message = values.get("message", "the session was ended by an administrator")
        if len(by) != 1 or not isinstance(by[0][1], str) or not isinstance(message, str):
            raise RequestRefused(uri.INVALID_ARGUMENT, f"name exactly one of {', '.join(_BY)}, as text")
        if not isinstance(reason, str) or not is_uri(reason):
            raise RequestRefused(uri.INVALID_ARGUMENT, "the reason is not a URI")
        concerned = self._test(*by[0])
        sessions = [s for s in self._realm.sessions.values() if s is not asked.caller and concerned(s)]
        for session in sessions:
            self._router.goodbye(session, reason, message)
        asked.result(len(sessions))

    def _test(self, by: str, value: str) -> Callable[[Session], bool]:
        if by == "authid":
            return lambda session: session.principal.authid == value
        if by == "token_hash":
            return lambda session: session.principal.token_id == value
        if by == "address":
            return lambda session: session.connection.address == value
        return lambda session: self._belongs(session, value)

    def _belongs(self, session: Session, organization: str) -> bool:
        own = session.principal.organizations
        if own is not None:
            return organization in own
        return self._standing is not None and self._standing.belongs(session, organization)
