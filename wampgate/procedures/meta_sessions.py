"""``wamp.session.count``, ``list``, ``get`` and ``kill…``: the "Session Meta API".

Whoever may call them sees, and ends, those sessions that :mod:`wampgate.core.visibility`
shows it; all others are not there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.meta import ON_LEAVE, details_of
from wampgate.core.uri import is_uri
from wampgate.core.visibility import is_inside
from wampgate.procedures.answers import checked_id, ids_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.core.kills import Kills
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.core.sifting import Sifter

    Then = Callable[[list[Session]], None]


class MetaSessions:
    """Answers for the sessions of one realm.

    Args:
        realm: whose sessions.
        kills: ends them.
        sifter: looks through them.
    """

    def __init__(self, realm: Realm, kills: Kills, sifter: Sifter) -> None:
        self._realm = realm
        self._kills = kills
        self._sifter = sifter

    def procedures(self) -> Mapping[str, Callable[[Asked], None]]:
        """Each procedure by its name. Each raises RequestRefused for arguments that are none of its own."""
        return {
            "wamp.session.count": self.count,
            "wamp.session.list": self.list_ids,
            "wamp.session.get": self.get,
            "wamp.session.kill": self.kill,
            "wamp.session.kill_by_authid": self.kill_by_authid,
            "wamp.session.kill_by_authrole": self.kill_by_authrole,
            "wamp.session.kill_all": self.kill_all,
        }

    def count(self, asked: Asked) -> None:
        """The number of sessions, of all roles or of some (``filter_authroles``)."""
        self._visible(asked, _of_roles(asked), lambda sessions: asked.result(len(sessions)))

    def list_ids(self, asked: Asked) -> None:
        """The ids of sessions, likewise."""

        def answer(sessions: list[Session]) -> None:
            ids_answer(asked, [session.id for session in sessions])

        self._visible(asked, _of_roles(asked), answer)

    def get(self, asked: Asked) -> None:
        """What there is to know of a session; more for those who see all, and of one's own."""
        session = self._session(asked, asked.arguments("session"))
        details = details_of(session)
        own = asked.caller.principal.user is not None and asked.caller.principal.user == session.principal.user
        if own or asked.caller is session or self._realm.visibility.sees_all(asked.caller):
            connection = session.connection
            details["transport"] |= {"peer": connection.peer, "agent": connection.agent}
        asked.result(details)

    def kill(self, asked: Asked) -> None:
        """End another session."""
        values = asked.arguments("session", "reason", "message")
        reason, message = _farewell(values)
        session = self._session(asked, values)
        if session is asked.caller:
            raise _NO_SUCH_SESSION
        self._kills.end_these([session], reason, message, asked.caller)
        asked.result()

    def kill_by_authid(self, asked: Asked) -> None:
        """End all other sessions of an authid; their ids."""
        authid, reason, message = _whom(asked, "authid")

        def end(sessions: list[Session]) -> None:
            self._kills.end_these(sessions, reason, message, asked.caller)
            asked.result([session.id for session in sessions])

        self._others(asked, lambda session: session.principal.authid == authid, end)

    def kill_by_authrole(self, asked: Asked) -> None:
        """End all other sessions of an authrole; how many they were."""
        authrole, reason, message = _whom(asked, "authrole")

        def end(sessions: list[Session]) -> None:
            asked.result(self._kills.end_these(sessions, reason, message, asked.caller))

        self._others(asked, lambda session: session.principal.authrole == authrole, end)

    def kill_all(self, asked: Asked) -> None:
        """End all other sessions; how many they were."""
        reason, message = _farewell(asked.arguments("reason", "message"))
        self._others(asked, _any, partial(self._end_all, asked, reason, message))

    def _end_all(self, asked: Asked, reason: str, message: str | None, sessions: list[Session]) -> None:
        if not self._realm.visibility.sees_all(asked.caller):
            asked.result(self._kills.end_these(sessions, reason, message, asked.caller))
            return
        # "… will not generate session meta events or testament events, since no subscribers would remain".
        for session in sessions:
            self._realm.testaments.forget(session)
        with self._realm.meta.silence(ON_LEAVE):
            count = self._kills.end_these(sessions, reason, message, asked.caller)
        asked.result(count)

    def _session(self, asked: Asked, values: Mapping[str, Any]) -> Session:
        """The session that a call names.

        Raises:
            RequestRefused: it names none that its caller sees.
        """
        session = self._realm.sessions.get(checked_id(values, "session"))
        if session is None or is_inside(session) or not self._realm.visibility.sees(asked.caller, session):
            raise _NO_SUCH_SESSION
        return session

    def _others(self, asked: Asked, wanted: Callable[[Session], bool], then: Then) -> None:
        """Find the visible sessions without the caller's own."""
        self._visible(asked, lambda session: session is not asked.caller and wanted(session), then)

    def _visible(self, asked: Asked, wanted: Callable[[Session], bool], then: Then) -> None:
        caller, sees = asked.caller, self._realm.visibility.sees

        def answer(sessions: list[Session]) -> None:
            # Looking through many takes more than a moment, and some are gone then.
            then([session for session in sessions if session.established])

        self._sifter.sift(
            asked,
            self._realm.sessions.values,
            lambda session: wanted(session) and not is_inside(session) and sees(caller, session),
            answer,
        )


def _of_roles(asked: Asked) -> Callable[[Session], bool]:
    """The test that a filter of roles makes."""
    roles = asked.arguments("filter_authroles").get("filter_authroles")
    if roles is None:
        return _any
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise RequestRefused(uri.INVALID_ARGUMENT, "filter_authroles is a list of roles")
    wanted = frozenset(roles)
    return lambda session: session.principal.authrole in wanted


def _whom(asked: Asked, name: str) -> tuple[str, str, str | None]:
    """Whom to end, why, and what to tell."""
    values = asked.arguments(name, "reason", "message")
    whom = values.get(name)
    if not isinstance(whom, str):
        raise RequestRefused(uri.INVALID_ARGUMENT, f"the first argument is an {name}, as text")
    return whom, *_farewell(values)


def _farewell(values: Mapping[str, Any]) -> tuple[str, str | None]:
    """The reason and the message of a GOODBYE.

    Raises:
        RequestRefused: the reason is no URI, or the message no text.
    """
    reason, message = values.get("reason"), values.get("message")
    if reason is None:
        reason = uri.KILLED
    if not isinstance(reason, str) or not is_uri(reason):
        raise RequestRefused(uri.INVALID_URI, "the reason is not a URI")
    if message is not None and not isinstance(message, str):
        raise RequestRefused(uri.INVALID_ARGUMENT, "the message is not a text")
    return reason, message


def _any(_session: Session) -> bool:
    return True


_NO_SUCH_SESSION: Final = RequestRefused(uri.NO_SUCH_SESSION, "there is no other session with this id")
