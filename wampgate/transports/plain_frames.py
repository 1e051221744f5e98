"""A WebSocket's plain frames, taken without Autobahn: nearly all that clients send, at a tenth of the time and memory.

Plain is a complete, unfragmented, uncompressed, masked data frame of less than 64 KiB, a
PING or a PONG, that begins where a frame may begin. Of everything else Autobahn is given
all bytes from the beginning of its frame; before the first such one there is no object of it.
"""

from __future__ import annotations

from abc import abstractmethod
from struct import Struct
from typing import TYPE_CHECKING, Final

from wampgate.transports.masking import unmasked
from wampgate.transports.outbox import Outbox
from wampgate.wire.frames import TEXT, websocket_frame

if TYPE_CHECKING:
    from wampgate.transports.outbox import Surroundings
    from wampgate.transports.unusual_frames import UnusualFrames

_length_of: Final = Struct("!H").unpack_from

# First bytes of whole control frames.
_PING: Final = 0x89
_PONG: Final = 0x8A
_ANSWERED: Final = (_PING, _PONG)

_LONGEST_CONTROL: Final = 125
"""Bytes that a control frame may hold (RFC 6455, section 5.5)."""


class PlainFrames(Outbox):
    """A connection that takes plain frames itself. Whoever inherits says what becomes of messages.

    Attributes:
        heard: whether anything came since the last ping.
        open: whether messages may come and go: from the handshake's end to the first close frame of either side.
        unusual: Autobahn's part of the connection; None as long as it needs none.
    """

    __slots__ = ("_first", "_rest", "heard", "open", "unusual")

    def __init__(self, factory: Surroundings) -> None:
        super().__init__(factory)
        self.heard = True
        self.open = False
        self.unusual: UnusualFrames | None = None
        self._first = TEXT
        # What has come of a plain frame that is not complete.
        self._rest = b""

    @abstractmethod
    def take(self, data: bytes) -> None:
        """A message has come; if it is text, it is UTF-8."""

    @abstractmethod
    def hand_over(self) -> UnusualFrames:
        """Autobahn's part of an open connection, made if there is none: what it is given next begins a frame."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take plain frames here and leave the others to Autobahn."""
        self.heard = True
        if self._rest:
            data = self._rest + data
            self._rest = b""
        if self.unusual is None:
            data = self._take_frames(data)
            if not data or self.gone:
                return
            self._give(self.hand_over(), data)
        else:
            self._take_mixed(self.unusual, data)

    def _take_mixed(self, unusual: UnusualFrames, data: bytes) -> None:
        """Take what comes where some of it may be the middle of what Autobahn has begun to read."""
        if self._at_boundary(unusual) and not unusual.data:
            data = self._take_frames(data)
        if data:
            self._give(unusual, data)

    def _give(self, unusual: UnusualFrames, data: bytes) -> None:
        """Let Autobahn read; what it keeps from the beginning of a plain frame is taken here."""
        while data:
            unusual._dataReceived(data)  # noqa: SLF001 - what Twisted's part of Autobahn calls
            kept = unusual.data
            # Where it took nothing it waits for the rest of a head: to show it the same bytes again would never end.
            if len(kept) == len(data) or len(kept) < 2 or not self._at_boundary(unusual) or not self._is_plain(kept):
                return
            unusual.data = b""
            data = self._take_frames(kept)

    def _at_boundary(self, unusual: UnusualFrames) -> bool:
        """Whether a message may begin where Autobahn stands; between two fragments none may."""
        return self.open and unusual.current_frame is None and not unusual.inside_message

    def _is_plain(self, data: bytes) -> bool:
        """Whether a masked data frame of this serializer's kind and of less than 64 KiB begins here."""
        return data[0] == self._first and 0x80 <= data[1] < 0xFF

    def _take_frames(self, data: bytes) -> bytes:
        """Take plain frames; keep an incomplete one; return what is Autobahn's."""
        at = 0
        size = len(data)
        first = self._first
        while size - at >= 2:
            length = data[at + 1] - 0x80
            # A compressed one has RSV1 set (RFC 7692, section 6) and so another first byte.
            if data[at] != first or length < 0 or length == 127:
                end = self._take_control(data, at, length)
                if end == at:
                    return data[at:]
                if end > size:
                    break
                at = end
                continue
            begin = at + 6
            if length == 126:
                if size - at < 4:
                    break
                (length,) = _length_of(data, at + 2)
                if length < 126:
                    return data[at:]
                begin = at + 8
            if length > self.factory.message_bytes:
                return data[at:]
            end = begin + length
            if end > size:
                break
            message = unmasked(data, begin, end)
            if first == TEXT and not message.isascii() and not is_utf8(message):
                return data[at:]
            at = end
            self.take(message)
            if not self.open:
                # What follows is nobody's, or has to wait for the end of the connection.
                return data[at:]
        self._rest = data[at:]
        return b""

    def _take_control(self, data: bytes, at: int, length: int) -> int:
        """Answer a PING, hear a PONG: where it ends, beyond the data if it is not complete; ``at`` if it is neither."""
        first = data[at]
        if not 0 <= length <= _LONGEST_CONTROL or first not in _ANSWERED:
            return at
        begin = at + 6
        end = begin + length
        if first == _PING and end <= len(data):
            self.write(websocket_frame(_PONG, unmasked(data, begin, end)))
        return end


def is_utf8(data: bytes) -> bool:
    """Whether bytes are text (RFC 6455, section 5.6)."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
