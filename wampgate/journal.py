"""What the core tells the operator, as log lines: one for each event, never one for each message."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from twisted.logger import Logger, LogLevel

from wampgate.core.log_lines import Sparing, clipped, printable
from wampgate.core.session import describe
from wampgate.observation.log_levels import Levels

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.core.session import Session

_loggers = {
    part: Logger(namespace=f"wampgate.{part}")
    for part in ("sessions", "authentication", "authorization", "administration")
}

# Whatever a client chose (authids, URIs) is written with its control characters
# escaped, so that no client can write a line of its own.
_LINES: Final = {
    "joined": ("sessions", LogLevel.debug, "session {session} of {authid!r} ({authrole}) joined from {peer}"),
    "left": ("sessions", LogLevel.debug, "session {session} of {authid!r} left"),
    "join_refused": ("authentication", LogLevel.info, "join refused to {peer}: {because}"),
    "refused": (
        "authorization",
        LogLevel.info,
        "session {session} of {authid!r} ({authrole}) may not {action} {uri!r} (match={match}): {because}",
    ),
    "revoked": (
        "authorization",
        LogLevel.info,
        "session {session} of {authid!r} lost its subscription to {uri!r} (match={match}): {because}",
    ),
    "testament_refused": (
        "authorization",
        LogLevel.info,
        "a testament of session {session} of {authid!r} ({authrole}) on {uri!r} is not published: {because}",
    ),
    "exceeded": (
        "sessions",
        LogLevel.warn,
        "session {session} of {authid!r} from {peer} sends more than limits.{limit} ({count} refused so far)",
    ),
    "refresh_refused": (
        "authentication",
        LogLevel.info,
        "refresh refused to session {session} of {authid!r} from {peer}: {because}",
    ),
    "violated": ("sessions", LogLevel.info, "protocol violation by {peer}: {why}"),
    "killed": (
        "administration",
        LogLevel.info,
        "session {session} of {authid!r} ({authrole}) from {peer} was ended by {by}: {reason}",
    ),
    "called": (
        "administration",
        LogLevel.info,
        "session {session} of {authid!r} ({authrole}) from {peer} called {procedure}({arguments}): {outcome}",
    ),
    "looked": (
        "administration",
        LogLevel.debug,
        "session {session} of {authid!r} ({authrole}) from {peer} called {procedure}({arguments}): {outcome}",
    ),
}
"""Of each event: the part of the log that it belongs to, its level, and its line."""

_QUOTED: Final = frozenset({"authid", "uri"})
"""Fields that stand in quotation marks, which escapes them; all others have to be escaped here."""


class Journal:
    """Writes the core's events; a :class:`wampgate.core.interfaces.Record`.

    Of one kind no more is written than a log can take; how much was left out stands in the log.

    Args:
        levels: what is heard; nothing is done for a line that is not.
        now: the monotonic clock, in seconds.
    """

    def __init__(self, levels: Levels | None = None, *, now: Callable[[], float] = time.monotonic) -> None:
        self._levels = levels or Levels()
        self._sparing = Sparing(now)

    def __call__(self, event: str, session: Session, **fields: object) -> None:
        """Write an event's line; see :class:`wampgate.core.interfaces.Record`."""
        part, level, line = _LINES[event]
        if not self._levels.hears(part, level):
            return
        # Whoever asks for each session's coming and going means each.
        left_out = 0 if level is LogLevel.debug else self._sparing.take(event)
        if left_out is None:
            return
        log = _loggers[part]
        if left_out:
            log.warn("{count} lines of the kind {event!r} were left out", count=left_out, event=event)
        log.emit(level, line, event=event, **_written({**describe(session), **fields}))


def _written(fields: dict[str, object]) -> dict[str, object]:
    """Fields as a line may hold them: short and escaped."""
    return {name: _field(name, value) if isinstance(value, str) else value for name, value in fields.items()}


def _field(name: str, text: str) -> str:
    return clipped(text) if name in _QUOTED else printable(clipped(text))


def odd_organization_id(user: str, organization: str) -> None:
    """Tell of an organization id that can't stand in a topic."""
    _loggers["authorization"].warn(
        "organization {organization!r} of user {user!r} is not used: an id is 1 to 64 of A-Z a-z 0-9 _ -",
        user=clipped(user),
        organization=clipped(organization),
    )
