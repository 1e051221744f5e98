"""The backend without a socket: requests as values in, answers out, time and stores in the test's hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from unit.core.routed import Peer, RealmUnderTest, Routed

from wampgate.core.interfaces import Connection, Ticket
from wampgate.http.backend.decoding import Bounds, Decoder
from wampgate.http.backend.entrance import Entrance
from wampgate.http.backend.exchange import Asked, Backend
from wampgate.http.backend.idempotency import IdempotencyKeys
from wampgate.http.backend.visit import Visits

if TYPE_CHECKING:
    from wampgate.http.backend.answers import Answer
    from wampgate.http.backend.exchange import Exchange

BACKEND = "the ticket of backend"


class Reply:
    """What a request was answered with; nothing yet if it is still being served."""

    exchange: Exchange

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    @property
    def answered(self) -> bool:
        return bool(self.answers)

    @property
    def answer(self) -> Answer:
        """The one answer."""
        (answer,) = self.answers
        return answer

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def body(self) -> Any:
        return json.loads(self.answer.body)

    def header(self, name: str) -> str | None:
        return {key.decode(): value.decode() for key, value in self.answer.headers}.get(name)


class BackendUnderTest:
    """A backend in front of a router without a transport."""

    def __init__(self, *realms: RealmUnderTest, keys: int = 100, bounds: Bounds | None = None, **routed: Any) -> None:
        self.routed = Routed(*realms, **routed)
        router: Any = self.routed.router
        self.keys = IdempotencyKeys(keys, self.routed.clock)
        self.backend = Backend(
            Entrance(router.realms, guesses=router._guesses, record=self.routed.record, run=self.routed.run),
            Visits(router, self.routed.record, self.routed.clock),
            Decoder(bounds or Bounds()),
            self.keys,
            self.routed.deadlines,
        )

    def start(
        self,
        route: str,
        body: Any,
        token: str | None = BACKEND,
        *,
        key: str | None = None,
        address: str = "127.0.0.1",
    ) -> Reply:
        """Send a request and do not wait."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = Reply()
        bearer = None if token is None else Ticket(token)
        asked = Asked(route, data, Connection(f"{address}:50000", address, bearer=bearer), key)
        reply.exchange = self.backend.serve(asked, reply.answers.append)
        return reply

    def ask(self, route: str, body: Any, token: str | None = BACKEND, **more: Any) -> Reply:
        """Send a request and hand over what there is to hand over."""
        reply = self.start(route, body, token, **more)
        self.routed.flush()
        return reply

    def publish(
        self, topic: str, *args: Any, token: str | None = BACKEND, key: str | None = None, **more: Any
    ) -> Reply:
        return self.ask("/publish", {"topic": topic, "args": list(args), **more}, token, key=key)

    def call(
        self, procedure: str, *args: Any, token: str | None = BACKEND, key: str | None = None, **more: Any
    ) -> Reply:
        return self.ask("/call", {"procedure": procedure, "args": list(args), **more}, token, key=key)

    def joined(self, ticket: str | None = BACKEND) -> Peer:
        """A WAMP session beside."""
        return self.routed.peer().join(ticket)

    def subscriber(self, topic: str, ticket: str | None = BACKEND) -> Peer:
        """A WAMP session that has subscribed."""
        peer = self.joined(ticket)
        assert peer.ask(32, {}, topic)[0][0] == 33
        return peer

    def callee(self, procedure: str, ticket: str | None = BACKEND) -> Peer:
        """A WAMP session that has registered."""
        peer = self.joined(ticket)
        assert peer.ask(64, {}, procedure)[0][0] == 65
        return peer

    def is_idle(self) -> bool:
        """Whether nothing is left of any request."""
        return len(self.backend) == 0 and not self.keys._running and self.routed.is_empty()
