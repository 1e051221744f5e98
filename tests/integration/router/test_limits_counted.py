"""Every limit in router.json has a counter, and whoever reaches the limit makes it count."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final

import pytest
from conftest import static_configuration, ticket_of
from msgspec.structs import fields
from raw_wamp import Aborted, Peer, WampError, random_name
from raw_websocket import CONTINUATION, TEXT, Closed, Ended, RawConnection, frame

from wampgate.config.limits import Limits
from wampgate.core.decisions import Pending

from .served import Served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Attack = Callable[["Under"], None]

NOT_COUNTED: Final = {
    "burst_seconds": "how much of each rate may come at once; the rates count",
    "ipv6_prefix_bits": "what the limits per address count by",
}


class Under:
    """A router with small limits, and what attacks it."""

    def __init__(self, served: Served, stack: ExitStack) -> None:
        self.served = served
        self.stack = stack

    def raw(self, **how: Any) -> RawConnection:
        return self.stack.enter_context(RawConnection(self.served.port, **how))

    def peer(self, who: str = "alice", **how: Any) -> Peer:
        return self.stack.enter_context(Peer(self.served.port, **how)).join(ticket_of(who))

    def refused(self, ask: Callable[[], object]) -> None:
        """Ask for one too many: an error, or the end."""
        with pytest.raises((WampError, Aborted, Closed, Ended, OSError)):
            ask()


def too_long(under: Under) -> None:
    peer = under.peer()
    peer.send_frame(TEXT, b"[" + b" " * 2000)
    assert peer.closed()[0] == 1009


def too_many_fragments(under: Under) -> None:
    peer = under.peer()
    peer.send_bytes(frame(TEXT, b"[", fin=False) + frame(CONTINUATION, b" ", fin=False) * 5)
    assert peer.closed()[0] == 1009


def one_connection_more(under: Under) -> None:
    for _ in range(3):
        connection = under.raw()
        connection.send_bytes(b"GET / HTTP/1.1\r\nHost: l")
        time.sleep(0.05)


def silence(under: Under) -> None:
    under.raw().ended(5)


def silence_after_upgrade(under: Under) -> None:
    connection = under.raw()
    connection.upgrade()
    assert connection.closed()[0] == 1008


def silence_after_challenge(under: Under) -> None:
    peer = under.stack.enter_context(Peer(under.served.port))
    peer.hello(authmethods=["ticket"])
    assert peer.receive()[0] == 4
    assert peer.receive()[0] == 3


def silence_when_pinged(under: Under) -> None:
    peer = under.peer()
    assert peer.ended(5) > 0.3  # the pings that come meanwhile are not answered


def guesses(under: Under) -> None:
    for _ in range(3):
        with Peer(under.served.port) as peer, pytest.raises(Aborted):
            peer.join("a wrong one")


def subscriptions(under: Under) -> None:
    peer = under.peer()
    peer.subscribe(random_name())
    under.refused(lambda: peer.subscribe(random_name()))


def registrations(under: Under) -> None:
    peer = under.peer()
    peer.register(random_name())
    under.refused(lambda: peer.register(random_name()))


def calls(under: Under) -> None:
    peer, procedure = under.peer(), random_name()
    under.peer("bob").register(procedure)
    peer.send(48, peer.next_request(), {}, procedure)
    under.refused(lambda: peer.call(procedure))


def leaving_much(under: Under) -> None:
    peer = under.peer()
    peer.call("wamp.session.add_testament", [random_name(), ["x" * 300], {}])
    under.refused(lambda: peer.call("wamp.session.add_testament", [random_name(), ["x" * 300], {}]))


def sessions(under: Under) -> None:
    under.peer()
    under.refused(under.peer)


def undecided(under: Under) -> None:
    realm: Any = under.served.service.router.realms["realm1"]
    peer = under.peer()

    class Hesitating:
        def authorize(self, *_: object) -> Pending[Any]:
            return Pending()

    under.served.inside(lambda: setattr(realm, "_authorizer", Hesitating()))
    for _ in range(3):
        peer.send(32, peer.next_request(), {}, random_name())
    wait_for_count(under.served, "limit_inbox_messages")


def subscribes(under: Under) -> None:
    peer = under.peer()
    for _ in range(2):
        with suppress(WampError):
            peer.subscribe(random_name())


def publishes(under: Under) -> None:
    peer = under.peer()
    for _ in range(2):
        with suppress(WampError):
            peer.publish(random_name())


def calling(under: Under) -> None:
    peer = under.peer()
    for _ in range(2):
        with suppress(WampError):
            peer.call(random_name())


def excess(under: Under) -> None:
    peer = under.peer()
    for _ in range(4):
        peer.send(16, peer.next_request(), {}, random_name())
    assert peer.closed()[0] == 1013


def reads_nothing(under: Under) -> None:
    topic = random_name()
    slow, alice = under.peer("bob", receive_buffer=4096), under.peer()
    slow.subscribe(topic)
    begun = time.monotonic()
    while not under.served.counters()["limit_outbox_bytes"]:
        alice.publish(topic, ["x" * 60_000])
        assert time.monotonic() - begun < 10


def reads_no_more(under: Under) -> None:
    topic = random_name()
    slow, alice = under.peer("bob", receive_buffer=4096), under.peer()
    slow.subscribe(topic)
    for _ in range(150):
        alice.publish(topic, ["x" * 60_000])
    wait_for_count(under.served, "limit_stalled_seconds")


def posted(under: Under, path: str, body: object, **headers: str) -> None:
    data = json.dumps(body).encode()
    given = {"Authorization": f"Bearer {ticket_of('alice')}", "Content-Type": "application/json", **headers}
    connection = under.raw()
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    connection.send_bytes(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{lines}Content-Length: {len(data)}\r\n"
        "Connection: close\r\n\r\n".encode()
        + data
    )
    connection.response()


def long_body(under: Under) -> None:
    posted(under, "/publish", {"topic": random_name(), "args": ["x" * 2000]})


def long_batch(under: Under) -> None:
    posted(under, "/publish/batch", {"publications": [{"topic": random_name()}] * 2})


def many_keys(under: Under) -> None:
    for key in ("one", "two"):
        posted(under, "/publish", {"topic": random_name()}, **{"Idempotency-Key": key})


LIMITS: Final[dict[str, tuple[dict[str, Any], Attack]]] = {
    "message_bytes": ({"message_bytes": 1000}, too_long),
    "connections": ({"connections": 2}, one_connection_more),
    "connections_per_address": ({"connections_per_address": 2}, one_connection_more),
    "unauthenticated_connections": ({"unauthenticated_connections": 2}, one_connection_more),
    "header_seconds": ({"header_seconds": 0.2}, silence),
    "hello_seconds": ({"hello_seconds": 0.2}, silence_after_upgrade),
    "join_seconds": ({"join_seconds": 0.3}, silence_after_challenge),
    "outbox_bytes": ({}, reads_nothing),
    "stalled_seconds": ({"stalled_seconds": 0.5, "outbox_bytes": 2**30}, reads_no_more),
    "inbox_messages": ({"inbox_messages": 2}, undecided),
    "subscriptions_per_session": ({"subscriptions_per_session": 1}, subscriptions),
    "registrations_per_session": ({"registrations_per_session": 1}, registrations),
    "calls_per_session": ({"calls_per_session": 1}, calls),
    "testaments_per_session": ({"testaments_per_session": 1}, leaving_much),
    "testament_bytes_per_session": ({"testament_bytes_per_session": 1_500}, leaving_much),
    "sessions_per_authid": ({"sessions_per_authid": 1}, sessions),
    **{
        f"{kind}_per_second_per_{owner}": ({f"{kind}_per_second_per_{owner}": 0.1, "burst_seconds": 1}, attack)
        for kind, attack in (("subscribes", subscribes), ("publishes", publishes), ("calls", calling))
        for owner in ("session", "authid", "address")
    },
    "excess_messages_per_session": (
        {"excess_messages_per_session": 3, "publishes_per_second_per_session": 0.1, "burst_seconds": 1},
        excess,
    ),
    "fragments_per_message": ({"fragments_per_message": 4}, too_many_fragments),
    "ping_seconds": ({"ping_seconds": 0.4}, silence_when_pinged),
    "failed_logins_per_address_per_minute": ({"failed_logins_per_address_per_minute": 2}, guesses),
    "failed_logins_per_minute": ({"failed_logins_per_minute": 1}, guesses),
    "http_body_bytes": ({"http_body_bytes": 1000}, long_body),
    "batch_publications": ({"batch_publications": 1}, long_batch),
    "idempotency_keys": ({"idempotency_keys": 1}, many_keys),
}


def wait_for_count(served: Served, counter: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not served.counters()[counter]:
        assert time.monotonic() < deadline, f"{counter} is not counted: {served.counters()}"
        time.sleep(0.05)


def test_every_limit_stands_in_the_table() -> None:
    assert set(LIMITS) | set(NOT_COUNTED) == {field.name for field in fields(Limits)}


@pytest.mark.parametrize("limit", LIMITS)
def test_whoever_reaches_a_limit_is_counted(limit: str, tmp_path: Path) -> None:
    limits, attack = LIMITS[limit]
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": ["wamp", "backend"]}]
    configuration = static_configuration(limits=limits, listen=listen)
    with Served(tmp_path, configuration) as served, ExitStack() as stack:
        assert not served.counters()[f"limit_{limit}"]
        attack(Under(served, stack))
        wait_for_count(served, f"limit_{limit}", 3)
        # No other limit is taken for it.
        others = {name for name in served.counters() if name.startswith("limit_")} - {f"limit_{limit}"}
        assert others <= {"limit_publishes_per_second_per_session"} if limit.startswith("excess") else not others


def test_whoever_stays_within_the_limits_is_not_counted(tmp_path: Path) -> None:
    with Served(tmp_path, static_configuration()) as served:
        topic = random_name()
        with Peer(served.port).join(ticket_of("alice")) as alice, Peer(served.port).join(ticket_of("bob")) as bob:
            bob.subscribe(topic)
            for number in range(100):
                alice.publish(topic, [number])
                assert bob.event()[4] == [number]
        assert not [name for name in served.counters() if name.startswith("limit_")]


def test_what_router_json_says_of_revocations_reaches_the_router(tmp_path: Path) -> None:
    with Served(tmp_path, static_configuration(subscription_revocation="never")) as served:
        assert served.service.router._revocation == "never"
