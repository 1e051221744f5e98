"""Lines of a file or of standard input, read as they come while a connection is kept."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from wampgate.commands.errors import CommandFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_READ: Final = 1 << 16
_LONGEST: Final = 64 << 20
"""No event is longer; a file that is no text has no line breaks."""


async def lines_of(descriptor: int) -> AsyncIterator[bytes]:
    """The lines behind a descriptor, without their ends; what can be waited for is not read before something is there.

    Raises:
        CommandFailed: a line never ends.
    """
    rest = b""
    async for piece in _pieces(descriptor):
        *lines, rest = (rest + piece).split(b"\n") if b"\n" in piece else [rest + piece]
        for line in lines:
            yield line
        if len(rest) > _LONGEST:
            raise CommandFailed(f"a line of more than {_LONGEST:,} bytes is no event; each event is one line of JSON")
    if rest:
        yield rest


async def _pieces(descriptor: int) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:
        # A regular file: there is always something to read, or it is at its end.
        while piece := os.read(descriptor, _READ):
            yield piece
            await asyncio.sleep(0)
        return
    try:
        while True:
            await ready.wait()
            ready.clear()
            piece = os.read(descriptor, _READ)
            if not piece:
                return
            yield piece
    finally:
        with suppress(OSError, ValueError):
            loop.remove_reader(descriptor)
