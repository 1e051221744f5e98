"""Ids of a Redis stream's entries, and the publication ids that their events have on every node and at every reading.

A publication id has 53 bits. That of an entry's first event holds the entry's place, so
that the place can be found again:

    0 | milliseconds since 2020 (41 bits, up to 2089) | sequence number + the stream's own shift, modulo 2048

The shift keeps two streams apart whose entries were added in the same millisecond.
Where that does not fit (ids made by hand, more than 2048 entries in a millisecond), the
highest bit is 1 and the others are a hash: the same everywhere too, but it tells no
place. An entry's further events have hashes of the first one's
(:func:`wampgate.bridge.outcomes.following_publication`).
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final, NamedTuple
from zlib import crc32

_EPOCH: Final = 1_577_836_800_000
"""2020-01-01 in milliseconds since 1970."""

_SEQUENCE_BITS: Final = 11
_SEQUENCES: Final = 1 << _SEQUENCE_BITS
_MILLISECONDS: Final = 1 << 41
_HASHED: Final = 1 << 52
_MAX: Final = 2**64 - 1
_ID: Final = re.compile(rb"([0-9]{1,20})-([0-9]{1,20})")


class StreamId(NamedTuple):
    """An entry's id; ids compare as their entries come.

    Attributes:
        milliseconds: when it was added, in milliseconds since 1970, if Redis made the id.
        sequence: tells apart those of one millisecond.
    """

    milliseconds: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.milliseconds}-{self.sequence}"

    @property
    def seconds(self) -> float:
        """When it was added, in seconds since 1970."""
        return self.milliseconds / 1000


START: Final = StreamId(0, 0)
"""Before every entry."""


def stream_id(text: bytes | str) -> StreamId:
    """Read an id as Redis writes it, ``1700000000000-0``.

    Raises:
        ValueError: it is none.
    """
    found = _ID.fullmatch(text if isinstance(text, bytes) else text.encode())
    if found is None:
        raise ValueError("not the id of a stream's entry")
    made = StreamId(int(found[1]), int(found[2]))
    if made.milliseconds > _MAX or made.sequence > _MAX:
        raise ValueError("the id of a stream's entry has two numbers below 2^64")
    return made


def publication_of(stream: str, entry: StreamId) -> int:
    """The publication id of an entry's first event."""
    milliseconds = entry.milliseconds - _EPOCH
    if 0 < milliseconds < _MILLISECONDS and entry.sequence < _SEQUENCES:
        return milliseconds << _SEQUENCE_BITS | (entry.sequence + crc32(stream.encode())) % _SEQUENCES
    # The stream comes last: whatever it is called, nothing else reads the same.
    digest = blake2b(f"{entry} {stream}".encode(), digest_size=8).digest()
    return _HASHED | int.from_bytes(digest) % _HASHED


def entry_of(stream: str, publication: int) -> StreamId | None:
    """The entry whose first event has this publication id, if it is one of this stream; None if the id tells no place.

    Ids that come from elsewhere may look like a place: see whether the entry is there.
    """
    if publication >= _HASHED:
        return None
    sequence = (publication - crc32(stream.encode())) % _SEQUENCES
    return StreamId((publication >> _SEQUENCE_BITS) + _EPOCH, sequence)
