"""Stock Autobahn Python over RawSocket: on TCP, TLS and Unix sockets, over each serializer; pings do not disturb it."""

# Autobahn and pytest-twisted carry no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]  # it ships no types
from autobahn.twisted.component import Component
from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import PublishOptions
from conftest import static_configuration, ticket_of
from raw_wamp import Peer, random_name
from redis_server import write_certificates
from router_process import RouterProcess
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ClientEndpoint, TCP4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PING_SECONDS = 0.5


class EveryWay(RouterProcess):
    """A router that listens on TCP, TLS and a Unix socket.

    Attributes:
        endpoints: how a client reaches it, by the kind of the listener.
    """

    def __init__(self, folder: Path, secure_port: int) -> None:
        write_certificates(folder, ["localhost"])
        path = folder / "wampgate.sock"
        key, certificate = folder / "server.key", folder / "server.pem"
        listen = [
            "tcp:0:interface=127.0.0.1",
            f"unix:{path}",
            f"ssl:{secure_port}:privateKey={key}:certKey={certificate}:interface=127.0.0.1",
        ]
        super().__init__(
            static_configuration(
                listen=[{"endpoint": endpoint} for endpoint in listen], limits={"ping_seconds": PING_SECONDS}
            )
        )
        authority = Certificate.loadPEM((folder / "ca.pem").read_bytes())
        self.endpoints = {
            "tcp": lambda: TCP4ClientEndpoint(reactor, "127.0.0.1", self.port),
            "unix": lambda: UNIXClientEndpoint(reactor, str(path)),
            "ssl": lambda: SSL4ClientEndpoint(
                reactor, "127.0.0.1", secure_port, optionsForClientTLS("localhost", trustRoot=authority)
            ),
        }

    def start(self) -> None:
        super().start()
        self.wait_for_log("listening on ssl:")

    def _endpoints(self) -> int:
        return 1


@pytest.fixture(scope="module")
def every_way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EveryWay]:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        secure_port = int(probe.getsockname()[1])
    with EveryWay(tmp_path_factory.mktemp("every-way"), secure_port) as process:
        yield process


def component(endpoint: Any, serializer: str, authid: str, **retries: Any) -> Any:
    """A stock component, and what fires with its session."""
    made = Component(
        transports=[
            {
                "type": "rawsocket",
                "url": "rs://127.0.0.1:1",
                "endpoint": endpoint,
                "serializer": serializer,
                "max_retries": 0,
            }
            | retries
        ],
        realm="realm1",
        authentication={"ticket": {"authid": authid, "ticket": ticket_of(authid)}},
    )
    joined: Deferred[Any] = Deferred()

    @made.on_join
    def join(session: Any, _details: Any) -> None:
        if not joined.called:
            joined.callback(session)

    return made, joined, made.start(reactor)


@pytest.mark.parametrize("way", ["tcp", "unix", "ssl"])
@pytest.mark.parametrize("serializer", ["json", "msgpack", "cbor"])
@pytest_twisted.ensureDeferred
async def test_what_a_client_does(every_way: EveryWay, way: str, serializer: str) -> None:
    topic, procedure = random_name(), random_name()
    first, alice_joined, first_done = component(every_way.endpoints[way](), serializer, "alice")
    second, bob_joined, second_done = component(every_way.endpoints[way](), serializer, "bob")
    alice, bob = await alice_joined, await bob_joined
    received: list[Any] = []
    await bob.subscribe(lambda *args, **kwargs: received.append((args, kwargs)), topic)
    await bob.register(lambda one, other: one + other, procedure)
    acknowledged = PublishOptions(acknowledge=True)
    for number in range(50):
        alice.publish(topic, number)
    await alice.publish(topic, bytes(range(256)), "x" * 200_000, nested={"k": [None, 1.5, "é"]}, options=acknowledged)
    assert await alice.call(procedure, 2, 3) == 5
    with pytest.raises(ApplicationError) as refused:
        await alice.subscribe(print, "organization.7")
    assert refused.value.error == "wamp.error.not_authorized"
    await eventually(lambda: len(received) == 51)
    assert [args[0] for args, _ in received[:50]] == list(range(50))
    assert received[50] == ((bytes(range(256)), "x" * 200_000), {"nested": {"k": [None, 1.5, "é"]}})
    await first.stop()
    await second.stop()
    await first_done
    await second_done


@pytest_twisted.ensureDeferred
async def test_its_session_outlives_pings_that_it_does_not_know(every_way: EveryWay) -> None:
    made, joined, done = component(every_way.endpoints["tcp"](), "json", "alice")
    alice = await joined
    await deferLater(reactor, 4 * PING_SECONDS)
    assert (await alice.publish(random_name(), options=PublishOptions(acknowledge=True))).id > 0
    await made.stop()
    await done


@pytest_twisted.ensureDeferred
async def test_the_runner(every_way: EveryWay) -> None:
    """With nothing but a URL: it speaks what Autobahn prefers."""
    joined: Deferred[str] = Deferred()

    class Session(ApplicationSession):
        def onConnect(self) -> None:  # noqa: N802 - Autobahn's name
            self.join("realm1", ["ticket"], "alice")

        def onChallenge(self, challenge: Any) -> str:  # noqa: N802 - Autobahn's name
            assert challenge.method == "ticket"
            return ticket_of("alice")

        def onJoin(self, details: Any) -> None:  # noqa: N802 - Autobahn's name
            joined.callback(details.authid)
            self.leave()

        def onLeave(self, _details: Any) -> None:  # noqa: N802 - Autobahn's name
            self.disconnect()

    runner = ApplicationRunner(f"rs://127.0.0.1:{every_way.port}", "realm1")
    await runner.run(Session, start_reactor=False)
    assert await joined == "alice"


@pytest_twisted.ensureDeferred
async def test_it_comes_back_after_a_restart() -> None:
    with RouterProcess(static_configuration()) as process:
        topic = random_name()
        sessions: list[int] = []
        received: list[Any] = []
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", process.port)
        retries = {"initial_retry_delay": 0.2, "max_retry_delay": 0.5, "max_retries": -1}
        made, _, done = component(endpoint, "cbor", "alice", **retries)

        @made.on_join
        async def subscribe(session: Any, details: Any) -> None:
            await session.subscribe(lambda *args: received.append(args), topic)
            sessions.append(details.session)

        await eventually(lambda: len(sessions) == 1)
        await deferToThread(process.stop)
        await deferToThread(process.start)
        await eventually(lambda: len(sessions) == 2)
        await deferToThread(publish_once, process, topic)
        await eventually(lambda: received == [("after the restart",)])
        await made.stop()
        await done


def publish_once(process: RouterProcess, topic: str) -> None:
    with Peer(process.port).join(ticket_of("bob")) as bob:
        bob.publish(topic, ["after the restart"])


async def eventually(true: Any, seconds: float = 15) -> None:
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < seconds
        await deferLater(reactor, 0.02)
