"""Close frames of the running router: replies leave before them, nothing leaves behind, and the session is over."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

import pytest
from raw_wamp import CALL, ERROR, INVOCATION, random_name
from raw_websocket import CLOSE, PING, TEXT, frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Peer

# The router drops a connection whose client does not answer its close frame after two seconds.
UNANSWERED_SECONDS = 2.0

LAST_FRAMES = {
    "a close frame": (frame(CLOSE, struct.pack("!H", 1000)), 1000),
    "a broken frame": (frame(TEXT, b"x", rsv=2), 1002),
    "no text": (frame(TEXT, b"\xff"), 1007),
    "a broken ping": (frame(PING, b"x" * 126), 1002),
}

ends = pytest.mark.parametrize("last", LAST_FRAMES)


@ends
def test_replies_leave_before_it(join: Callable[..., Peer], last: str) -> None:
    alice = join("alice")
    data, code = LAST_FRAMES[last]
    calls = [alice.framed([CALL, request, {}, "com.example.no.such.procedure"]) for request in range(1, 6)]
    alice.send_bytes(b"".join(calls) + data)
    assert [alice.receive()[:3] for _ in calls] == [[ERROR, CALL, request] for request in range(1, 6)]
    assert alice.closed()[0] == code
    assert alice._rest() == b""


@ends
def test_no_event_leaves_behind_it(join: Callable[..., Peer], last: str) -> None:
    alice, bob = join("alice"), join("bob")
    topic = random_name()
    alice.subscribe(topic)
    data, code = LAST_FRAMES[last]
    alice.send_bytes(data)
    for number in range(5):
        bob.publish(topic, [number])
    received = alice.receive_frame()
    while received.opcode == TEXT:
        # An event may be quicker than what ends the connection.
        received = alice.receive_frame()
    assert (received.opcode, struct.unpack("!H", received.payload[:2])) == (CLOSE, (code,))
    bob.publish(topic, ["behind"])
    assert alice._rest() == b""


def test_a_session_is_over_with_it(join: Callable[..., Peer]) -> None:
    alice, bob = join("alice"), join("bob")
    procedure = random_name()
    alice.register(procedure)
    bob.send(CALL, 1, {}, procedure)
    assert alice.receive()[0] == INVOCATION
    start = time.monotonic()
    alice.send_bytes(frame(TEXT, b"x", rsv=2))
    assert bob.receive()[:3] == [ERROR, CALL, 1]
    assert time.monotonic() - start < UNANSWERED_SECONDS / 2
