"""Spans of what is published and called in a realm, as OpenTelemetry has them; used only where tracing is on.

A message is traced or not before anything is made for it, so one that isn't
traced costs a comparison. What the router adds for a traced message is one
span: from the PUBLISH to its deliveries, from the CALL to its last RESULT or its
ERROR. Its context goes on with the EVENT or INVOCATION, so that what the
receiver does shows up below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import random
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from wampgate.core.errors import ProtocolViolation
from wampgate.core.trace_context import TraceContext, context_of, traced
from wampgate.wire.messages import Call, Error, Publish, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from opentelemetry.trace import Span, Tracer

    from wampgate.core.decisions import Decision
    from wampgate.core.interfaces import Deliver
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.observation.records import Records
    from wampgate.wire.messages import Message
    from wampgate.wire.payload import Payload

_PROPAGATOR: Final = TraceContextTextMapPropagator()

_SAMPLED: Final = 1
"""The bit of ``trace-flags`` by which the sender says that it records the trace (Trace Context, "trace-flags")."""

LEFT: Final = "the session left before the answer"


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which messages are traced.

    Attributes:
        ratio: the share of those of which nobody else decides, from 0 to 1.
        trusted_roles: whose own decision is followed. Others could have the router record all that
            they send.
        choose: draws a number from 0 up to 1.
    """

    ratio: float
    trusted_roles: Collection[str] = ()
    choose: Callable[[], float] = random

    def takes(self, context: TraceContext | None, role: str) -> bool:
        """Whether a message is traced.

        Args:
            context: what it says of itself; None for nothing.
            role: its sender's.
        """
        if context is not None and role in self.trusted_roles:
            return bool(int(context.parent[-2:], 16) & _SAMPLED)
        return self.choose() < self.ratio


class Answers:
    """Hands deliveries on, and sees what ends calls; a :class:`wampgate.core.interfaces.Deliver`.

    Args:
        deliver: where messages go.
    """

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver
        self.answered: Callable[[Session, int, int, str | None], None] | None = None

    def __call__(self, message: Message, payload: Payload, recipients: Iterable[Session]) -> None:
        """See :class:`wampgate.core.interfaces.Deliver`."""
        if self.answered is not None:
            if type(message) is Result:
                if not message.details.progress:
                    self._tell(recipients, Call.code, message.request, None)
            elif type(message) is Error and message.request_type in (Call.code, Publish.code):
                self._tell(recipients, message.request_type, message.request, message.error)
        self._deliver(message, payload, recipients)

    def retract(self, session: Session, subscription: int) -> None:
        """See :class:`wampgate.core.interfaces.Deliver`."""
        self._deliver.retract(session, subscription)

    def _tell(self, recipients: Iterable[Session], kind: int, request: int, error: str | None) -> None:
        if self.answered is not None:
            for session in recipients:
                self.answered(session, kind, request, error)


class RealmTracing:
    """Makes the spans of one realm.

    Args:
        realm: where.
        tracer: makes and exports spans.
        sampling: which messages are traced.
        answers: through what the realm delivers.
    """

    def __init__(self, realm: Realm, tracer: Tracer, sampling: Sampling, answers: Answers) -> None:
        self._realm = realm
        self._tracer = tracer
        self._sampling = sampling
        self._answers = answers
        # By the session's id, then by the request's: request ids count publications and calls alike.
        self._open: dict[int, dict[int, Span]] = {}
        self._acting: int | None = None
        self._publish = realm.handlers[Publish]
        self._call = realm.handlers[Call]

    def attach(self, records: Records) -> None:
        """Begin: from now on messages are traced.

        Args:
            records: tell what was refused without an answer.
        """
        self._realm.handlers[Publish] = self.publish
        self._realm.handlers[Call] = self.call
        self._realm.requests.waiting = self._waiting
        self._realm.left.append(self._left)
        self._answers.answered = self._answered
        records.add(self._recorded)

    def __len__(self) -> int:
        """How many spans have not ended."""
        return sum(map(len, self._open.values()))

    # --- messages ---

    def publish(self, session: Session, message: Publish, payload: Payload) -> None:
        """PUBLISH: see :meth:`wampgate.core.publish_subscribe.PublishSubscribe.publish`."""
        context = context_of(message.options)
        if not self._sampling.takes(context, session.principal.authrole):
            self._publish(session, message, payload)
            return
        destination = {"messaging.operation.type": "publish", "messaging.destination.name": message.topic}
        span = self._start(session, f"publish {self._realm.name}", message, context, destination)
        self._guarded(span, self._publish, session, message, payload)
        # Whoever waits for its decision is still to be published.
        if session.inbox is None or message.request not in session.inbox.requests:
            self._end(session, message.request)

    def call(self, session: Session, message: Call, payload: Payload) -> None:
        """CALL: see :meth:`wampgate.core.calling.Calling.call`."""
        context = context_of(message.options)
        # More of a call that is under way belongs to its span.
        continued = message.request <= session.last_request
        if continued or not self._sampling.takes(context, session.principal.authrole):
            self._call(session, message, payload)
            return
        called = {"rpc.system": "wamp", "rpc.method": message.procedure}
        span = self._start(session, f"call {self._realm.name}", message, context, called)
        self._guarded(span, self._call, session, message, payload)

    def _start(
        self,
        session: Session,
        name: str,
        message: Publish | Call,
        context: TraceContext | None,
        attributes: dict[str, str],
    ) -> Span:
        span = self._tracer.start_span(
            name,
            context=None if context is None else _PROPAGATOR.extract(_carrier_of(context)),
            kind=SpanKind.SERVER,
            attributes={
                **attributes,
                "messaging.system": "wamp",
                "wamp.realm": self._realm.name,
                "wamp.session": session.id,
                "wamp.authrole": session.principal.authrole,
            },
        )
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, context=set_span_in_context(span))
        # Options that ask for nothing may be shared by all messages.
        own = TraceContext(carrier["traceparent"], carrier.get("tracestate"))
        message.options = traced(replace(message.options), own)
        self._open.setdefault(session.id, {})[message.request] = span
        return span

    def _guarded(
        self, span: Span, handle: Callable[[Session, Any, Payload], None], session: Session, message: Any, load: Payload
    ) -> None:
        try:
            handle(session, message, load)
        except ProtocolViolation as violation:
            span.set_status(Status(StatusCode.ERROR, f"protocol violation: {violation}"))
            self._end(session, message.request)
            raise

    # --- their ends ---

    def _waiting(
        self, session: Session, message: Message, act: Callable[[Decision], None]
    ) -> Callable[[Decision], None]:
        """What is done once a request is decided that has to wait."""
        if type(message) is not Publish:
            return act

        def act_and_end(decision: Decision) -> None:
            self._acting = message.request
            act(decision)
            self._acting = None
            self._end(session, message.request)

        return act_and_end

    def _answered(self, session: Session, kind: int, request: int, error: str | None) -> None:
        span = self._open.get(session.id, {}).get(request)
        if span is None:
            return
        if error is not None:
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR, error))
        if kind == Call.code:
            self._end(session, request)

    def _recorded(self, event: str, session: Session, **fields: object) -> None:
        """A publication that is not acknowledged is refused without an answer."""
        if event != "refused" or session.realm is not self._realm:
            return
        request = session.last_request if self._acting is None else self._acting
        span = self._open.get(session.id, {}).get(request)
        if span is not None:
            span.set_status(Status(StatusCode.ERROR, f"refused: {fields.get('because', '')}"))

    def _left(self, session: Session) -> None:
        for span in self._open.pop(session.id, {}).values():
            span.set_status(Status(StatusCode.ERROR, LEFT))
            span.end()

    def _end(self, session: Session, request: int) -> None:
        spans = self._open.get(session.id)
        span = None if spans is None else spans.pop(request, None)
        if span is None:
            return
        if not spans:
            del self._open[session.id]
        span.end()


def _carrier_of(context: TraceContext) -> dict[str, str]:
    return {"traceparent": context.parent, **({} if context.state is None else {"tracestate": context.state})}
