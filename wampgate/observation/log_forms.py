"""The two forms of a log line: text for people, JSON for programs. Both are safe from what clients choose."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from twisted.logger import formatEvent

from wampgate.core.log_lines import clipped, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Form = Callable[[Mapping[str, Any], str, str, bool], str]

_LONGEST_MESSAGE: Final = 20_000
"""Characters of one message; what a client chose is clipped long before."""

_INDENT: Final = "\n    "

_FIRST: Final = ("event", "session", "authid", "authrole", "realm", "peer")
"""The fields that stand first in JSON, in this order."""


def as_text(event: Mapping[str, Any], part: str, level: str, timed: bool) -> str:
    """A line to be read: time, level, part, realm, message; what takes more lines is indented.

    Args:
        event: Twisted's.
        part: whose it is.
        level: its name.
        timed: whether the time is written; a journal has its own.
    """
    realm = event.get("realm")
    where = f"[{printable(str(realm))}] " if realm else ""
    text = message_of(event) + _traceback_of(event, "\n")
    lines = [printable(line) for line in text.rstrip().replace("\t", "    ").split("\n")]
    when = f"{instant(event.get('log_time'))} " if timed else ""
    return f"{when}{level:<5} {part:<14} {where}{_INDENT.join(lines)}"


def as_json(event: Mapping[str, Any], part: str, level: str, timed: bool) -> str:  # noqa: ARG001 - a program reads the time here
    """A line for programs: one object, whatever the message holds; see :func:`as_text`."""
    shown: dict[str, Any] = {"time": instant(event.get("log_time")), "level": level, "part": part}
    fields = {} if part == "twisted" else _fields_of(event)
    for name in _FIRST:
        if fields.get(name):
            shown[name] = fields.pop(name)
    shown["message"] = message_of(event)
    # What the router itself puts there can't be put in the place of these.
    shown |= {name: value for name, value in fields.items() if name not in shown}
    traceback = _traceback_of(event)
    if traceback:
        shown["traceback"] = traceback
    # Everything beyond ASCII is escaped: no line separator of any kind is left that could break a line.
    return json.dumps(shown)


def instant(when: object) -> str:
    """A time as it is written: ISO 8601 in UTC, with milliseconds.

    Args:
        when: in seconds since 1970; now where it is no number.
    """
    seconds = when if isinstance(when, int | float) else time.time()
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def message_of(event: Mapping[str, Any]) -> str:
    """What a line says, never more than a log has room for."""
    return clipped(formatEvent(dict(event)), _LONGEST_MESSAGE)


def _fields_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """What was said beside the message, of the kinds that JSON has."""
    return {
        name: clipped(value) if isinstance(value, str) else value
        for name, value in event.items()
        if not name.startswith("log_") and isinstance(value, str | int | float | bool) and name not in _TWISTED
    }


_TWISTED: Final = frozenset({"format", "time", "system", "isError"})
"""What Twisted puts beside the fields for its older way of logging."""


def _traceback_of(event: Mapping[str, Any], before: str = "") -> str:
    failure = event.get("log_failure")
    return "" if failure is None else before + clipped(failure.getTraceback(), _LONGEST_MESSAGE)
