"""Packets that vanish, as behind a cut cable: peers that are gone are noticed, a database that is gone is waited for.

Nothing says so to either end: no FIN, no RST. The network is one of the test's own, and root is needed to make it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest
from conftest import principal, rule, static_configuration, ticket_of
from network_of_its_own import NetworkNotPossible, NetworkOfItsOwn
from postgres_server import PostgresServer
from raw_wamp import Aborted, Peer, WampError, random_name
from raw_websocket import Closed, Ended, RawConnection
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PING_SECONDS: Final = 1.0
STORE_SECONDS: Final = 1.0
RECOVERED_SECONDS: Final = 8.0


@pytest.fixture
def network() -> Iterator[NetworkOfItsOwn]:
    try:
        network = NetworkOfItsOwn().__enter__()
    except NetworkNotPossible as reason:
        pytest.skip(str(reason))
    try:
        yield network
    finally:
        network.__exit__()


def port_of(peer: RawConnection) -> int:
    return int(peer.socket.getsockname()[1])


def is_served(process: RouterProcess) -> bool:
    try:
        with RawConnection(process.port) as connection:
            return connection.request("/health/live").status == 200
    except (Ended, OSError):
        return False


def wait_for(true: Callable[[], object], seconds: float) -> float:
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < seconds, f"not within {seconds:g} s"
        time.sleep(0.05)
    return time.monotonic() - start


# --- clients ---


@pytest.mark.parametrize("sends", [False, True], ids=["listening", "being sent to"])
def test_a_peer_whose_packets_vanish_is_dropped_and_its_place_comes_back(network: NetworkOfItsOwn, sends: bool) -> None:
    limits = {"ping_seconds": PING_SECONDS, "connections_per_address": 3, "sessions_per_authid": 2}
    with RouterProcess(static_configuration(limits=limits)) as process:
        idle = process.descriptors()
        topic, procedure = random_name(), random_name()
        with (
            Peer(process.port).join(ticket_of("alice")) as gone,
            Peer(process.port).join(ticket_of("alice")) as alive,
        ):
            gone.subscribe(topic)
            gone.register(procedure)
            with RawConnection(process.port):
                assert not is_served(process)

            network.lose(port_of(gone))
            start = time.monotonic()
            while procedure_is_there(alive, procedure):
                if sends:
                    alive.publish(topic, ["x" * 1000])
                assert time.monotonic() - start < 3 * PING_SECONDS
                time.sleep(0.1)
            assert time.monotonic() - start > PING_SECONDS / 2
            process.wait_for_log("no sign of life since the last ping")
            # Its places, as a connection and as a session, are free; those of the others were never touched.
            with Peer(process.port).join(ticket_of("alice")) as next_one:
                next_one.register(procedure)
                # What it still sends reaches no one, even when the packets come through again.
                network.lose_nothing()
                with suppress(OSError):
                    gone.send(16, gone.next_request(), {}, topic, ["from the grave"])
                with pytest.raises((Ended, Closed, OSError)):
                    gone.leave()
                assert alive.publish(topic) > 0
        wait_for(lambda: process.descriptors() <= idle, 5)


def procedure_is_there(caller: Peer, procedure: str) -> bool:
    """Whether somebody has it registered, asked without waiting for an answer of whoever that is."""
    try:
        caller.unregister(caller.register(procedure))
    except WampError as error:
        return error.uri == "wamp.error.procedure_already_exists"
    return False


def test_one_that_vanishes_before_it_has_joined_is_not_waited_for(network: NetworkOfItsOwn) -> None:
    limits = {"header_seconds": 1, "hello_seconds": 1, "join_seconds": 1.5, "unauthenticated_connections": 3}
    with RouterProcess(static_configuration(limits=limits)) as process:
        idle = process.descriptors()
        header, upgraded, challenged = RawConnection(process.port), RawConnection(process.port), Peer(process.port)
        with header, upgraded, challenged:
            header.send_bytes(b"GET /ws HTTP/1.1\r\nHost: local")
            upgraded.upgrade()
            challenged.hello(authmethods=["ticket"])
            assert challenged.receive()[0] == 4
            for connection in (header, upgraded, challenged):
                network.lose(port_of(connection))
            # What takes the close frame for lost too is Autobahn's wait for its answer: 2 s.
            wait_for(lambda: process.descriptors() <= idle, 6)
            with Peer(process.port).join(ticket_of("alice")) as alice:
                assert alice.welcome["authid"] == "alice"


# --- the database ---


def login(process: RouterProcess) -> tuple[str, float]:
    """How a login ends (WELCOME or a reason), and after how many seconds."""
    start = time.monotonic()
    try:
        with Peer(process.port) as peer:
            peer.join("the-token")
            return "WELCOME", time.monotonic() - start
    except (Aborted, Closed) as refused:
        return refused.reason, time.monotonic() - start


def test_a_database_behind_a_cut_cable(network: NetworkOfItsOwn) -> None:
    """The router refuses in time, keeps those who are in, lets nobody in, and recovers by itself within seconds."""
    with PostgresServer() as postgres:
        dsn = postgres.create_database()
        prepare_postgres(dsn)
        postgres.execute(
            "INSERT INTO oauth_access_tokens VALUES"
            " (encode(sha256('the-token'), 'hex'), 'test', 'anna', now() + interval '1 hour', NULL)",
            "INSERT INTO organization_members VALUES ('7', 'anna', '')",
            dsn=dsn,
        )
        realm = {
            "name": "realm1",
            "store": {"type": "postgres", "dsn": dsn, "timeout_seconds": STORE_SECONDS},
            "authentication": {"principals": [principal("backend", "backend")]},
            "authorization": {"cache_seconds": 0, "rules": [rule("backend", ["publish"], "organization.", "prefix")]},
        }
        with RouterProcess(static_configuration(realms=[realm])) as process:
            process.wait_for_log("are heard")
            with Peer(process.port).join("the-token") as anna, Peer(process.port).join(ticket_of("backend")) as backend:
                anna.subscribe("organization.7")

                network.lose(postgres.port)
                for _ in range(3):
                    answers = [login(process) for _ in range(2)]
                    assert {reason for reason, _ in answers} == {"wamp.error.authentication_failed"}
                    assert max(seconds for _, seconds in answers) < STORE_SECONDS + 1
                    start = time.monotonic()
                    with pytest.raises(WampError) as undecided:
                        anna.subscribe("organization.8")
                    assert undecided.value.uri == "wamp.error.authorization_failed"
                    assert time.monotonic() - start < STORE_SECONDS + 1
                    # Who needs no store, and what was granted, goes on without delay.
                    start = time.monotonic()
                    backend.publish("organization.7", ["still here"])
                    assert anna.event()[4] == ["still here"]
                    assert time.monotonic() - start < 0.5

                network.lose_nothing()
                taken = wait_for(lambda: login(process)[0] == "WELCOME", RECOVERED_SECONDS)
                assert taken < RECOVERED_SECONDS
                # It listens again, too, on the connection that it had or on another one.
                postgres.execute("DELETE FROM organization_members", dsn=dsn)
                wait_for(lambda: not still_delivered(anna, backend), RECOVERED_SECONDS)


def still_delivered(anna: Peer, backend: Peer) -> bool:
    mark = random_name()
    backend.publish("organization.7", [mark])
    anna.socket.settimeout(0.3)
    try:
        while anna.receive()[4] != [mark]:
            pass
    except TimeoutError:
        return False
    return True
