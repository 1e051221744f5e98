"""One request from its body to its answer, which comes exactly once; and the backend that serves them all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wampgate.core.errors import JoinRefused, uri
from wampgate.core.session import Session
from wampgate.http.backend.acts import Act, Calling, Publishing
from wampgate.http.backend.answers import TIMEOUT, Answer, Unserved, ended, join_refused, problem_of, refusal, unserved
from wampgate.http.backend.bodies import BatchBody, CallBody, PublishBody
from wampgate.http.backend.entrance import NO_TOKEN
from wampgate.http.backend.idempotency import Claim, IdempotencyKeys, Owner
from wampgate.http.backend.visit import Visits, Way
from wampgate.wire.messages import Call, Goodbye

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wampgate.core.deadlines import Deadlines
    from wampgate.core.interfaces import Connection, Principal
    from wampgate.core.realm import Realm
    from wampgate.core.trace_context import TraceContext
    from wampgate.http.backend.bodies import AnyBody
    from wampgate.http.backend.decoding import Decoder, Prepared
    from wampgate.http.backend.entrance import Entrance
    from wampgate.wire.messages import Message
    from wampgate.wire.payload import Payload

ANSWER_SECONDS: Final = 30.0
"""How long the look-up of a token, or a publication's decision, may take; stores have shorter deadlines."""

ROUTES: Final[dict[str, type[PublishBody | BatchBody | CallBody]]] = {
    "/publish": PublishBody,
    "/publish/batch": BatchBody,
    "/call": CallBody,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as HTTP goes.

    Attributes:
        route: its path, one of :data:`ROUTES`.
        body: as it came.
        connection: from where, with its bearer token.
        key: its idempotency key; None without one.
        trace: to which trace it belongs; None for none.
    """

    route: str
    body: bytes
    connection: Connection
    key: str | None = None
    trace: TraceContext | None = None


class Backend:
    """Serves requests.

    Attributes:
        counters: answers by status (``http_200``), and what limits refused.
        keys: the idempotency keys.
    """

    def __init__(
        self, entrance: Entrance, visits: Visits, decoder: Decoder, keys: IdempotencyKeys, deadlines: Deadlines
    ) -> None:
        self.entrance = entrance
        self.visits = visits
        self.decoder = decoder
        self.keys = keys
        self.deadlines = deadlines
        self.counters = decoder.counters
        self._open: set[Exchange] = set()

    def __len__(self) -> int:
        return len(self._open)

    def serve(self, asked: Asked, answer: Callable[[Answer], None]) -> Exchange:
        """Serve a request; ``answer`` is called once, now or later, unless the client goes first."""
        exchange = Exchange(self, asked, answer)
        self._open.add(exchange)
        exchange.begin()
        return exchange

    def done(self, exchange: Exchange, answer: Answer | None) -> None:
        """A request has its answer, or nobody waits for one any more."""
        self._open.discard(exchange)
        if answer is not None:
            self.counters[f"http_{answer.status}"] += 1

    def stop(self) -> None:
        """Answer all that are still being served: the router shuts down."""
        for exchange in list(self._open):
            exchange.end(uri.SYSTEM_SHUTDOWN, "the router is shutting down; try again")


class Exchange:
    """One request and its answer."""

    def __init__(self, backend: Backend, asked: Asked, answer: Callable[[Answer], None]) -> None:
        self._backend = backend
        self._asked = asked
        self._give: Callable[[Answer], None] | None = answer
        self._over = False
        self._claim: Claim | None = None
        self._act: Act | None = None
        self._messages: Sequence[Prepared] = ()
        way = Way(self._received, lambda why: self.end(why, "the session has ended"), self._pause, self._go_on)
        self._session = Session(way, asked.connection)
        self._since = backend.deadlines.now()
        self._deadline = backend.deadlines.after(ANSWER_SECONDS, self._late)

    # --- on its way in ---

    def begin(self) -> None:
        """Read the body and find out who sends it."""
        backend, asked = self._backend, self._asked
        try:
            if asked.connection.bearer is None:
                raise Unserved(ended(uri.AUTHENTICATION_REQUIRED, NO_TOKEN))  # noqa: TRY301 - as what is called here raises
            body: AnyBody = backend.decoder.read(ROUTES[asked.route], asked.body)
            realm = backend.entrance.realm(body.realm)
            self._messages = backend.decoder.messages(body, asked.trace)
        except Unserved as reason:
            self._finish(reason.answer)
            return
        backend.entrance.enter(
            self._session,
            realm,
            body.organization,
            still_there=lambda: not self._over,
            then=lambda outcome: self._entered(realm, body, outcome),
        )

    def _entered(self, realm: Realm, body: AnyBody, outcome: Principal | Answer) -> None:
        if self._over:
            return
        if isinstance(outcome, Answer):
            self._finish(outcome)
            return
        try:
            before = self._claim_key(realm, outcome)
            if before is None:
                self._backend.visits.join(self._session, realm, outcome, self._since)
        except Unserved as reason:
            self._finish(reason.answer)
        except JoinRefused as refused:
            self._finish(join_refused(refused))
        else:
            if before is None:
                self._start(body)
            else:
                headers = (*before.headers, (b"Idempotency-Replayed", b"true"))
                self._finish(Answer(before.status, before.body, before.content_type, headers))

    def _claim_key(self, realm: Realm, principal: Principal) -> Answer | None:
        """Claim the request's idempotency key, if it has one; the answer that was given under it before."""
        if self._asked.key is None:
            return None
        owner = Owner(realm.name, principal.authprovider, principal.authid)
        claim = Claim(owner, self._asked.route, self._asked.key)
        before = self._backend.keys.begin(claim, self._asked.body)
        if before is None:
            self._claim = claim
        return before

    def _start(self, body: AnyBody) -> None:
        if isinstance(body, CallBody):
            ((message, payload),) = self._messages
            if isinstance(message, Call):
                self._act = Calling(message, payload, self._session)
            self._backend.deadlines.cancel(self._deadline)
            self._deadline = self._backend.deadlines.after(body.timeout_ms / 1000, self._late)
        else:
            self._act = Publishing(self._messages, batch=isinstance(body, BatchBody))
        self._messages = ()
        self._go_on()

    # --- what the router says ---

    def _go_on(self) -> None:
        if self._act is not None and not self._over:
            self._act.go_on(lambda message, payload: self._backend.visits.send(self._session, message, payload))

    def _pause(self) -> None:
        if self._act is not None:
            self._act.pause()

    def _received(self, message: Message, payload: Payload) -> None:
        if self._over or self._act is None:
            return
        if isinstance(message, Goodbye):
            self.end(message.reason, str(message.details.get("message", "the session has ended")))
            return
        answer = self._act.received(message, payload)
        if answer is not None:
            self._finish(answer)

    # --- ends ---

    def end(self, error: str, detail: str) -> None:
        """End the exchange: its session is over, for a reason that is a URI."""
        if self._over:
            return
        answer = ended(error, detail)
        if self._act is not None:
            answer = self._act.over(self._session, answer, problem_of(answer.status, detail, error))
        self._finish(answer)

    def _late(self) -> None:
        if self._over:
            return
        if self._act is None:
            self._finish(unserved(503, "it took too long to check who you are; try again").answer)
        elif self._act.waits(self._session):
            problem = problem_of(504, "the answer did not come in time", TIMEOUT)
            self._finish(self._act.over(self._session, refusal(problem), problem))

    def gone(self) -> None:
        """The client has gone: what it asked is forgotten, unless it said by a key that it may ask again."""
        self._give = None
        if self._claim is None and not self._over:
            self._finish(None)

    def _finish(self, answer: Answer | None) -> None:
        self._over = True
        backend, session = self._backend, self._session
        backend.deadlines.cancel(self._deadline)
        backend.visits.leave(session)
        if self._claim is not None:
            backend.keys.end(self._claim, answer)
        give, self._give = self._give, None
        self._messages, self._act = (), None
        backend.done(self, answer)
        if give is not None and answer is not None:
            give(answer)
