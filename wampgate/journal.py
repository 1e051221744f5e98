"""What the core tells the operator, as log lines: one for each event, never one for each message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.logger import Logger, LogLevel

from wampgate.core.session import describe

if TYPE_CHECKING:
    from wampgate.core.session import Session

_log = Logger(namespace="wampgate")

# Whatever a client chose (authids, URIs) is written with its control characters
# escaped, so that no client can write a line of its own.
_LINES: Final = {
    "joined": (LogLevel.debug, "session {session} of {authid!r} ({authrole}) joined from {peer}"),
    "left": (LogLevel.debug, "session {session} of {authid!r} left"),
    "join_refused": (LogLevel.info, "join refused to {peer}: {because}"),
    "refused": (
        LogLevel.info,
        "session {session} of {authid!r} ({authrole}) may not {action} {uri!r} (match={match}): {because}",
    ),
    "revoked": (
        LogLevel.info,
        "session {session} of {authid!r} lost its subscription to {uri!r} (match={match}): {because}",
    ),
    "exceeded": (
        LogLevel.warn,
        "session {session} of {authid!r} from {peer} sends more than limits.{limit} ({count} refused so far)",
    ),
    "violated": (LogLevel.info, "protocol violation by {peer}: {why}"),
}


class Journal:
    """Writes the core's events; a :class:`wampgate.core.interfaces.Record`.

    Args:
        debug: whether to write what happens too often for a log of every day.
    """

    def __init__(self, *, debug: bool = False) -> None:
        self._debug = debug

    def __call__(self, event: str, session: Session, **fields: object) -> None:
        """Write an event's line; see :class:`wampgate.core.interfaces.Record`."""
        level, line = _LINES[event]
        if level is not LogLevel.debug or self._debug:
            _log.emit(level, line, event=event, **{**describe(session), **fields})


def odd_organization_id(user: str, organization: str) -> None:
    """Tell of an organization id that can't stand in a topic."""
    _log.warn(
        "organization {organization!r} of user {user!r} is not used: an id is 1 to 64 of A-Z a-z 0-9 _ -",
        user=user,
        organization=organization,
    )
