"""Quotas and rates of the running daemon: a flood is refused in words, ends with a way back, and hurts no one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration, ticket_of
from raw_wamp import CALL, PUBLISH, REGISTER, SUBSCRIBE, Aborted, Peer, WampError, random_name
from raw_websocket import Closed
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMIT = "wampgate.error.limit_exceeded"
RATE = 20


@pytest.fixture(scope="module")
def limited() -> Iterator[RouterProcess]:
    """A router on which everything is soon too much."""
    rates = {f"{kind}_per_second_per_session": RATE for kind in ("subscribes", "publishes", "calls")}
    limits = {**rates, "burst_seconds": 1, "excess_messages_per_session": 200, "sessions_per_authid": 4}
    with RouterProcess(static_configuration(limits=limits)) as process:
        yield process


def requests(peer: Peer, kind: int, count: int) -> list[list[Any]]:
    """Requests of one kind, which all would be granted."""
    options: dict[str, Any] = {"acknowledge": True} if kind == PUBLISH else {}
    name = random_name()
    return [[kind, peer.next_request(), options, f"{name}.{number}"] for number in range(count)]


@pytest.mark.parametrize("kind", [SUBSCRIBE, REGISTER, PUBLISH, CALL])
def test_a_flood_is_refused_in_words(limited: RouterProcess, join: Callable[..., Peer], kind: int) -> None:
    peer = join("alice", process=limited)
    sent = requests(peer, kind, 100)
    peer.send_bytes(b"".join(peer.framed(message) for message in sent))
    answers = [peer.receive() for _ in sent]
    refused = [answer for answer in answers if answer[0] == 8 and answer[4] == LIMIT]
    # What a second allows passes; the bucket may have filled a little meanwhile.
    assert RATE <= len(answers) - len(refused) < 2 * RATE
    assert refused[0][5][0].startswith("more than 20 ")
    assert "messages a second from this session; wait and try again" in refused[0][5][0]
    time.sleep(1.1)
    (again,) = requests(peer, kind, 1)
    peer.send(*again)
    answer = peer.receive()
    assert answer[0] != 8 or answer[4] != LIMIT


def test_a_flood_without_acknowledge_is_dropped_and_ends_with_a_code_to_come_back_from(
    limited: RouterProcess, join: Callable[..., Peer]
) -> None:
    topic = random_name()
    neighbour, flooding = join("bob", process=limited), join("carol", process=limited)
    neighbour.subscribe(topic)
    flooding.send_bytes(
        b"".join(flooding.framed([PUBLISH, flooding.next_request(), {}, topic, [n]]) for n in range(500))
    )
    with pytest.raises(Closed) as closed:
        flooding.receive()
    assert (closed.value.code, closed.value.reason) == (1013, LIMIT)
    arrived = [event[4][0] for event in neighbour.events()]
    # In order, and none after the session's end.
    assert RATE <= len(arrived) < 2 * RATE
    assert arrived == sorted(arrived)
    log = limited.wait_for_log("200 refused so far")
    assert "of 'carol'" in log
    assert "limits.publishes_per_second_per_session (1 refused so far)" in log
    # It may come back at once.
    assert join("carol", process=limited).publish(topic) > 0


def test_an_honest_neighbour_does_not_notice_a_flood(limited: RouterProcess, join: Callable[..., Peer]) -> None:
    neighbour = join("bob", process=limited)
    waits = []
    for _ in range(10):
        with Peer(limited.port).join(ticket_of("alice")) as flooding:
            sent = requests(flooding, CALL, 150)
            flooding.send_bytes(b"".join(flooding.framed(message) for message in sent))
            start = time.monotonic()
            neighbour.publish(random_name())
            waits.append(time.monotonic() - start)
        time.sleep(0.06)
    assert max(waits) < 0.5


def test_the_next_session_of_an_authid_is_refused_and_places_come_back(limited: RouterProcess) -> None:
    peers = [Peer(limited.port).join(ticket_of("backend")) for _ in range(4)]
    with Peer(limited.port) as one_more, pytest.raises(Aborted) as refused:
        one_more.join(ticket_of("backend"))
    assert refused.value.reason == LIMIT
    assert "4 sessions under this authid" in refused.value.details["message"]
    limited.wait_for_log("limits.sessions_per_authid is reached by 'backend'")
    peers[0].close()
    deadline = time.monotonic() + 5
    while True:
        try:
            Peer(limited.port).join(ticket_of("backend")).close()
            break
        except Aborted:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    for peer in peers:
        peer.close()


def test_the_defaults_are_met_by_no_honest_client(router: RouterProcess, join: Callable[..., Peer]) -> None:
    """A client that comes back subscribes all at once; a backend publishes as fast as it can wait for answers."""
    peer = join("alice", process=router)
    topic = random_name()
    for number in range(900):
        peer.subscribe(f"{topic}.{number}")
    for number in range(2000):
        peer.publish(f"{topic}.x", [number])
    with pytest.raises(WampError) as refused:
        peer.call(f"{topic}.nothing")
    assert refused.value.uri == "wamp.error.no_such_procedure"
