"""A WebSocket's plain frames, taken past Autobahn: most of what clients send, at a tenth of the time.

Plain is a complete, unfragmented, uncompressed, masked data frame of less than
64 KiB that begins while Autobahn's parser stands at a frame boundary. Every
other byte goes to Autobahn, which then has it from the beginning of its frame.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from autobahn.twisted.websocket import WebSocketServerProtocol

from wampgate.wire.frames import TEXT

if TYPE_CHECKING:
    from wampgate.transports.websocket import WebSocketListener

OPEN: Final = WebSocketServerProtocol.STATE_OPEN
_length_of: Final = Struct("!H").unpack_from


class PlainFrames(WebSocketServerProtocol):
    """A connection that takes plain frames itself. Whoever inherits says what becomes of messages."""

    factory: WebSocketListener
    heard = True
    """Whether anything came since the last ping."""

    _rest = b""
    _first = TEXT

    def take(self, data: bytes) -> None:
        """A message has come; if it is text, it is UTF-8."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Take plain frames here and leave the others to Autobahn."""
        self.heard = True
        if self._rest:
            data = self._rest + data
            self._rest = b""
        while data:
            if self._at_boundary():
                data = self._take_frames(data)
                if not data:
                    return
            self._dataReceived(data)
            # What Autobahn keeps from a frame's beginning may be the fast path's again.
            if not self._at_boundary(buffered=True):
                return
            data, self.data = self.data, b""
            if len(data) < 2 or not self._is_plain(data, 0):
                self.data = data
                return

    def _at_boundary(self, *, buffered: bool = False) -> bool:
        """Whether a message may begin here; between two fragments, compressed or not, none may."""
        return (
            self.state == OPEN
            and self.current_frame is None
            and not self.inside_message
            and (buffered or not self.data)
        )

    def _is_plain(self, data: bytes, at: int) -> bool:
        """Whether a whole, masked data frame of this serializer's kind and of less than 64 KiB begins here."""
        return data[at] == self._first and 0x80 <= data[at + 1] < 0xFF

    def _take_frames(self, data: bytes) -> bytes:
        """Take plain frames; keep an incomplete one; return what is Autobahn's."""
        at = 0
        size = len(data)
        first = self._first
        while size - at >= 2:
            length = data[at + 1] - 0x80
            # A compressed one has RSV1 set (RFC 7692, section 6) and so another first byte.
            if data[at] != first or length < 0 or length == 127:
                return data[at:]
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
            message = _unmask(data[begin:end], data[begin - 4 : begin])
            if first == TEXT and not message.isascii() and not is_utf8(message):
                return data[at:]
            at = end
            self.take(message)
            if self.state != OPEN:
                return data[at:]
        self._rest = data[at:]
        return b""


def _unmask(data: bytes, mask: bytes) -> bytes:
    """A client's payload without its mask (RFC 6455, section 5.3)."""
    length = len(data)
    words = (length + 3) >> 2
    if words < len(_REPEAT):
        # Multiplying repeats the mask in half the time that repeating its bytes takes.
        key = _from_bytes(mask, "little") * _REPEAT[words]
        return (_from_bytes(data, "little") ^ key).to_bytes(words << 2, "little")[:length]
    key = _from_bytes((mask * words)[:length], "little")
    return (_from_bytes(data, "little") ^ key).to_bytes(length, "little")


_from_bytes: Final = int.from_bytes
_REPEAT: Final = [((1 << 32 * words) - 1) // 0xFFFFFFFF for words in range(257)]
"""What a 32-bit number has to be multiplied by to stand so many times in a row."""


def is_utf8(data: bytes) -> bool:
    """Whether bytes are text (RFC 6455, section 5.6)."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
