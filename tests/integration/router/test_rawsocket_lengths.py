"""A client that takes short messages only is never sent a longer one, and nobody waits for what can't be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import static_configuration, ticket_of
from raw_rawsocket import RawPeer
from raw_wamp import (
    ABORT,
    CALL,
    ERROR,
    EVENT,
    GOODBYE,
    INVOCATION,
    RESULT,
    SUBSCRIBED,
    YIELD,
    Aborted,
    Peer,
    WampError,
    random_name,
)
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TAKES = 2048
LONG = "x" * TAKES
EXCEEDED = "wamp.error.payload_size_exceeded"
PROGRESS = {"progressive_call_results": True, "call_canceling": True}


@pytest.fixture(params=["json", "msgpack", "cbor"])
def short(request: pytest.FixtureRequest, router: RouterProcess) -> Iterator[RawPeer]:
    """A session that takes 2 KiB."""
    with RawPeer(router.port, request.param, length=2) as peer:
        yield peer.join(ticket_of("bob"))
        assert max(peer.lengths) <= TAKES


@pytest.fixture
def alice(join: Callable[..., Peer]) -> Peer:
    return join("alice")


def test_an_event_is_left_out_and_told_and_all_others_come_in_order(short: RawPeer, alice: Peer) -> None:
    topic, other = random_name(), random_name()
    short.subscribe("wampgate.gap")
    for subscribed in (topic, other):
        short.subscribe(subscribed)
    expected: list[object] = []
    for number in range(20):
        too_long = number % 3 == 0
        alice.publish(topic, [number, LONG if too_long else ""])
        if not too_long:
            expected.append(number)
    alice.publish(other, [LONG, LONG])
    received, gaps = [], []
    for event in short.events():
        (gaps if len(event) > 5 else received).append(event[5] if len(event) > 5 else event[4][0])
    assert received == expected
    assert {gap["why"] for gap in gaps} == {"too_long"}
    assert sum(gap["dropped"] for gap in gaps if gap["topic"] == topic) == 7
    assert [gap["dropped"] for gap in gaps if gap["topic"] == other] == [1]


def test_in_one_burst_too(short: RawPeer, alice: Peer) -> None:
    topic = random_name()
    short.subscribe(topic)
    short.subscribe("wampgate.gap")
    burst = [[16, alice.next_request(), {}, topic, [number, LONG * (number % 5 == 2)]] for number in range(100)]
    alice.send_bytes(b"".join(alice.framed(message) for message in burst))
    alice.events()
    events = short.events()
    assert [event[4][0] for event in events if len(event) == 5] == [n for n in range(100) if n % 5 != 2]
    assert sum(event[5]["dropped"] for event in events if len(event) > 5) == 20


def test_a_gap_is_not_told_before_its_subscription_is_confirmed(router: RouterProcess) -> None:
    topic = random_name()
    with RawPeer(router.port, length=2).join(ticket_of("bob")) as short:
        for _ in range(50):
            subscription = short.subscribe(topic)
            # All within one turn of the reactor: the publication, then what subscribes.
            first = short.next_request()
            second = short.next_request()
            short.send_bytes(
                short.framed([16, first, {"exclude_me": False}, topic, [LONG]])
                + short.framed([32, second, {}, "wampgate.gap"])
            )
            confirmed = short.receive()
            assert confirmed[:2] == [SUBSCRIBED, second]
            assert short.event()[1] == confirmed[2]
            short.unsubscribe(confirmed[2])
            short.unsubscribe(subscription)


def test_who_does_not_listen_for_gaps_is_sent_away_with_the_reason(short: RawPeer, alice: Peer) -> None:
    topic = random_name()
    short.subscribe(topic)
    alice.publish(topic, [LONG])
    message = short.receive()
    assert (message[0], message[2]) == (GOODBYE, EXCEEDED)
    assert str(TAKES) in message[1]["message"]
    short.send(GOODBYE, {}, "wamp.close.goodbye_and_out")
    assert short.ended() < 1
    # Others have nothing to do with it.
    alice.publish(topic)


def test_a_result_is_an_error_for_who_can_not_take_it(short: RawPeer, alice: Peer) -> None:
    procedure = random_name()
    alice.register(procedure)
    for answer in (LONG, "short"):
        call = short.start_call(procedure)
        alice.send(YIELD, alice.receive()[1], {}, [answer])
        if answer == "short":
            assert short.result(call)[3] == ["short"]
        else:
            with pytest.raises(WampError, match=EXCEEDED) as error:
                short.result(call)
            assert error.value.message[1] == CALL


def test_an_error_too(short: RawPeer, alice: Peer) -> None:
    procedure = random_name()
    alice.register(procedure)
    call = short.start_call(procedure)
    alice.send(ERROR, INVOCATION, alice.receive()[1], {}, "com.example.error", [LONG])
    with pytest.raises(WampError, match=EXCEEDED):
        short.result(call)


def test_an_invocation_is_answered_in_the_callees_stead(short: RawPeer, alice: Peer) -> None:
    procedure = random_name()
    short.register(procedure)
    with pytest.raises(WampError, match=EXCEEDED):
        alice.call(procedure, [LONG])
    call = alice.start_call(procedure, [1])
    invocation = short.receive()
    assert (invocation[0], invocation[4]) == (INVOCATION, [1])
    short.send(YIELD, invocation[1], {}, [2])
    assert alice.result(call)[3] == [2]


def test_a_progressive_result_ends_the_call(router: RouterProcess) -> None:
    procedure = random_name()
    roles = {"caller": {"features": PROGRESS}, "callee": {"features": PROGRESS}}
    with (
        RawPeer(router.port, length=2).join(ticket_of("bob"), roles=roles) as short,
        Peer(router.port).join(ticket_of("alice"), roles=roles) as alice,
    ):
        alice.register(procedure)
        call = short.start_call(procedure, receive_progress=True)
        invocation = alice.receive()[1]
        alice.send(YIELD, invocation, {"progress": True}, ["first"])
        assert short.receive() == [RESULT, call, {"progress": True}, ["first"]]
        alice.send(YIELD, invocation, {"progress": True}, [LONG])
        error = short.receive()
        assert error[:3] == [ERROR, CALL, call]
        # Nothing comes behind the error: a client would not know of what it is the result.
        alice.send(YIELD, invocation, {}, ["last"])
        assert short.events() == []
        assert not short._waiting


def test_a_welcome_that_is_too_long_is_an_abort() -> None:
    configuration = static_configuration()
    configuration["realms"][0]["name"] = "com.example." + "é" * 1000
    realm = configuration["realms"][0]["name"]
    with RouterProcess(configuration) as process:
        with RawPeer(process.port, length=2) as short:
            short.hello(realm, authmethods=["ticket"])
            assert short.receive()[0] == 4
            short.send(5, ticket_of("bob"), {})
            message = short.receive()
            assert (message[0], message[2]) == (ABORT, EXCEEDED)
            assert short.ended() < 1
        with RawPeer(process.port, length=3) as longer:
            longer.join(ticket_of("bob"), realm=realm)
        with RawPeer(process.port) as peer, pytest.raises(Aborted, match="no_such_realm"):
            peer.join(ticket_of("bob"), realm="com.example.other")


@pytest.mark.parametrize("length", [2, 5, 11, 15])
def test_what_fits_is_sent_to_the_last_byte(router: RouterProcess, alice: Peer, length: int) -> None:
    topic = random_name()
    takes = 512 << length
    with RawPeer(router.port, length=length).join(ticket_of("bob")) as short:
        short.subscribe(topic)
        short.subscribe("wampgate.gap")
        alice.publish(topic, [""])
        head = len(short.encoded(short.event()))
        # A publication has to be taken first.
        takes = min(takes, 1 << 19)
        for size in range(takes - 20, takes + 20, 3):
            alice.publish(topic, ["y" * (size - head)])
            event = short.event()
            assert event[0] == EVENT
            assert len(event) > 5 or len(event[4][0]) == size - head
        assert length >= 11 or takes - 20 < max(short.lengths) <= takes
