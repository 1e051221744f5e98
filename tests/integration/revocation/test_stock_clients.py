"""Stock clients lose one subscription and nothing else: Autobahn Python in this process, autobahn-js in Node."""

# Autobahn, txaio and pytest-twisted carry no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators
# txaio has to be told of Twisted before Autobahn is imported:
# ruff: noqa: E402
# Names that override Autobahn's are Autobahn's:
# ruff: noqa: N802

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest_twisted  # type: ignore[import-untyped]  # it ships no types
import txaio
from clients.node.autobahn_js import start_script
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

txaio.use_twisted()

from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory, connectWS
from autobahn.wamp.types import ComponentConfig

from .rights import CHANGED, REVOKED, Door, next_private, token_of

if TYPE_CHECKING:
    from raw_wamp import Peer

TOPICS = ("organization.7", "organization.8")


class Subscriber(ApplicationSession):
    """A session as an application writes it: it keeps what it is told, and why it left."""

    def __init__(self, config: ComponentConfig) -> None:
        super().__init__(config)
        self.ready: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self.seen: list[tuple[str, Any]] = []
        self.reason = ""

    def onConnect(self) -> None:
        self.join(self.config.realm, ["ticket"], "anna")

    def onChallenge(self, challenge: Any) -> str:
        assert challenge.method == "ticket"
        return token_of("anna")

    async def onJoin(self, details: Any) -> None:
        for topic in (*TOPICS, REVOKED, CHANGED):
            await self.subscribe(self._keep(topic), topic)
        self.ready.callback(None)

    def _keep(self, topic: str) -> Any:
        return lambda *args, **kwargs: self.seen.append((topic, kwargs or args))

    def onLeave(self, details: Any) -> None:
        self.reason = details.reason
        self.disconnect()

    def onDisconnect(self) -> None:
        self.gone.callback(None)


async def until(true: Any, seconds: float = 3.0) -> None:
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        await deferLater(reactor, 0.02)
    raise AssertionError("it did not come true")


def publish(backend: Peer, text: str) -> None:
    for topic in TOPICS:
        backend.publish(topic, [text])


@pytest_twisted.ensureDeferred
async def test_autobahn_python_keeps_its_other_subscriptions(postgres_door: Door) -> None:
    door = postgres_door
    session = Subscriber(ComponentConfig("realm1"))
    factory = WampWebSocketClientFactory(lambda: session, url=f"ws://127.0.0.1:{door.router.port}/ws")
    factory.noisy = False
    connectWS(factory)
    await session.ready
    backend = await deferToThread(door.backend)
    await deferToThread(publish, backend, "before")
    await until(lambda: len(session.seen) == 2)
    await deferToThread(door.rows.drop_member, "7", "anna")
    await until(lambda: len(session.seen) == 4)
    assert session.seen[2][0] == REVOKED
    assert session.seen[2][1]["topic"] == "organization.7"
    assert session.seen[3] == (
        CHANGED,
        {"organizations": ["8"], "organization_count": 1, "added": [], "removed": ["7"]},
    )
    await deferToThread(publish, backend, "after")
    await until(lambda: len(session.seen) == 5)
    assert session.seen[4] == ("organization.8", ("after",))
    assert session.is_attached()
    # It is no session that merely has not noticed: it goes on working.
    await session.subscribe(lambda *_: None, "organization.8.news")
    await deferToThread(door.rows.drop_token, token_of("anna"))
    await session.gone
    assert session.reason == "wampgate.close.token_revoked"


def test_autobahn_js_keeps_its_other_subscriptions(postgres_door: Door) -> None:
    door, backend = postgres_door, postgres_door.backend()
    script = start_script(
        str(Path(__file__).with_name("revoked.mjs")),
        PORT=door.router.port,
        AUTHID="anna",
        TICKET=token_of("anna"),
        TOPICS=json.dumps([*TOPICS, REVOKED, CHANGED]),
    )

    def next_line() -> Any:
        assert script.stdout is not None
        return json.loads(script.stdout.readline())

    try:
        assert next_line() == ["subscribed"]
        publish(backend, "before")
        assert [next_line(), next_line()] == [[topic, ["before"], {}] for topic in TOPICS]
        witness = door.member("anna", "organization.7")
        door.rows.drop_member("7", "anna")
        next_private(witness)
        topic, _, told = next_line()
        assert (topic, told["topic"], told["reason"]) == (REVOKED, "organization.7", "wamp.error.not_authorized")
        assert next_line()[2]["removed"] == ["7"]
        publish(backend, "after")
        assert next_line() == ["organization.8", ["after"], {}]
        door.rows.drop_token(token_of("anna"))
        assert next_line() == ["closed", "closed", "wampgate.close.token_revoked"]
    finally:
        script.kill()
        script.communicate()
