"""What a case of our own is: frames that are sent, what comes back of them, and how the connection ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from raw_websocket import BINARY, CONTINUATION, TEXT, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NORMAL, PROTOCOL_ERROR, INVALID_PAYLOAD, TOO_BIG = 1000, 1002, 1007, 1009

DROPPED: Final = 0
"""Stands among close codes for a connection that ends without a close frame."""


@dataclass(frozen=True)
class Kind:
    """The kind of a connection's messages.

    Attributes:
        name: of the kind.
        subprotocol: chooses it.
        opcode: of its messages.
    """

    name: str
    subprotocol: str
    opcode: int

    def message(self, payload: bytes, **how: bool | int) -> bytes:
        """A whole message in one frame."""
        return frame(self.opcode, payload, **how)  # type: ignore[arg-type]  # of each of its own type

    def fragmented(self, *parts: bytes) -> list[bytes]:
        """The frames of a message in pieces."""
        return [
            frame(CONTINUATION if at else self.opcode, part, fin=at == len(parts) - 1) for at, part in enumerate(parts)
        ]

    def bytes_of(self, size: int) -> bytes:
        """So many bytes of this kind: not all of them ASCII, and hardly a part of them like another."""
        if self.opcode == BINARY:
            words = range(0xFE00FF00, 0xFE00FF01 + size // 4)
            return b"".join(word.to_bytes(4, "little") for word in words)[:size]
        numbered = "".join(f"{number % (1 << 20):05x}é€ " for number in range(size // 11)).encode()
        return numbered + b"." * (size - len(numbered))


KINDS: Final = (Kind("text", "wamp.2.json", TEXT), Kind("binary", "wamp.2.msgpack", BINARY))


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        number: the section of the Autobahn test suite that it belongs to, and what it is about.
        frames: what is sent.
        messages: the payloads of the messages that come back.
        pongs: the payloads of the pongs.
        codes: of the close frames by which the endpoint may end the connection; :data:`DROPPED` stands for none.
            Empty if it goes on, and is then closed by the client with 1000.
    """

    number: str
    frames: tuple[bytes, ...]
    messages: tuple[bytes, ...] = ()
    pongs: tuple[bytes, ...] = ()
    codes: frozenset[int] = frozenset()

    def __str__(self) -> str:
        return self.number


def case(
    number: str,
    *frames: bytes,
    messages: Iterable[bytes] = (),
    pongs: Iterable[bytes] = (),
    codes: Iterable[int] = (),
) -> Case:
    """A case, see :class:`Case`."""
    return Case(number, frames, tuple(messages), tuple(pongs), frozenset(codes))


def of_both_kinds(cases: Callable[[Kind], Iterator[Case]]) -> list[tuple[Kind, Case]]:
    """The cases of a table, for each kind."""
    return [(kind, each) for kind in KINDS for each in cases(kind)]
