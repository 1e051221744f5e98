"""Makes the WebSockets' compression of its section in router.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.transports.deflate import Compression

if TYPE_CHECKING:
    from wampgate.config import compression


def compression_of(section: compression.Compression | None) -> Compression | None:
    """How messages are compressed; None for not at all."""
    if section is None:
        return None
    return Compression(smallest=section.smallest_bytes, level=section.level, window_bits=section.window_bits)
