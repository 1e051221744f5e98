"""Attackers in numbers against the daemon: whoever stalls, guesses, floods or exhausts hurts no honest client."""

from __future__ import annotations

import re
import resource
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final

import pytest
from conftest import static_configuration, ticket_of
from postgres_server import PostgresServer
from raw_wamp import Aborted, Peer, WampError, random_name
from raw_websocket import PING, Ended, RawConnection, Refused, frame, upgrade_request
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ATTACKERS: Final = 2000
HELLO: Final = b'[1,"realm1",{"roles":{"caller":{}},"authmethods":["ticket"]}]'


def first_bytes(port: int, *frames: bytes) -> bytes:
    """An upgrade and what follows it, in one piece."""
    return upgrade_request(port) + b"".join(frames)


STAGES: Final[dict[str, Callable[[int], bytes]]] = {
    "nothing at all": lambda _port: b"",
    "half a header": lambda _port: b"GET /ws HTTP/1.1\r\nHost: local",
    "silent after the upgrade": first_bytes,
    "half a HELLO": lambda port: first_bytes(port, frame(1, HELLO)[:-5]),
    "silent after CHALLENGE": lambda port: first_bytes(port, frame(1, HELLO)),
}


@pytest.fixture(scope="module")
def patient() -> Iterator[RouterProcess]:
    """A router that lets attackers stay: longer and in greater numbers than it does by default."""
    limits = {
        "connections_per_address": 0,
        "unauthenticated_connections": 2 * ATTACKERS,
        **dict.fromkeys(("header_seconds", "hello_seconds", "join_seconds"), 120),
    }
    with RouterProcess(static_configuration(limits=limits)) as process:
        yield process


def attack(stack: ExitStack, process: RouterProcess, stage: str, count: int = ATTACKERS) -> list[RawConnection]:
    """Connections that got as far as a stage and stay there."""
    data = STAGES[stage](process.port)
    attackers = []
    for number in range(count):
        connection = stack.enter_context(RawConnection(process.port))
        if data:
            connection.send_bytes(data)
        attackers.append(connection)
        # The waiting queue of the kernel is not what is tested.
        if number % 200 == 199:
            time.sleep(0.05)
    return attackers


def wait_for(true: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.02)


def logins(process: RouterProcess, count: int, source: str | None = None) -> list[float]:
    """How long each of some honest logins took, in seconds."""
    waits = []
    for _ in range(count):
        start = time.monotonic()
        with Peer(process.port, source=source).join(ticket_of("alice")) as peer:
            peer.publish(random_name())
        waits.append(time.monotonic() - start)
    return sorted(waits)


@pytest.mark.parametrize("stage", STAGES)
def test_an_honest_login_is_quick_among_thousands_that_stall(patient: RouterProcess, stage: str) -> None:
    with ExitStack() as stack:
        attackers = attack(stack, patient, stage)
        wait_for(lambda: patient.descriptors() > ATTACKERS)
        waits = logins(patient, 100)
        # They are all still there.
        assert patient.descriptors() > ATTACKERS
        del attackers
    assert waits[98] < 1, f"p99 {waits[98]:.3f} s"
    wait_for(lambda: patient.descriptors() < ATTACKERS / 10)


def answered(connection: RawConnection) -> bytes:
    """What has come but pings, if anything has."""
    try:
        while (received := connection.receive_frame()).opcode == PING:
            pass
    except TimeoutError:
        return b""
    return received.payload


def test_an_honest_login_is_quick_among_thousands_whose_authenticator_is_silent() -> None:
    """Their tokens are looked up in a database that says nothing; the honest one needs no database."""
    limits = {
        "connections_per_address": 0,
        "unauthenticated_connections": 2 * ATTACKERS,
        "join_seconds": 120,
        "failed_logins_per_address_per_minute": 10 * ATTACKERS,
        "failed_logins_per_minute": 0,
    }
    with PostgresServer() as postgres, ExitStack() as stack:
        dsn = postgres.create_database()
        prepare_postgres(dsn)
        configuration = static_configuration(limits=limits)
        configuration["realms"][0]["store"] = {"type": "postgres", "dsn": dsn, "timeout_seconds": 60}
        process = stack.enter_context(RouterProcess(configuration))
        process.wait_for_log("are heard")
        postgres.freeze()
        attackers = attack(stack, process, "silent after CHALLENGE")
        for number, connection in enumerate(attackers):
            connection.send_bytes(frame(1, f'[5,"guess {number}",{{}}]'.encode()))
        waits = logins(process, 100)
        # None of them has had an answer.
        for connection in attackers[:: ATTACKERS // 20]:
            connection.upgraded()
            assert b'[4,"ticket"' in connection.receive_message()[1]
            connection.socket.settimeout(0.01)
            assert not answered(connection)
        postgres.thaw()
    assert waits[98] < 1, f"p99 {waits[98]:.3f} s"


def test_one_address_cannot_take_all_places(router: RouterProcess) -> None:
    """With the limits as they come."""
    with ExitStack() as stack:
        with suppress(OSError):  # those that are refused may be so while they send
            # More than there are places for those who have not joined, from wherever they are.
            attack(stack, router, "half a header", 2100)
        assert logins(router, 20, source="127.0.0.2")[-1] < 1


def test_whoever_stalls_is_gone_in_time() -> None:
    limits = {"header_seconds": 1, "hello_seconds": 1, "join_seconds": 1.5}
    with RouterProcess(static_configuration(limits=limits)) as process, ExitStack() as stack:
        idle = process.descriptors()
        for stage in STAGES:
            attack(stack, process, stage, 100)
        wait_for(lambda: process.descriptors() <= idle)


# --- guesses ---

COUNTING: Final = (
    "CREATE TABLE lookups (token text)",
    """CREATE FUNCTION looked_up(token text) RETURNS TABLE (user_id text, seconds_left double precision)
       LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO lookups VALUES (looked_up.token);
           RETURN QUERY SELECT t.user_id::text, extract(epoch FROM t.expires - now())::double precision
                        FROM oauth_access_tokens t WHERE t.access_token = looked_up.token;
       END $$""",
)


@pytest.fixture(scope="module")
def counted() -> Iterator[tuple[RouterProcess, Callable[[], int]]]:
    """A router on a Postgres that counts the tokens that it is asked for."""
    with PostgresServer() as postgres:
        dsn = postgres.create_database()
        prepare_postgres(dsn)
        good = "('the-good-token', 'test', 'anna', now() + interval '1 hour', NULL)"
        postgres.execute(*COUNTING, f"INSERT INTO oauth_access_tokens VALUES {good}", dsn=dsn)
        configuration = static_configuration()
        configuration["realms"][0]["store"] = {
            "type": "postgres",
            "dsn": dsn,
            "token_hash": "plain",
            "token_query": "SELECT user_id, seconds_left FROM looked_up(%(token)s)",
        }
        with RouterProcess(configuration) as process:

            def asked() -> int:
                # Distinct ones: what a change has overtaken is asked for once more.
                ((count,),) = postgres.execute("SELECT count(DISTINCT token) FROM lookups", dsn=dsn)
                return int(count)

            yield process, asked


def guess_all(process: RouterProcess, tokens: Sequence[str], source: str) -> int:
    """Show tokens, some hundred at a time, without waiting for an answer in between; how many were denied."""
    denied = 0
    for begin in range(0, len(tokens), 400):
        with ExitStack() as stack:
            crowd = []
            for token in tokens[begin : begin + 400]:
                connection = stack.enter_context(RawConnection(process.port, source=source))
                answer = f'[5,"{token}",{{}}]'.encode()
                connection.send_bytes(first_bytes(process.port, frame(1, HELLO), frame(1, answer)))
                crowd.append(connection)
            for connection in crowd:
                connection.upgraded()
                connection.receive_message()
                denied += b"wamp.error.authentication_denied" in connection.receive_message()[1]
    return denied


def test_of_ten_thousand_guesses_no_more_than_fifty_reach_the_database(
    counted: tuple[RouterProcess, Callable[[], int]],
) -> None:
    process, asked = counted
    before = asked()
    guesses = [f"guess-{number}" for number in range(10_000)]
    assert guess_all(process, guesses, "127.0.0.5") == len(guesses)
    assert 0 < asked() - before <= 50
    # Whoever is elsewhere gets in meanwhile, and from there nobody does, whatever they show.
    with Peer(process.port, source="127.0.0.6") as peer:
        assert peer.join("the-good-token").welcome["authid"] == "anna"
    with Peer(process.port, source="127.0.0.5") as peer, pytest.raises(Aborted):
        peer.join("the-good-token")


def test_honest_logins_that_come_all_at_once_get_in(counted: tuple[RouterProcess, Callable[[], int]]) -> None:
    process, _ = counted
    assert guess_all(process, ["the-good-token"] * 800, "127.0.0.7") == 0


# --- what the machine runs out of ---


def is_served(process: RouterProcess) -> bool:
    try:
        with RawConnection(process.port, timeout=2) as connection:
            return connection.request("/health/live").status == 200
    except (Ended, OSError):
        return False


def test_without_descriptors_it_refuses_and_recovers() -> None:
    with RouterProcess(static_configuration()) as process, ExitStack() as stack:
        alice, bob = (stack.enter_context(Peer(process.port)).join(ticket_of(name)) for name in ("alice", "bob"))
        topic = random_name()
        bob.subscribe(topic)
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (process.descriptors() + 20, hard))
        many = []
        for _ in range(100):
            with suppress(OSError):
                many.append(stack.enter_context(RawConnection(process.port)))
        time.sleep(0.3)
        assert not is_served(process)
        # Those who are in notice nothing, and nobody turns in circles.
        used, start = process.cpu_seconds(), time.monotonic()
        for number in range(20):
            alice.publish(topic, [number])
            assert bob.event()[4] == [number]
            time.sleep(0.05)
        assert process.cpu_seconds() - used < (time.monotonic() - start) / 2
        for connection in many:
            connection.close()
        wait_for(lambda: is_served(process))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_a_full_disk_under_the_log_does_not_stop_it(tmp_path: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Only to have router.json written as it always is.
    prepared = RouterProcess(static_configuration(listen=[{"endpoint": f"tcp:{port}:interface=127.0.0.1"}]))
    prepared._write_configuration()
    command = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=", "wampgate"]
    with open("/dev/full", "wb") as full:
        daemon = subprocess.Popen(command, cwd=prepared.folder, stdin=subprocess.DEVNULL, stdout=full, stderr=full)
    try:
        prepared.port, deadline = port, time.monotonic() + 20
        while not is_served(prepared):
            assert daemon.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        for _ in range(20):
            with Peer(port) as peer, pytest.raises(Aborted):
                peer.join("a wrong one")  # a line in the log each
            with Peer(port).join(ticket_of("alice")) as peer:
                peer.publish(random_name())
    finally:
        daemon.terminate()
        daemon.wait(15)
        prepared.stop()
        prepared._remove()


def test_who_does_not_answer_pings_is_dropped() -> None:
    with RouterProcess(static_configuration(limits={"ping_seconds": 1})) as process:
        with Peer(process.port).join(ticket_of("alice")) as dead, Peer(process.port).join(ticket_of("bob")) as alive:
            start = time.monotonic()
            alive.socket.settimeout(0.5)
            ended = None
            dead.socket.settimeout(0.1)
            pinged = False
            while ended is None and time.monotonic() - start < 6:
                try:
                    pinged = dead.receive_frame().opcode == PING or pinged
                except TimeoutError:
                    pass
                except Ended:
                    ended = time.monotonic() - start
                # Answers the pings that came meanwhile.
                assert alive.publish(random_name()) > 0
            assert pinged
            assert ended is not None
            assert 0.9 < ended < 4
        process.wait_for_log("no sign of life since the last ping")


# --- what is written to the log ---

INJECTIONS: Final = (
    "\r\n2026-01-01T00:00:00+0000 [wampgate#critical] injected",
    "\n[wampgate#critical] injected",
    "\r[wampgate#critical] injected",
    "\x1b[2J\x1b[31minjected",
    "\x1b]0;injected\x07",
    "\x00injected",
    "\x08\x08\x08injected",
    "\x7finjected",
    "\x85injected",
    "\x9b31minjected",
    "\u2028injected",
    "\u2029injected",
    "\u202einjected",
    "{injected}",
    "%(injected)s",
    "{0.__class__}",
)

LINE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (info |warn |error) [a-z]+ +\S")


def test_no_client_writes_a_line_of_its_own() -> None:
    """Everything that a client chooses and that a log line may name."""
    with RouterProcess(static_configuration()) as process:
        for text in INJECTIONS:
            by_hello(process, text)
            by_requests(process, text)
            by_headers(process, text)
        log = process.log()
    assert "injected" in log
    # Twistd's own lines at the start are lines as well.
    for line in log.split("\n")[:-1]:
        assert LINE.match(line), line
        assert all(character.isprintable() for character in line), line


def by_hello(process: RouterProcess, text: str) -> None:
    for realm, details in (
        (text, {}),
        (f"realm1{text}", {}),
        ("realm1", {"authid": text, "authmethods": ["ticket"]}),
        ("realm1", {"authmethods": [text]}),
        ("realm1", {"authmethods": ["ticket"], "authextra": {"organization": text}}),
        ("realm1", {"agent": text, "roles": {text: {}}}),
    ):
        with Peer(process.port, headers=[("User-Agent", "x")]) as peer, suppress(Aborted):
            peer.join(None if "authmethods" not in details else ticket_of("alice"), realm=realm, **details)


def by_requests(process: RouterProcess, text: str) -> None:
    with Peer(process.port).join(ticket_of("alice")) as peer:
        for name in (f"com.other.{text}", f"organization.{text}", text):
            for ask in (peer.subscribe, peer.register, peer.publish, peer.call):
                with suppress(WampError):
                    ask(name)
        with suppress(WampError):
            peer.subscribe(f"com.{text}", match="prefix")
    with Peer(process.port).join(ticket_of("alice")) as peer:
        peer.send(text, text)
        with suppress(Ended, Aborted):
            peer.receive()


def by_headers(process: RouterProcess, text: str) -> None:
    value = text.replace("\r", " ").replace("\n", "\x0b").encode("utf-8").decode("latin-1")
    for name in ("Host", "Origin", "User-Agent", "X-Forwarded-For", "Sec-WebSocket-Protocol", "Sec-WebSocket-Version"):
        with RawConnection(process.port) as connection, suppress(Refused, Ended):
            connection.upgrade(headers=[(name, f"evil.example{value}")])
    with RawConnection(process.port) as connection, suppress(Ended):
        connection.send_bytes(f"GET /{value} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("latin-1"))
        connection.response()
