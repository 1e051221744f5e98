"""How many connections there may be: the next one is refused, and places come back however a connection ends."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from conftest import static_configuration, ticket_of
from raw_wamp import Peer, random_name
from raw_websocket import Ended, RawConnection, frame
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def is_served(process: RouterProcess, source: str | None = None) -> bool:
    """Whether the router takes one more connection and answers on it."""
    try:
        with RawConnection(process.port, source=source) as connection:
            return connection.request("/health/live").status == 200
    except (Ended, OSError):
        return False


def capped(**limits: int) -> RouterProcess:
    return RouterProcess(static_configuration(limits=limits))


def eventually_served(process: RouterProcess) -> bool:
    for _ in range(100):
        if is_served(process):
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def held() -> Iterator[Callable[[RouterProcess, int], list[RawConnection]]]:
    """Opens connections that do nothing."""
    connections: list[RawConnection] = []

    def hold(process: RouterProcess, count: int) -> list[RawConnection]:
        mine = [RawConnection(process.port) for _ in range(count)]
        connections.extend(mine)
        time.sleep(0.1)
        return mine

    yield hold
    for connection in connections:
        connection.close()


@pytest.mark.parametrize(
    "limits", [{"connections": 5}, {"connections_per_address": 5}, {"unauthenticated_connections": 5}], ids=str
)
def test_the_next_connection_is_refused_and_places_come_back(
    held: Callable[..., list[RawConnection]], limits: dict[str, int]
) -> None:
    with capped(**limits) as process:
        one, two, three, four, five = held(process, 5)
        assert not is_served(process)
        process.wait_for_log(f"limits.{next(iter(limits))} is reached")
        # However a connection ends, its place comes back.
        one.close()
        two.reset()
        assert three.request("/").status == 200
        four.upgrade()
        four.send_frame(8, b"\x03\xe8")
        four.closed()
        five.send_bytes(b"nonsense\r\n\r\n")
        assert five.response().status == 400
        for _ in range(3):
            assert eventually_served(process)
        held(process, 5)
        assert not is_served(process)


def test_those_who_have_joined_do_not_count_as_strangers(held: Callable[..., list[RawConnection]]) -> None:
    with capped(unauthenticated_connections=2) as process, ExitStack() as peers:
        joined = [peers.enter_context(Peer(process.port).join(ticket_of("alice"))) for _ in range(6)]
        strangers = held(process, 2)
        assert not is_served(process)
        for connection in strangers:
            connection.close()
        assert eventually_served(process)
        for peer in joined:
            assert peer.publish(random_name()) > 0


def test_one_address_does_not_take_the_others_places(held: Callable[..., list[RawConnection]]) -> None:
    with capped(connections_per_address=2) as process:
        held(process, 2)
        assert not is_served(process)
        assert is_served(process, source="127.0.0.2")


def test_a_thousand_that_come_and_go_leave_nothing_behind(router: RouterProcess) -> None:
    for _ in range(50):
        Peer(router.port).join(ticket_of("alice")).close()
    time.sleep(0.2)
    descriptors = router.descriptors()
    for number in range(400):
        connection = RawConnection(router.port)
        if number % 4 == 1:
            connection.send_bytes(b"GET / HT")
        elif number % 4 == 2:
            connection.upgrade()
        elif number % 4 == 3:
            connection.upgrade()
            connection.send_bytes(frame(1, b'[1,"realm1",{"roles":{"caller":{}}}]')[:-3])
        if number % 2:
            connection.reset()
        else:
            connection.close()
    deadline = time.monotonic() + 5
    while router.descriptors() > descriptors:
        assert time.monotonic() < deadline
        time.sleep(0.05)
