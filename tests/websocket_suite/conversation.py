"""Holds one case's conversation with an echo endpoint, in one of the ways in which its bytes may arrive."""

from __future__ import annotations

import struct
from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from raw_websocket import CLOSE, PONG, Ended, Frame, RawConnection, upgrade_request
from websocket_suite.case import DROPPED, NORMAL

if TYPE_CHECKING:
    from websocket_suite.case import Case, Kind

WAYS: Final = ("in one piece", "behind the handshake", "frame by frame", "byte by byte")

LONGEST_BY_BYTES: Final = 700
"""What is longer is not sent byte by byte."""

ANSWER_SECONDS: Final = 20.0


def talk(port: int, kind: Kind, case: Case, way: str) -> None:
    """Send a case's frames and see that exactly what it says comes back, and nothing behind a close frame."""
    with RawConnection(port, timeout=ANSWER_SECONDS) as connection:
        _send(connection, kind, b"".join(case.frames), case, way)
        if case.codes:
            received = _until_close(connection)
            code = _code_of(received)
        else:
            received = [connection.receive_frame() for _ in (*case.messages, *case.pongs)]
            connection.send_frame(CLOSE, struct.pack("!H", NORMAL))
            received += _until_close(connection)
            code = _code_of(received)
        assert [frame.payload for frame in received if frame.opcode == PONG] == list(case.pongs)
        assert [frame.payload for frame in received if frame.opcode == kind.opcode] == list(case.messages)
        assert code in (case.codes or {NORMAL})
        assert all(frame.opcode in (PONG, kind.opcode) for frame in received[: -1 if code else None])
        if code and case.codes:
            # It may have dropped the connection already.
            with suppress(ConnectionError):
                connection.send_frame(CLOSE, struct.pack("!H", code))
        # The server is who closes the connection below, and a close frame is the last that it sends.
        assert connection._rest() == b""


def _send(connection: RawConnection, kind: Kind, data: bytes, case: Case, way: str) -> None:
    if way == "behind the handshake":
        connection.send_bytes(upgrade_request(connection.port, subprotocol=kind.subprotocol) + data)
        connection.upgraded()
        return
    connection.upgrade(kind.subprotocol)
    try:
        if way == "in one piece":
            connection.send_bytes(data)
        elif way == "frame by frame":
            connection.send_split(data, accumulate(map(len, case.frames)))
        else:
            connection.send_split(data, range(1, len(data)))
    except ConnectionError:
        # It may fail before all is sent.
        assert case.codes


def _until_close(connection: RawConnection) -> list[Frame]:
    """All frames up to a close frame, or to the connection's end if it has none."""
    received: list[Frame] = []
    try:
        while not received or received[-1].opcode != CLOSE:
            received.append(connection.receive_frame())
            assert received[-1].fin
            assert received[-1].first >> 4 == 8, "nothing was negotiated that would use a reserved bit"
    except Ended:
        pass
    return received


def _code_of(received: list[Frame]) -> int:
    """The close frame's code; :data:`DROPPED` if there is no such frame."""
    if not received or received[-1].opcode != CLOSE:
        return DROPPED
    payload = received[-1].payload
    payload[2:].decode()
    return int(struct.unpack("!H", payload[:2])[0]) if payload else NORMAL
