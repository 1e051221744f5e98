"""What Autobahn says of connections: bounded, escaped, at a level that wakes nobody; our own mistakes in full."""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs, formatEvent
from unit.transports.connected import Clock

from wampgate.core.log_lines import Sparing
from wampgate.transports.autobahn_log import AutobahnLog


def test_of_each_kind_so_many() -> None:
    clock = Clock()
    log = AutobahnLog(Sparing(clock, lines=2))
    with capturedLogs() as events:
        for number in range(1000):
            log.warn('failing WebSocket connection (code={code}): "{reason}"', code=1002, reason=str(number))
            log.error(f"a TLS error of its own words {number}")
    assert len(events) == 4
    clock.now += 10
    with capturedLogs() as events:
        log.warn('failing WebSocket connection (code={code}): "{reason}"', code=1002, reason="last")
    assert [formatEvent(event) for event in events] == [
        "998 lines like the next one were left out",
        'failing WebSocket connection (code=1002): "last"',
    ]


def test_what_a_client_sent_is_escaped_and_short() -> None:
    log = AutobahnLog(Sparing(Clock()))
    with capturedLogs() as events:
        log.info("refused: {reason}", reason="\r\n\x1b[2Jforged" + "x" * 100_000)
        log.warn("{reason} \r\n braces {not_a_field}")
        log.error("\x1b[2J{0.__class__}")
    lines = [formatEvent(event) for event in events]
    assert len(lines) == 3
    assert all(line.isprintable() and len(line) < 1000 for line in lines)
    assert "{not_a_field}" in lines[1]


def test_what_is_said_already_or_nobody_needs_is_left_out() -> None:
    log = AutobahnLog(Sparing(Clock()))
    with capturedLogs() as events:
        log.debug("{peer} sent a frame", peer="x")
        log.trace("{peer} sent a byte", peer="x")
        log.warn("dropping connection to peer {peer} with abort={abort}: {reason}", peer="x", abort=True, reason="y")
    assert events == []


def test_a_mistake_of_ours_is_written_with_its_traceback() -> None:
    log = AutobahnLog(Sparing(Clock(), lines=0))
    with capturedLogs() as events:
        try:
            {}["ours"]
        except KeyError:
            log.failure("in a hook")
    assert events[0]["log_level"] is LogLevel.critical
    assert "ours" in str(events[0]["log_failure"])
