"""The section ``compression`` of router.json: whether and how messages on WebSockets are compressed."""

from typing import Annotated

from msgspec import Meta

from wampgate.config.section import Section

SmallestBytes = Annotated[int, Meta(ge=128, le=2**24, description="a number of bytes from 128 to 16777216")]
ZlibLevel = Annotated[int, Meta(ge=1, le=9, description="a level of zlib from 1 (fast) to 9 (small)")]
WindowBits = Annotated[int, Meta(ge=9, le=15, description="a number of bits from 9 to 15")]


class Compression(Section, frozen=True, kw_only=True):
    """permessage-deflate for the WebSocket clients that offer it; ``docs/compression.md``.

    Attributes:
        smallest_bytes: shorter messages leave uncompressed.
        level: how much time is spent on each message.
        window_bits: the base-2 logarithm of the window, in bytes, in which repetitions are looked for.
    """

    smallest_bytes: SmallestBytes = 1024
    level: ZlibLevel = 3
    window_bits: WindowBits = 15
