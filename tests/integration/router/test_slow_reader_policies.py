"""The policies for slow readers on a running router: what is dropped is told, the latest is kept, others go on."""

# Autobahn, txaio and pytest-twisted carry no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators
# txaio has to be told of Twisted before Autobahn is imported:
# ruff: noqa: E402
# Names that override Autobahn's are Autobahn's:
# ruff: noqa: N802

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
import pytest_twisted  # type: ignore[import-untyped]  # it ships no types
import txaio
from conftest import static_configuration, ticket_of
from raw_wamp import EVENT, Peer, random_name
from raw_websocket import Ended
from redis_server import write_certificates
from router_process import RouterProcess
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

txaio.use_twisted()

from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory, connectWS
from autobahn.wamp.types import ComponentConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KIB = 1024
GAP = "wampgate.gap"
LIMIT: Final = KIB * KIB
DROP, LATEST, PLAIN = "com.example.drop.", "com.example.latest.", "com.example.plain."


def configuration(**more: Any) -> dict[str, Any]:
    document = static_configuration(**more)
    document["realms"][0]["topics"] = [
        {"uri": DROP, "match": "prefix", "slow_readers": "drop"},
        {"uri": LATEST, "match": "prefix", "slow_readers": "latest", "latest_by": "key"},
    ]
    return document


@pytest.fixture(scope="module")
def plain() -> Iterator[RouterProcess]:
    with RouterProcess(configuration()) as process:
        yield process


@pytest.fixture(scope="module")
def hasty() -> Iterator[RouterProcess]:
    """A router that gives up on one that reads nothing for a second, unless its topics say else."""
    with RouterProcess(configuration(limits={"stalled_seconds": 1})) as process:
        yield process


@pytest.fixture(params=["tcp", "tls"])
def way(request: pytest.FixtureRequest, join: Callable[..., Peer], plain: RouterProcess) -> Callable[..., Peer]:
    """Joins a router with and without TLS."""
    process, context = request.getfixturevalue("secure") if request.param == "tls" else (plain, None)
    return partial(join, process=process, tls=context)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RouterProcess, ssl.SSLContext]]:
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder, ["localhost", "127.0.0.1"])
    endpoint = f"ssl:0:privateKey={folder / 'server.key'}:certKey={folder / 'server.pem'}:interface=127.0.0.1"
    with RouterProcess(configuration(listen=[{"endpoint": endpoint}])) as process:
        yield process, ssl.create_default_context(cafile=str(folder / "ca.pem"))


def flood(publisher: Peer, topic: str, count: int, *, first: int = 0, keys: int = 1, size: int = 16 * KIB) -> None:
    """Publish numbered events; each has been taken by the router when this returns."""
    for number in range(first, first + count):
        publisher.send(16, publisher.next_request(), {}, topic, [number, "x" * size], {"key": number % keys})
    publisher.publish(f"{topic}.done")


def read_until(reader: Peer, subscription: int, last: int) -> list[list[Any]]:
    """Every message up to the event with the last number."""
    messages = []
    while True:
        message = reader.receive()
        messages.append(message)
        if message[:2] == [EVENT, subscription] and message[4][0] == last:
            return messages


def check_all_told(messages: list[list[Any]], subscription: int, gap: int, count: int) -> list[dict[str, Any]]:
    """What was received and what was announced is all that was sent, in order; what was announced."""
    expected = 0
    gaps = []
    for message in messages:
        if message[1] == gap:
            gaps.append(message[5])
            expected += message[5]["dropped"]
        elif message[1] == subscription:
            assert message[4][0] == expected
            expected += 1
    assert expected == count
    return gaps


def test_what_is_dropped_is_told_in_its_place(way: Callable[..., Peer]) -> None:
    topic = DROP + random_name()
    alice, slow = way("alice"), way("bob", receive_buffer=4096)
    told, subscription = slow.subscribe(GAP), slow.subscribe(topic)
    start = datetime.now(UTC)
    flood(alice, topic, 1000)
    messages = read_until(slow, subscription, 999)
    gaps = check_all_told(messages, subscription, told, 1000)
    assert gaps
    assert sum(gap["dropped"] for gap in gaps) > 100
    for gap in gaps:
        assert {key: gap[key] for key in ("topic", "match", "why")} == {
            "topic": topic,
            "match": "exact",
            "why": "slow_reader",
        }
        since = datetime.fromisoformat(gap["since"])
        assert (start - since).total_seconds() < 1
        assert since <= datetime.now(UTC)
    # Afterwards all is as before.
    flood(alice, topic, 10, first=1000)
    assert [slow.event()[4][0] for _ in range(10)] == list(range(1000, 1010))


def test_who_does_not_listen_is_cut_off(plain: RouterProcess, join: Callable[..., Peer]) -> None:
    topic = DROP + random_name()
    alice, slow = join("alice", process=plain), join("bob", process=plain, receive_buffer=4096)
    slow.subscribe(topic)
    flood(alice, topic, 1000)
    log = plain.wait_for_log("it can't be told of a gap: it has no subscription to wampgate.gap")
    assert "more than 1048576 bytes waited for it" in log
    with pytest.raises((Ended, TimeoutError)):
        slow.closed()


def test_who_listens_is_still_cut_off_for_what_may_not_be_dropped(
    plain: RouterProcess, join: Callable[..., Peer]
) -> None:
    topic = PLAIN + random_name()
    alice, slow = join("alice", process=plain), join("carol", process=plain, receive_buffer=4096)
    slow.subscribe(GAP)
    slow.subscribe(topic)
    flood(alice, topic, 1000)
    with pytest.raises((Ended, TimeoutError)):
        slow.closed()


def test_of_each_key_the_latest_arrives(way: Callable[..., Peer]) -> None:
    topic = LATEST + random_name()
    alice, slow = way("alice"), way("bob", receive_buffer=4096)
    subscription = slow.subscribe(topic)
    flood(alice, topic, 1000, keys=7)
    messages = read_until(slow, subscription, 999)
    numbers = [message[4][0] for message in messages]
    assert numbers == sorted(set(numbers))
    assert len(numbers) < 900
    assert numbers[-7:] == list(range(993, 1000))


def test_a_reader_that_stalls_stays_and_is_told(hasty: RouterProcess, join: Callable[..., Peer]) -> None:
    topic = DROP + random_name()
    alice, slow = join("alice", process=hasty), join("bob", process=hasty, receive_buffer=4096)
    told, subscription = slow.subscribe(GAP), slow.subscribe(topic)
    flood(alice, topic, 600)
    time.sleep(3.5)
    flood(alice, topic, 1, first=600)
    messages = read_until(slow, subscription, 600)
    assert check_all_told(messages, subscription, told, 601)


def test_neighbours_notice_nothing_and_memory_stays(plain: RouterProcess, join: Callable[..., Peer]) -> None:
    topic = DROP + random_name()
    alice, neighbour = join("alice", process=plain), join("carol", process=plain)
    subscription = neighbour.subscribe(topic)
    neighbour.subscribe(GAP)
    slow = [join("bob", process=plain, receive_buffer=4096) for _ in range(4)]
    ids = [(reader.subscribe(GAP), reader.subscribe(topic)) for reader in slow]
    plain.forget_peak()
    before = plain.rss()
    slowest = 0.0
    for number in range(1280):
        start = time.monotonic()
        alice.publish(topic, [number, "x" * 16 * KIB])
        message = neighbour.event()
        assert (message[1], message[4][0]) == (subscription, number)
        slowest = max(slowest, time.monotonic() - start)
    # Four queues of 1 MiB each at most, of the 80 MiB that were meant for them.
    assert plain.peak_rss() - before < 10 * KIB * KIB
    assert slowest < 1
    for reader, (told, theirs) in zip(slow, ids, strict=True):
        assert check_all_told(read_until(reader, theirs, 1279), theirs, told, 1280)


# --- a stock client ---


class Subscriber(ApplicationSession):
    """A session as an application writes it: it keeps what it is told."""

    def __init__(self, config: ComponentConfig) -> None:
        super().__init__(config)
        self.ready: Deferred[None] = Deferred()
        self.seen: list[int] = []
        self.gaps: list[tuple[int, dict[str, Any]]] = []
        self.topic = DROP + random_name()
        self.lost = False

    def onConnect(self) -> None:
        self.join(self.config.realm, ["ticket"], "bob")

    def onChallenge(self, challenge: Any) -> str:
        assert challenge.method == "ticket"
        return ticket_of("bob")

    async def onJoin(self, details: Any) -> None:
        await self.subscribe(lambda **gap: self.gaps.append((len(self.seen), gap)), GAP)
        await self.subscribe(lambda number, _text, **_: self.seen.append(number), self.topic)
        self.ready.callback(None)

    def onDisconnect(self) -> None:
        self.lost = True


@pytest_twisted.ensureDeferred
async def test_stock_autobahn_python_is_told(plain: RouterProcess, join: Callable[..., Peer]) -> None:
    session = Subscriber(ComponentConfig("realm1"))
    url = f"ws://127.0.0.1:{plain.port}/ws"
    connectWS(WampWebSocketClientFactory(lambda: session, url=url))
    await session.ready
    transport: Any = session._transport
    connection = transport.transport
    connection.pauseProducing()
    alice = join("alice", process=plain)
    # More than the kernel keeps between the two, and what the router does.
    await deferToThread(flood, alice, session.topic, 2000)
    connection.resumeProducing()
    for _ in range(500):
        if session.seen and session.seen[-1] == 1999:
            break
        await deferLater(reactor, 0.02)
    assert not session.lost
    dropped = sum(gap["dropped"] for _, gap in session.gaps)
    assert dropped > 100
    assert len(session.seen) + dropped == 2000
    # Each gap came where the numbers have it.
    for place, gap in session.gaps:
        before = session.seen[place - 1] if place else -1
        assert session.seen[place] == before + 1 + gap["dropped"]
    session.leave()
