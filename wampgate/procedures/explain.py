"""``wampgate.explain(authid, action, uri, match="exact")``: what decides whether someone may do something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.interfaces import Principal
from wampgate.core.procedures import when_decided
from wampgate.core.uri import is_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.core.decisions import Action, Decision
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm
    from wampgate.wire.messages import Match

NAME: Final = "wampgate.explain"

_ACTIONS: Final = ("subscribe", "publish", "call", "register")
_MATCHES: Final = ("exact", "prefix", "wildcard")


class Explain:
    """Answers for whoever is here under the authid, or would be: a static principal, or else a user.

    Some rights come with a session: what a signed token says of organizations, the
    role of who has no name. So the session that joined last under the authid is
    asked for; without one a user is what the store says of it.

    The result's kwargs: allowed, because (the rule or row that decides), failed,
    authrole.

    Args:
        realm: where.
        roles: the static principals' roles, by authid.
        user_role: the role of the store's users; None in a realm without users.
    """

    def __init__(self, realm: Realm, roles: Mapping[str, str], user_role: str | None) -> None:
        self._realm = realm
        self._roles = roles
        self._user_role = user_role

    def __call__(self, asked: Asked) -> None:
        """Answer a call.

        Raises:
            RequestRefused: the arguments are no question.
        """
        values = {"match": "exact", **asked.arguments("authid", "action", "uri", "match")}
        principal = self._principal(values.get("authid"))
        action, subject, match = values.get("action"), values.get("uri"), values["match"]
        if action not in _ACTIONS or match not in _MATCHES:
            raise RequestRefused(
                uri.INVALID_ARGUMENT, f"action is one of {', '.join(_ACTIONS)}; match is one of {', '.join(_MATCHES)}"
            )
        if not isinstance(subject, str) or not is_pattern(subject, cast("Match", match)):
            raise RequestRefused(uri.INVALID_URI, "the uri is none for this match")

        def decided(decision: Decision) -> None:
            asked.result(**_explanation(decision, principal))

        answer = self._realm.authorize_principal(principal, cast("Action", action), subject, cast("Match", match))
        when_decided(answer, decided)

    def _principal(self, authid: object) -> Principal:
        if not isinstance(authid, str) or not authid:
            raise RequestRefused(uri.INVALID_ARGUMENT, "authid is missing")
        role = self._roles.get(authid)
        if role is not None:
            return Principal(authid, role, "ticket", "static")
        here = self._here(authid)
        if here is not None:
            return here
        if self._user_role is None:
            raise RequestRefused(uri.INVALID_ARGUMENT, "there is no such principal, and this realm has no users")
        return Principal(authid, self._user_role, "ticket", "store", user=authid)

    def _here(self, authid: str) -> Principal | None:
        """Who joined last under an authid and is still here."""
        sessions = reversed(self._realm.sessions.values())
        return next((session.principal for session in sessions if session.principal.authid == authid), None)


def _explanation(decision: Decision, principal: Principal) -> dict[str, Any]:
    return {
        "allowed": decision.allowed,
        "because": decision.because,
        "failed": decision.failed,
        "authrole": principal.authrole,
    }
