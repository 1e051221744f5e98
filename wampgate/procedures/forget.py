"""``wampgate.authorization.forget``: the rights of someone have changed, as a dynamic authorizer knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from wampgate.core.errors import RequestRefused, uri

if TYPE_CHECKING:
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm

NAME: Final = "wampgate.authorization.forget"


class Forgetting(Protocol):
    """Keeps what it was told of someone, until that changes."""

    def forget(self, authid: str) -> None:
        """Nothing that was said of an authid holds any more."""

    def forget_user(self, user: str) -> None:
        """The same of all that a user is called."""


class Forget:
    """Takes exactly one of authid and user: what was decided about them is forgotten, and asked again.

    Their subscriptions are reconsidered at once, and what waits for a decision is
    asked anew. The result is how many sessions that concerned.
    """

    def __init__(self, realm: Realm, kept: Forgetting) -> None:
        self._realm = realm
        self._kept = kept

    def __call__(self, asked: Asked) -> None:
        """Answer a call.

        Raises:
            RequestRefused: the arguments don't say whom.
        """
        values = asked.arguments("authid", "user")
        authid, user = values.get("authid"), values.get("user")
        if isinstance(authid, str) and user is None:
            sessions = [s for s in self._realm.sessions.values() if s.principal.authid == authid]
            self._kept.forget(authid)
        elif isinstance(user, str) and authid is None:
            sessions = list(self._realm.sessions_by_user.get(user, ()))
            self._kept.forget_user(user)
        else:
            raise RequestRefused(uri.INVALID_ARGUMENT, "name either an authid or a user, as text")
        for session in sessions:
            self._realm.reconsider(session)
        asked.result(len(sessions))
