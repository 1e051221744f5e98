"""A thousand bad connections of each kind: what they make the router write has a bound, and is still told."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest
from conftest import static_configuration, ticket_of
from raw_wamp import Aborted, Peer
from raw_websocket import PONG, TEXT, Ended, RawConnection, Refused, frame, upgrade_request
from router_process import RouterDidNotStart, RouterProcess

from wampgate.core.log_lines import LINES, PERIOD_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANY: Final = 1000
HELLO: Final = b'[1,"realm1",{"roles":{"caller":{}},"authmethods":["ticket"]}]'
JOINED: Final = (frame(TEXT, HELLO), frame(TEXT, f'[5,"{ticket_of("alice")}",{{}}]'.encode()))


def upgraded(*frames: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Callable[[int], bytes]:
    return lambda port: upgrade_request(port, headers=headers) + b"".join(frames)


KINDS: Final[dict[str, Callable[[int], bytes]]] = {
    "no HTTP": lambda _: b"hello there\r\n\r\n",
    "TLS where none is": lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "another host": upgraded(headers=(("Host", "evil.example"),)),
    "another origin": upgraded(headers=(("Origin", "https://evil.example"),)),
    "no handshake": upgraded(headers=(("Sec-WebSocket-Key", "short"),)),
    "no version": upgraded(headers=(("Sec-WebSocket-Version", "x" * 1000),)),
    "no subprotocol": upgraded(headers=(("Sec-WebSocket-Protocol", "soap"),)),
    "a reserved bit": upgraded(frame(TEXT, b"x", rsv=4)),
    "an unknown opcode": upgraded(frame(3, b"x")),
    "an unmasked frame": upgraded(frame(TEXT, b"x", mask=None)),
    "a huge frame": upgraded(frame(TEXT, b"x", length=2**40)),
    "no UTF-8": upgraded(frame(TEXT, b"\xff\xfe")),
    "a bad close code": upgraded(frame(8, b"\x00\x01")),
    "pongs that nobody asked for": upgraded(*[frame(PONG, b"x")] * 5),
    "no WAMP": upgraded(frame(TEXT, b"nonsense")),
    "another realm": upgraded(frame(TEXT, HELLO.replace(b"realm1", b"realm2"))),
    "no method": upgraded(frame(TEXT, HELLO.replace(b"ticket", b"x" * 50_000))),
    "a wrong token": upgraded(frame(TEXT, HELLO), frame(TEXT, b'[5,"wrong",{}]')),
    "refused requests": upgraded(*JOINED, *(frame(TEXT, b'[32,%d,{},"com.other.x"]' % n) for n in range(1, 6))),
    "a violation": upgraded(*JOINED, frame(TEXT, b"[2,1,{}]")),
}
"""What one such connection sends, port in, bytes out."""


@pytest.fixture(scope="module")
def flooded() -> Iterator[RouterProcess]:
    with RouterProcess(static_configuration(limits={"failed_logins_per_address_per_minute": 20})) as process:
        yield process


def flood(process: RouterProcess, kind: str, count: int) -> None:
    data = KINDS[kind](process.port)
    for _ in range(count):
        with RawConnection(process.port) as connection, suppress(Ended, OSError):
            connection.send_bytes(data)
            # Until the router has answered all of it, or had enough.
            connection.send_bytes(frame(8, b"\x03\xe8"))
            connection.ended(5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_bad_connections_write_has_a_bound(flooded: RouterProcess, kind: str) -> None:
    before = len(flooded.log())
    flood(flooded, kind, MANY)
    written = flooded.log()[before:]
    # Three kinds of lines at the most, in two periods at the most: and that of what would be 1,000 or 5,000.
    assert written.count("\n") <= 6 * LINES
    assert written.count("\n") < MANY * 0.9
    assert max(map(len, written.split("\n")), default=0) < 1000


def test_afterwards_the_log_says_how_much_it_left_out(flooded: RouterProcess) -> None:
    flood(flooded, "no method", LINES + 50)
    deadline = time.monotonic() + 2 * PERIOD_SECONDS
    while "lines of the kind 'join_refused' were left out" not in flooded.log():
        assert time.monotonic() < deadline
        with Peer(flooded.port, source="127.0.0.3") as peer, pytest.raises(Aborted):
            peer.join("wrong")
        time.sleep(0.5)
    with Peer(flooded.port, source="127.0.0.4").join(ticket_of("alice")) as peer:
        assert peer.welcome["authid"] == "alice"


# --- what keeps it from starting ---


def refused_start(configuration: dict[str, Any], **how: Any) -> str:
    process = RouterProcess(configuration, alarms_allowed=True, **how)
    with pytest.raises(RouterDidNotStart) as failed, process:
        pass
    return str(failed.value)


def test_a_port_in_use_is_one_line(flooded: RouterProcess) -> None:
    taken = static_configuration(listen=[{"endpoint": f"tcp:{flooded.port}:interface=127.0.0.1"}])
    said = refused_start(taken)
    assert f"wampgate can't start: Couldn't listen on 127.0.0.1:{flooded.port}" in said
    assert "; name another endpoint" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("content", "why"), [(None, "No such file or directory"), ("no key", "holds no key")])
def test_a_key_that_is_none_is_one_line(tmp_path: Any, content: str | None, why: str) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_text(content)
    said = refused_start(static_configuration(listen=[{"endpoint": f"ssl:0:interface=127.0.0.1:privateKey={path}"}]))
    (line,) = [line for line in said.splitlines() if "can't start" in line]
    assert str(path) in line
    assert why in line
    assert "Traceback" not in said


def test_a_mistake_of_our_own_is_written_with_its_traceback() -> None:
    """One of a plugin, say: Twisted lets anyone bring kinds of endpoints, and theirs may fail in any way."""
    broken = (
        "from wampgate.composition.running import Running\n"
        "def fail(*_, **__): raise KeyError('ours')\n"
        "Running.make = fail\n"
        "from twisted.scripts.twistd import run; run()\n"
    )
    said = refused_start(static_configuration(), command=(sys.executable, "-c", broken))
    assert "wampgate can't start, and that is a mistake of its own" in said
    assert "Traceback" in said
    assert "KeyError: 'ours'" in said


def test_refusals_are_told_as_ever(router: RouterProcess) -> None:
    with RawConnection(router.port) as connection, pytest.raises(Refused):
        connection.upgrade("soap")
    log = router.wait_for_log("failing WebSocket opening handshake ('speak one of:")
    assert "dropping connection to peer" not in log
