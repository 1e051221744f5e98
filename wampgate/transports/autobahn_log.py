"""What Autobahn says of its connections, in our log: bounded, escaped, and without what nobody needs to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from twisted.logger import Logger, LogLevel

from wampgate.core.log_lines import clipped, printable

if TYPE_CHECKING:
    from wampgate.core.log_lines import Sparing

_log = Logger(namespace="wampgate.transports.websocket")

_SAID_ALREADY: Final = "dropping connection to peer"
"""Follows upon a line that says why, or upon a client that is simply gone."""


class AutobahnLog:
    """Takes the place of the logger that Autobahn makes for itself.

    A client causes most of what Autobahn warns of: bad frames, bad handshakes, TLS
    that is none. So no line of it is an alarm, and of each kind only so many are
    written in a while. What we say of connections goes the same way.

    Args:
        sparing: how many lines of a kind are written.
    """

    def __init__(self, sparing: Sparing) -> None:
        self._sparing = sparing

    def trace(self, _format: str, **_fields: Any) -> None:
        """Say nothing: Autobahn tells of every frame here."""

    debug = trace

    def info(self, format: str, **fields: Any) -> None:  # noqa: A002 - the name by which Autobahn gives it
        """Write a line, if its kind has not filled the log already."""
        self._write(LogLevel.info, format, fields)

    def warn(self, format: str, **fields: Any) -> None:  # noqa: A002 - as above
        """Write a line likewise, of what an operator may want to do something about."""
        self._write(LogLevel.warn, format, fields)

    # An error to Autobahn is, say, a client whose TLS is broken.
    error = warn

    def failure(self, format: str, *arguments: Any, **fields: Any) -> None:  # noqa: A002 - as above
        """Write an exception with its traceback: a mistake of ours."""
        _log.failure(format, *arguments, **fields)

    def _write(self, level: Any, line: str, fields: dict[str, Any]) -> None:
        if line.startswith(_SAID_ALREADY):
            return
        # A line without fields may be a finished text, with as many kinds as there are texts.
        left_out = self._sparing.take(line if fields else "")
        if left_out is None:
            return
        if left_out:
            _log.warn("{count} lines like the next one were left out", count=left_out)
        if not fields:
            line, fields = "{text}", {"text": line}
        _log.emit(level, line, **{name: _text(value) for name, value in fields.items()})


def _text(value: object) -> object:
    return value if isinstance(value, int | float) else printable(clipped(str(value)))
