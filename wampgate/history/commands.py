"""A connection to Redis on which commands follow one another without waiting; each answer finds its command."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import hiredis
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone

from wampgate.tls import why_tls_failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.python.failure import Failure


def packed(*words: bytes) -> bytes:
    """A command as it is sent."""
    command: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # its type allows one word only
    return command


class Refused(Exception):
    """Redis answered a command with an error.

    Attributes:
        code: the error's first word, such as NOPERM; never what was sent.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"Redis refused it: {code}")
        self.code = code


class Ended(Exception):
    """The connection ended. Its text says why, without secrets."""


class Commands(Protocol):
    """One connection.

    Args:
        ended: told why it has ended, once.
    """

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._reader = hiredis.Reader()
        self._waiting: deque[Callable[[Any], None]] = deque()
        self._reason = ""
        # Whether anything came since this was last set to False.
        self.heard = True

    @property
    def unanswered(self) -> int:
        """How many commands have no answer yet."""
        return len(self._waiting)

    def send(self, command: bytes, answered: Callable[[Any], None]) -> None:
        """Send a packed command; ``answered`` is told the reply (a :class:`Refused` for an error), if one comes."""
        self._waiting.append(answered)
        transport: Any = self.transport
        transport.write(command)

    def execute(self, *words: bytes) -> Deferred[Any]:
        """Send a command and wait for its reply; fails with Refused or Ended."""
        answer: Deferred[Any] = Deferred()

        def answered(reply: Any) -> None:
            if isinstance(reply, Exception):
                answer.errback(reply)
            else:
                answer.callback(reply)

        self.send(packed(*words), answered)
        return answer

    def abort(self, reason: str) -> None:
        """End the connection at once, for this reason."""
        self._reason = self._reason or reason
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """See twisted.internet.protocol."""
        self.heard = True
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                if not self._waiting:
                    self.abort("it answers what was not asked")
                    return
                error = isinstance(reply, hiredis.ReplyError)
                self._waiting.popleft()(Refused(str(reply).partition(" ")[0]) if error else reply)
        except hiredis.ProtocolError:
            self.abort("what answers there does not speak as Redis does")

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """See twisted.internet.protocol."""
        why = self._reason or why_tls_failed(reason.value) or reason.getErrorMessage()
        waiting, self._waiting = self._waiting, deque()
        self._ended(why)
        for answered in waiting:
            answered(Ended(why))
