"""A blocking WAMP client for tests that speaks permessage-deflate by hand, with Python's own zlib and nothing else."""

from __future__ import annotations

import random
import zlib
from typing import Any, Final, Self

from raw_wamp import Peer
from raw_websocket import CLOSE, CONTINUATION, PING, PONG, _closed, frame

OFFER: Final = "permessage-deflate; client_max_window_bits"
"""What browsers offer."""

COMPRESSED: Final = 4
"""The reserved bits of a compressed message's first frame."""


def deflated(data: bytes, *, window: int = 15, level: int = 6) -> bytes:
    """A message's compressed form (RFC 7692, section 7.2.1)."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -window)
    whole = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert whole.endswith(b"\x00\x00\xff\xff")
    return whole[:-4]


def inflated(data: bytes, *, window: int = 15) -> bytes:
    """A message of its compressed form, read by itself, with no larger window than agreed (section 7.2.2)."""
    stream = zlib.decompressobj(-window)
    return stream.decompress(data + b"\x00\x00\xff\xff") + stream.flush()


def in_fragments(opcode: int, payload: bytes, count: int, *, rsv: int = 0) -> bytes:
    """A message in about so many frames, at least as many as there are bytes for; the first has the reserved bits."""
    if count < 2 or not payload:
        return frame(opcode, payload, rsv=rsv)
    size = -(-len(payload) // count)
    parts = [payload[at : at + size] for at in range(0, len(payload), size)]
    return b"".join(
        frame(CONTINUATION if at else opcode, part, rsv=0 if at else rsv, fin=at == len(parts) - 1)
        for at, part in enumerate(parts)
    )


class DeflatingPeer(Peer):
    """A WAMP client that offers compression, and compresses what it sends.

    Args:
        port: on 127.0.0.1.
        serializer: ``json``, ``msgpack`` or ``cbor``.
        offer: its Sec-WebSocket-Extensions.
        window: of what it is sent, in bits; nothing that needs a larger one can be read.
        more: see :class:`Peer`.

    Attributes:
        compressing: whether what is sent by the usual methods is compressed.
        frames: the first byte and the payload's length of each data frame that came.
    """

    def __init__(
        self, port: int, serializer: str = "json", *, offer: str = OFFER, window: int = 15, **more: Any
    ) -> None:
        self.agreed = ""
        self.window = window
        self.compressing = True
        self.frames: list[tuple[int, int]] = []
        super().__init__(port, serializer, headers=[("Sec-WebSocket-Extensions", offer)], **more)

    def upgraded(self) -> Any:
        response = super().upgraded()
        self.agreed = response.headers.get("sec-websocket-extensions", "")
        return response

    def send_data(self, data: bytes) -> None:
        """Send one serialized message."""
        if self.compressing:
            self.send_frame(self.opcode, deflated(data), rsv=COMPRESSED)
        else:
            super().send_data(data)

    def receive_message(self) -> tuple[int, bytes]:
        """The next data message, inflated if it was compressed; otherwise as :meth:`RawConnection.receive_message`."""
        while True:
            received = self.receive_frame()
            if received.opcode == PING:
                self.send_frame(PONG, received.payload)
            elif received.opcode == PONG:
                self.pongs.append(received.payload)
            elif received.opcode == CLOSE:
                raise _closed(received.payload)
            else:
                assert received.fin, "the router does not fragment"
                self.frames.append((received.first, len(received.payload)))
                assert received.first >> 4 in (8, 8 | COMPRESSED), "only RSV1 was negotiated"
                if received.first >> 4 == 8:
                    return received.opcode, received.payload
                assert self.agreed, "nothing was negotiated"
                return received.opcode, inflated(received.payload, window=self.window)


class Opened:
    """Opens WebSockets that compress. A context manager: all are closed at its end."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._peers: list[DeflatingPeer] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for peer in self._peers:
            peer.close()

    def __call__(self, serializer: str = "json", **more: Any) -> DeflatingPeer:
        """A WebSocket that nothing was said on."""
        self._peers.append(DeflatingPeer(self._port, serializer, **more))
        return self._peers[-1]

    def joined(self, who: str = "alice", serializer: str = "json", **more: Any) -> DeflatingPeer:
        """A session of a principal of the static configuration."""
        return self(serializer, **more).join(f"the-ticket-of-{who}")


def varied_text(size: int, seed: int = 0) -> str:
    """Text that gets shorter, but not to nothing."""
    chosen = random.Random(seed)
    return "".join(chosen.choices([f"{number:x}" for number in range(500)], k=size))[:size]
