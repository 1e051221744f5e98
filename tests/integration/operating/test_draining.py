"""The way out: not ready first, then nobody new, then what is under way is finished and everyone is sent away."""

from __future__ import annotations

import re
import signal
import socket
import threading
import time
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest
from conftest import ticket_of
from integration.http.plain_http import Connection
from integration.revocation.crowd import allow_descriptors
from raw_rawsocket import RawPeer
from raw_wamp import Peer
from raw_websocket import RawConnection
from router_process import RouterProcess

from .reloading import operated
from .test_reload_changes import free_port

SHUTDOWN = (1012, "wamp.close.system_shutdown")


def draining(**drain: Any) -> dict[str, Any]:
    return operated(drain=drain)


def joined(process: RouterProcess, authid: str, **more: Any) -> Peer:
    return Peer(process.port).join(ticket_of(authid), **more)


def test_a_call_in_flight_is_finished_while_all_others_go() -> None:
    with RouterProcess(draining(seconds=0.1, calls_seconds=20)) as process, ExitStack() as stack:
        alice, bob, idle = (stack.enter_context(joined(process, name)) for name in ("alice", "bob", "alice"))
        early = stack.enter_context(Peer(process.port))
        raw = stack.enter_context(RawPeer(process.port)).join(ticket_of("alice"))
        bob.register("com.example.slow")
        alice.subscribe("com.example.news")
        call = alice.start_call("com.example.slow")
        invocation = bob.receive()
        process.signal(signal.SIGTERM)
        assert idle.closed() == SHUTDOWN
        raw.closed()
        # Whoever is connected, and says HELLO now, is sent away in the same way.
        early.hello()
        assert early.closed() == SHUTDOWN
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", process.port), 5)
        # Those who are still here go on as ever.
        bob.publish("com.example.news", ["meanwhile"])
        assert alice.event()[4] == ["meanwhile"]
        bob.send(70, invocation[1], {}, ["done"])
        assert alice.result(call)[3] == ["done"]
        assert [alice.closed(), bob.closed()] == [SHUTDOWN] * 2
        assert process.wait() == 0
        process.stop()


def test_a_call_that_is_not_answered_is_not_waited_for_longer_than_said() -> None:
    with RouterProcess(draining(seconds=0.1, calls_seconds=0.5)) as process:
        with joined(process, "alice") as alice, joined(process, "bob") as bob:
            bob.register("com.example.never")
            alice.start_call("com.example.never")
            bob.receive()
            process.signal(signal.SIGTERM)
            assert alice.closed()[0] == 1012
            assert process.wait() == 0
        process.stop()


def test_the_second_signal_waits_for_no_call() -> None:
    with RouterProcess(draining(delay_seconds=300, seconds=300, calls_seconds=300)) as process:
        with joined(process, "alice") as alice, joined(process, "bob") as bob:
            bob.register("com.example.never")
            alice.start_call("com.example.never")
            bob.receive()
            process.signal(signal.SIGTERM)
            process.wait_for_log("received SIGTERM")
            process.signal(signal.SIGTERM)
            assert [alice.closed()[0], bob.closed()[0]] == [1012, 1012]
            assert process.wait() == 0
        assert "told twice to end" in process.log()
        process.stop()


def test_the_second_interrupt_hastens_as_well() -> None:
    with RouterProcess(draining(delay_seconds=300)) as process:
        with joined(process, "alice") as alice:
            process.signal(signal.SIGINT)
            process.wait_for_log("Received SIGINT") if "Received SIGINT" in process.log() else time.sleep(0.3)
            process.signal(signal.SIGINT)
            assert alice.closed()[0] == 1012
            # Whoever started it sees that it was interrupted.
            assert process.wait() == -signal.SIGINT
        process.stop()


def test_it_is_not_ready_before_anything_else_changes() -> None:
    admin = free_port()
    configuration = draining(delay_seconds=3, seconds=0.1) | {"admin": {"endpoint": f"tcp:{admin}:interface=127.0.0.1"}}
    with RouterProcess(configuration) as process:
        assert _ready(admin) == (200, "")
        process.signal(signal.SIGTERM)
        process.wait_for_log("received SIGTERM")
        status, said = _ready(admin)
        assert status == 503
        assert "shutting down" in said
        # The balancer has not looked yet: it may still send someone.
        with joined(process, "alice") as alice:
            alice.subscribe("com.example.a")
            assert alice.closed() == SHUTDOWN
        assert process.wait() == 0
        process.stop()


def _ready(port: int) -> tuple[int, str]:
    with Connection(port) as connection:
        connection.send(b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = connection.response()
        return answer.status, "" if answer.status == 200 else answer.body.decode()


def test_a_backends_call_gets_its_answer() -> None:
    configuration = draining(seconds=0.1, calls_seconds=20)
    configuration["listen"][0]["serves"] = ["wamp", "backend"]
    with RouterProcess(configuration) as process, joined(process, "bob") as bob:
        bob.register("com.example.slow")
        with Connection(process.port) as backend:
            body = b'{"procedure": "com.example.slow"}'
            backend.send(
                b"POST /call HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %b\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (ticket_of("alice").encode(), len(body), body)
            )
            invocation = bob.receive()
            process.signal(signal.SIGTERM)
            process.wait_for_log("received SIGTERM")
            time.sleep(0.3)
            bob.send(70, invocation[1], {}, ["done"])
            answer = backend.response()
            assert (answer.status, answer.json["args"]) == (200, ["done"])
        assert bob.closed() == SHUTDOWN
        assert process.wait() == 0
        process.stop()


def test_those_who_answer_calls_go_last() -> None:
    with RouterProcess(draining(seconds=2)) as process, ExitStack() as stack:
        callee = stack.enter_context(joined(process, "bob"))
        callee.register("com.example.echo")
        others = [stack.enter_context(joined(process, "alice")) for _ in range(100)]
        went: list[float] = []

        def watch(peer: Peer) -> None:
            peer.closed()
            went.append(time.monotonic())

        watching = [threading.Thread(target=watch, args=(peer,)) for peer in others]
        for thread in watching:
            thread.start()
        process.signal(signal.SIGTERM)
        callee.closed()
        last = time.monotonic()
        for thread in watching:
            thread.join(10)
        assert len(went) == len(others)
        assert sum(when <= last + 0.02 for when in went) > 90
        assert process.wait() == 0
        process.stop()


def test_what_is_not_whole_yet_does_not_keep_it() -> None:
    """Neither who has said nothing, nor half a header, nor a WebSocket without HELLO."""
    with RouterProcess(draining()) as process, ExitStack() as stack:
        stack.enter_context(RawConnection(process.port))
        half = stack.enter_context(RawConnection(process.port))
        half.send_bytes(b"GET /ws HTTP/1.1\r\nHost: 127")
        stack.enter_context(Peer(process.port))
        began = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("count", [5_000])
def test_five_thousand_are_sent_away_one_after_the_other(count: int) -> None:
    allow_descriptors(3 * count)
    limits = {"connections_per_address": 0, "sessions_per_authid": 0, "ping_seconds": 600}
    with RouterProcess(operated(limits=limits)) as process:
        peers = [joined(process, "alice") for _ in range(count)]
        try:
            process.signal(signal.SIGTERM)
            codes = [peer.closed() for peer in peers]
            assert set(codes) == {SHUTDOWN}
            assert process.wait(60) == 0
            begun, ended = (_when(process.log(), what) for what in ("received SIGTERM", "wampgate has stopped"))
            # By its own clock: five seconds to send them away, and what a busy machine takes besides.
            assert 4 < (ended - begun).total_seconds() < 30
        finally:
            for peer in peers:
                peer.close()
        process.stop()


def _when(log: str, what: str) -> datetime:
    found = re.search(rf"^(\S+) .*{what}", log, re.MULTILINE)
    assert found is not None, log[-3000:]
    return datetime.fromisoformat(found[1])
