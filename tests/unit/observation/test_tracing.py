"""One span for each message that is traced, from its coming to its last answer, whatever becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import StatusCode
from unit.core.routed import RealmUnderTest, Routed

from wampgate.core.decisions import Decision, Pending
from wampgate.core.trace_context import trace_context
from wampgate.observation.records import Records
from wampgate.observation.tracing import LEFT, Answers, RealmTracing, Sampling

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from unit.core.routed import Peer

    from wampgate.authorization.organization import OrganizationAuthorizer
    from wampgate.core.decisions import Action
    from wampgate.core.interfaces import Principal
    from wampgate.wire.messages import Match

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT: Final = f"00-{TRACE}-00f067aa0ba902b7-01"
UNSAMPLED: Final = f"{PARENT[:-1]}0"
TOPIC: Final = "com.example.topic"
PROCEDURE: Final = "com.example.procedure"
ASKED: Final = "com.example.asked"


class TracedRouter(Routed):
    """A router whose messages are traced, and the spans that have ended."""

    def __init__(self, ratio: float = 1.0, trusted_roles: tuple[str, ...] = ("member",)) -> None:
        self.undecided: list[tuple[str, Pending[Decision]]] = []
        under_test = RealmUnderTest(authorizer=lambda authorizer: _Asking(authorizer, self.undecided))
        super().__init__(under_test, deliver=_Traced())
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        sampling = Sampling(ratio, trusted_roles, choose=lambda: 0.5)
        self.tracing = RealmTracing(self.realm.realm, provider.get_tracer("test"), sampling, self.deliver)
        records = Records(self.record)
        self.realm.realm.record = records
        self.tracing.attach(records)

    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended."""
        return list(self.exporter.get_finished_spans())

    def member(self, user: str, **details: Any) -> Peer:
        """A user that has joined."""
        peer = self.peer().join(self.realm.add_user(user), **details)
        while self.waiting:
            self.answer()
        peer.heard()
        return peer

    def decide(self) -> None:
        """Allow, or refuse, what waits to be decided."""
        while self.undecided:
            subject, pending = self.undecided.pop(0)
            pending.resolve(Decision("refused" not in subject, "as its name says"))
        self.flush()


class _Asking:
    """Decides about ``com.example.asked`` and what is below it when the test says so."""

    def __init__(self, authorizer: OrganizationAuthorizer, undecided: list[tuple[str, Pending[Decision]]]) -> None:
        self._authorizer = authorizer
        self._undecided = undecided

    def authorize(
        self, principal: Principal, action: Action, subject: str, match: Match
    ) -> Decision | Pending[Decision]:
        """See :class:`wampgate.core.interfaces.Authorizer`."""
        if not subject.startswith(ASKED):
            return self._authorizer.authorize(principal, action, subject, match)
        pending: Pending[Decision] = Pending()
        self._undecided.append((subject, pending))
        return pending


class _Traced(Answers):
    """The tests' own deliveries, seen on their way."""

    def __init__(self) -> None:
        from unit.core.routed import Deliveries

        self.inner = Deliveries()
        super().__init__(self.inner)

    def flush(self) -> None:
        """See :class:`unit.core.routed.Deliveries`."""
        self.inner.flush()


def test_a_publication_is_one_span_and_its_event_goes_on_below_it() -> None:
    routed = TracedRouter()
    publisher, subscriber = routed.member("ann"), routed.member("ben")
    subscriber.ask(32, {}, TOPIC)
    publisher.ask(16, {"_traceparent": PARENT, "_tracestate": "a=b"}, TOPIC, [1])
    (span,) = routed.spans()
    assert span.name == "publish realm1"
    assert span.attributes is not None
    assert span.attributes["messaging.destination.name"] == TOPIC
    assert span.attributes["wamp.authrole"] == "member"
    assert span.parent is not None
    assert format(span.parent.span_id, "016x") == "00f067aa0ba902b7"
    details = subscriber.heard()[-1][3]
    assert details == {"_traceparent": f"00-{TRACE}-{span.context.span_id:016x}-01", "_tracestate": "a=b"}
    assert span.status.status_code is not StatusCode.ERROR


def test_without_a_context_a_publication_begins_a_trace() -> None:
    routed = TracedRouter()
    publisher, subscriber = routed.member("ann"), routed.member("ben")
    subscriber.ask(32, {}, TOPIC)
    publisher.ask(16, {}, TOPIC)
    publisher.ask(16, {}, TOPIC)
    spans = routed.spans()
    assert [span.parent for span in spans] == [None, None]
    told = [trace_context(event[3]["_traceparent"]) for event in subscriber.heard() if event[0] == 36]
    assert [context.parent[3:35] for context in told if context] == [f"{s.context.trace_id:032x}" for s in spans]


def test_a_call_is_one_span_from_the_call_to_its_result() -> None:
    routed = TracedRouter()
    caller, callee = routed.member("ann"), routed.member("ben")
    callee.ask(64, {}, PROCEDURE)
    caller.ask(48, {"_traceparent": PARENT}, PROCEDURE)
    assert routed.spans() == []
    invocation = callee.heard()[-1]
    callee.say(70, invocation[1], {}, ["done"])
    (span,) = routed.spans()
    assert span.name == "call realm1"
    assert span.attributes is not None
    assert span.attributes["rpc.method"] == PROCEDURE
    assert invocation[3]["_traceparent"] == f"00-{TRACE}-{span.context.span_id:016x}-01"


def test_progress_does_not_end_it() -> None:
    routed = TracedRouter()
    features = {"features": {"progressive_call_results": True, "call_canceling": True}}
    caller, callee = [routed.member(user, roles={"caller": features, "callee": features}) for user in ("ann", "ben")]
    callee.ask(64, {}, PROCEDURE)
    caller.ask(48, {"receive_progress": True}, PROCEDURE)
    invocation = callee.heard()[-1]
    callee.say(70, invocation[1], {"progress": True}, [1])
    assert routed.spans() == []
    callee.say(70, invocation[1], {}, [2])
    assert len(routed.spans()) == 1


def test_an_error_is_the_spans_error() -> None:
    routed = TracedRouter()
    caller, callee = routed.member("ann"), routed.member("ben")
    callee.ask(64, {}, PROCEDURE)
    caller.ask(48, {}, PROCEDURE)
    callee.say(8, 68, callee.heard()[-1][1], {}, "com.example.failed")
    (span,) = routed.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "com.example.failed"


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ((48, {}, "com.example.nobody"), "wamp.error.no_such_procedure"),
        ((48, {}, "com.example.closed.x"), "wamp.error.not_authorized"),
        ((16, {"acknowledge": True}, "com.example.closed.x"), "wamp.error.not_authorized"),
        ((16, {"acknowledge": True}, "not a uri"), "wamp.error.invalid_uri"),
    ],
)
def test_what_is_refused_has_ended(message: tuple[Any, ...], error: str) -> None:
    routed = TracedRouter()
    routed.member("ann").ask(*message)
    (span,) = routed.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == error


def test_a_refusal_without_an_answer_stands_in_the_span() -> None:
    routed = TracedRouter()
    routed.member("ann").ask(16, {}, "com.example.closed.x")
    (span,) = routed.spans()
    assert (span.status.description or "").startswith("refused: ")


def test_what_waits_for_its_decision_ends_when_it_is_decided() -> None:
    routed = TracedRouter()
    publisher, other = routed.member("ann"), routed.member("cat")
    publisher.ask(16, {}, f"{ASKED}.one")
    other.ask(16, {}, f"{ASKED}.refused")
    publisher.ask(16, {}, "com.example.closed.x")
    assert routed.spans() == []
    assert len(routed.tracing) == 3
    routed.decide()
    assert [span.status.status_code is StatusCode.ERROR for span in routed.spans()] == [False, True, True]
    assert len(routed.tracing) == 0


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_who_leaves_ends_it(who: str) -> None:
    routed = TracedRouter()
    caller, callee = routed.member("ann"), routed.member("ben")
    callee.ask(64, {}, PROCEDURE)
    caller.ask(48, {}, PROCEDURE)
    (caller if who == "caller" else callee).leave()
    (span,) = routed.spans()
    expected = LEFT if who == "caller" else "wamp.error.canceled"
    assert span.status.description == expected
    assert len(routed.tracing) == 0


def test_a_violation_ends_it() -> None:
    routed = TracedRouter()
    peer = routed.member("ann")
    peer.ask(16, {"ppt_scheme": "x_custom"}, TOPIC)
    assert peer.session.established is False
    (span,) = routed.spans()
    assert "protocol violation" in (span.status.description or "")


def test_who_is_trusted_decides() -> None:
    routed = TracedRouter(ratio=1.0, trusted_roles=("member",))
    peer = routed.member("ann")
    peer.ask(16, {"_traceparent": UNSAMPLED}, TOPIC)
    assert routed.spans() == []
    peer.ask(16, {"_traceparent": PARENT}, TOPIC)
    assert len(routed.spans()) == 1


def test_who_is_not_trusted_does_not() -> None:
    routed = TracedRouter(ratio=0.0, trusted_roles=())
    publisher, subscriber = routed.member("ann"), routed.member("ben")
    subscriber.ask(32, {}, TOPIC)
    publisher.ask(16, {"_traceparent": PARENT}, TOPIC)
    assert routed.spans() == []
    assert subscriber.heard()[-1][3] == {"_traceparent": PARENT}, "what it said goes on all the same"


def test_an_unsampled_parent_of_an_untrusted_role_is_traced_by_lot() -> None:
    routed = TracedRouter(ratio=1.0, trusted_roles=())
    routed.member("ann").ask(16, {"_traceparent": UNSAMPLED}, TOPIC)
    assert len(routed.spans()) == 1


steps = st.lists(
    st.tuples(
        st.sampled_from(["publish", "acknowledge", "call", "call nobody", "answer", "fail", "leave", "decide"]),
        st.integers(0, 2),
    ),
    max_size=30,
)


@settings(max_examples=60)
@given(steps)
def test_every_span_ends_once(steps: list[tuple[str, int]]) -> None:
    routed = TracedRouter()
    peers = [routed.member(user) for user in ("ann", "ben", "cat")]
    peers[0].ask(64, {}, PROCEDURE)
    begun = 0
    invocations: list[int] = []
    for step, number in steps:
        peer = peers[number]
        if step == "decide":
            routed.decide()
        elif not peer.session.established:
            continue
        elif step == "leave":
            peer.leave()
        elif step in ("answer", "fail"):
            invocations += [message[1] for message in peers[0].heard() if message[0] == 68]
            if invocations and peers[0].session.established:
                request = invocations.pop()
                peers[0].say(*((70, request, {}) if step == "answer" else (8, 68, request, {}, "com.example.failed")))
        else:
            begun += 1
            if step == "publish":
                peer.ask(16, {}, f"{ASKED}.{number}")
            elif step == "acknowledge":
                peer.ask(16, {"acknowledge": True}, TOPIC)
            else:
                peer.ask(48, {}, PROCEDURE if step == "call" else "com.example.nobody")
    for peer in peers:
        if peer.session.established:
            peer.leave()
    routed.decide()
    assert len(routed.tracing) == 0
    assert len(routed.spans()) == begun
