"""permessage-deflate (RFC 7692): what is agreed on, how messages leave compressed, and how compressed ones are read.

A message is compressed by itself (``server_no_context_takeover``), so that all
connections of one serializer and one window get the same bytes, made once; and
so that a connection costs no memory for it, and what one message holds can't be
learned from the length of another. Clients are asked for the same
(``client_no_context_takeover``), so that nothing is kept between their messages
either.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wampgate.transports.turn import Encoding
from wampgate.wire.frames import BINARY, TEXT, websocket_frame
from wampgate.wire.messages import Abort, Challenge, Welcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wampgate.wire.messages import Message
    from wampgate.wire.payload import Payload

EXTENSION: Final = "permessage-deflate"

COMPRESSED: Final = 0x40
"""RSV1, the bit of a message's first byte that says that it is compressed."""

_SMALLER_WINDOWS: Final = (12, 9)
"""What clients get that ask for less than the configured window.

Each window is one compression more of each message, so there is not one for each
number that a client may name.
"""

_OF_A_LOGIN: Final = frozenset({Challenge, Welcome, Abort})
"""Messages that may hold what only their receiver should know: their length must not depend on what they hold."""

_TAIL: Final = b"\x00\x00\xff\xff"
"""The end of an empty stored block, which a sender leaves out (section 7.2.1)."""

_LAST_BLOCK: Final = b"\x03\x00"
"""An empty block that ends a stream: it can be read only where the block before it is complete."""


@dataclass(frozen=True, slots=True)
class Compression:
    """How messages are compressed.

    Attributes:
        smallest: shorter messages, in bytes, leave uncompressed; at least 126.
        level: zlib's, from 1 (fast) to 9 (small).
        window_bits: the base-2 logarithm of the largest window in bytes, 9 to 15.
    """

    smallest: int = 1024
    level: int = 3
    window_bits: int = 15

    @property
    def windows(self) -> tuple[int, ...]:
        """The windows that are used, in bits, largest first."""
        return (self.window_bits, *(bits for bits in _SMALLER_WINDOWS if bits < self.window_bits))


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a client's offer is accepted with.

    Attributes:
        window: the window of what is sent to it, in bits.
        header: the value of the answer's Sec-WebSocket-Extensions.
    """

    window: int
    header: str


def agreement(
    extensions: Iterable[tuple[str, Mapping[str, Sequence[Any]]]], compression: Compression
) -> Agreement | None:
    """The first offer that can be accepted (section 5); None, and all is declined, if there is none.

    Args:
        extensions: each offer's name and its parameters, by name: a text, or True for none, as often as it was given.
        compression: how messages are compressed.
    """
    for name, parameters in extensions:
        if name == EXTENSION and _is_valid(parameters):
            asked = parameters.get("server_max_window_bits")
            limit = 15 if asked is None else int(asked[0])
            window = next((bits for bits in compression.windows if bits <= limit), None)
            # zlib has no window of 8 bits.
            if window is not None:
                header = f"{EXTENSION}; server_no_context_takeover; client_no_context_takeover"
                return Agreement(window, header if asked is None else f"{header}; server_max_window_bits={window}")
    return None


def _is_valid(parameters: Mapping[str, Sequence[Any]]) -> bool:
    """Whether an offer holds nothing but what section 7.1 knows, each once and with a value that it may have."""
    return all(
        len(values) == 1 and name in _VALUES and values[0] in _VALUES[name] for name, values in parameters.items()
    )


_BITS: Final = frozenset(str(bits) for bits in range(8, 16))
_VALUES: Final[Mapping[str, frozenset[object]]] = {
    "server_no_context_takeover": frozenset({True}),
    "client_no_context_takeover": frozenset({True}),
    "server_max_window_bits": frozenset(_BITS),
    "client_max_window_bits": frozenset({True, *_BITS}),
}


class Deflated(Encoding):
    """The encoding of those who take compressed messages.

    Its frames are made of the plain encoding's. A message that is short, that does
    not get shorter, or that belongs to a login leaves as the plain frame itself.

    Attributes:
        window: of its compression, in bits.
        count: how many messages were compressed.
    """

    __slots__ = ("_compression", "_first", "_plain", "count", "window")

    def __init__(self, plain: Encoding, compression: Compression, window: int) -> None:
        super().__init__(plain.serializer)
        self.plain = self._plain = plain
        self.window = window
        self.count = 0
        self._compression = compression
        self._first = COMPRESSED | (BINARY if plain.serializer.binary else TEXT)

    def frame(self, message: Message, payload: Payload) -> bytes:
        """See :meth:`Encoding.frame`."""
        return self.remade(message, self._plain.frame(message, payload))

    def remade(self, message: Message, frame: bytes) -> bytes:
        """See :meth:`Encoding.remade`."""
        if len(frame) < self._compression.smallest:
            return frame
        data = memoryview(frame)[4 if frame[1] == 126 else 10 :]
        if len(data) < self._compression.smallest or type(message) in _OF_A_LOGIN:
            return frame
        self.count += 1
        # None is kept for the next message: making one is a tenth of compressing 1 KiB.
        compressor = zlib.compressobj(self._compression.level, zlib.DEFLATED, -self.window)
        compressed = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
        remade = websocket_frame(self._first, compressed[: -len(_TAIL)])
        return remade if len(remade) < len(frame) else frame


class Unread:
    """What Autobahn takes for its inflater: it leaves messages compressed, and only puts their fragments together.

    Inflated are whole messages only, one at a time. Half a one costs no more than
    has come of it, however many connections bring one before they have joined.
    """

    EXTENSION_NAME: Final = EXTENSION

    def start_decompress_message(self) -> None:
        """Nothing is kept."""

    def decompress_message_data(self, data: bytes, max_output_len: int | None = None) -> bytes:  # noqa: ARG002 - Autobahn's
        """The same bytes."""
        return data

    def end_decompress_message(self) -> None:
        """Nothing was kept."""


UNREAD: Final = Unread()


class CorruptMessage(Exception):
    """A message's compressed form is none; the text says why."""


class MessageTooLong(Exception):
    """More comes of a message's compressed form than may."""


def inflate(data: bytes, limit: int) -> bytes:
    """A message of its compressed form (section 7.2.2).

    Args:
        data: the payload of all its frames.
        limit: so many bytes may come of it; little more than that is ever made of them.

    Raises:
        MessageTooLong: more would come of it.
        CorruptMessage: it is no compressed form, or none that is complete by itself.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    pieces = []
    size = 0
    try:
        for piece in _pieces(stream, data):
            size += len(piece)
            if size > limit:
                raise MessageTooLong
            pieces.append(piece)
        if not _is_whole(stream):
            raise CorruptMessage("it is cut short, or something follows its end")
    except zlib.error as error:
        raise CorruptMessage(str(error)) from None
    return b"".join(pieces)


def _pieces(stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """What comes of compressed bytes, a little at a time."""
    for at in range(0, len(data), _STEP):
        piece = stream.decompress(data[at : at + _STEP], _STEP)
        yield piece
        while len(piece) == _STEP:
            piece = stream.decompress(stream.unconsumed_tail, _STEP)
            yield piece
        if len(stream.unused_data) > 1:
            # It would be copied with every step from here on.
            raise CorruptMessage("something follows its end")


def _is_whole(stream: zlib._Decompress) -> bool:
    """Whether a message ends where its compressed form does: what its sender left out has to fit behind it."""
    if stream.eof:
        # A sender may end the stream and begin an empty block behind that (section 7.2.3.4).
        return stream.unused_data in (b"", b"\x00")
    return not stream.decompress(_TAIL + _LAST_BLOCK) and stream.eof and not stream.unused_data


_STEP: Final = 65536
"""So many bytes go in or come out at a time, at most."""
