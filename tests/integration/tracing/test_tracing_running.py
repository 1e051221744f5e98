"""Traces of the running router: from the HTTP request or the WAMP message to who receives, and to a real collector."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
from conftest import static_configuration, ticket_of
from integration.http.plain_http import ask
from integration.tracing.collector import Collector
from raw_wamp import EVENT, INVOCATION, YIELD
from router_process import RouterDidNotStart, RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Peer

    Joined = Callable[[RouterProcess, str], Peer]

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT: Final = f"00-{TRACE}-00f067aa0ba902b7-01"
TOPIC: Final = "com.example.traced"
LISTEN: Final = [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": ["wamp", "backend"]}]


def traced(collector: Collector | None, **more: Any) -> RouterProcess:
    endpoint = "http://127.0.0.1:9/v1/traces" if collector is None else collector.endpoint
    tracing = {"endpoint": endpoint, "ratio": 0, "trusted_roles": ["client"], **more}
    # Spans are exported every half second instead of every five.
    environ = {"OTEL_BSP_SCHEDULE_DELAY": "500"}
    return RouterProcess(static_configuration(listen=LISTEN, tracing=tracing), environ=environ)


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced_router(collector: Collector) -> Iterator[RouterProcess]:
    with traced(collector) as process:
        yield process


@pytest.fixture
def joined(connect: Callable[..., Peer]) -> Joined:
    """Joins as a principal."""
    return lambda process, authid: connect(process).join(ticket_of(authid))


def test_a_publication_by_http_is_followed_to_its_event(
    traced_router: RouterProcess, collector: Collector, joined: Joined
) -> None:
    subscriber = joined(traced_router, "bob")
    subscriber.subscribe(TOPIC)
    body = {"realm": "realm1", "topic": TOPIC, "args": [1]}
    headers = {"traceparent": PARENT, "tracestate": "a=b"}
    assert ask(traced_router.port, "/publish", body, ticket_of("alice"), headers=headers).status == 200
    event = subscriber.receive()
    assert event[0] == EVENT
    span = collector.wait_for(lambda span: span.name == "publish realm1" and span.trace_id.hex() == TRACE)
    assert event[3] == {"_traceparent": f"00-{TRACE}-{span.span_id.hex()}-01", "_tracestate": "a=b"}
    assert span.parent_span_id.hex() == "00f067aa0ba902b7"


def test_a_call_is_followed_to_its_callee_and_back(
    traced_router: RouterProcess, collector: Collector, joined: Joined
) -> None:
    caller, callee = joined(traced_router, "alice"), joined(traced_router, "bob")
    callee.register("com.example.traced.call")
    trace = TRACE.replace("4bf9", "4bfa")
    request = caller.start_call("com.example.traced.call", [1], _traceparent=PARENT.replace(TRACE, trace))
    invocation = callee.receive()
    assert invocation[0] == INVOCATION
    callee.send(YIELD, invocation[1], {}, ["done"])
    caller.result(request)
    span = collector.wait_for(lambda span: span.name == "call realm1" and span.trace_id.hex() == trace)
    assert invocation[3]["_traceparent"] == f"00-{trace}-{span.span_id.hex()}-01"
    assert {a.key: a.value.string_value for a in span.attributes}["rpc.method"] == "com.example.traced.call"


def test_nothing_secret_or_personal_is_exported(
    traced_router: RouterProcess, collector: Collector, joined: Joined
) -> None:
    publisher = joined(traced_router, "carol")
    trace = TRACE.replace("4bf9", "4bfb")
    payload = [["the secret payload"]]
    publisher.publish(TOPIC, *payload, acknowledge=True, _traceparent=PARENT.replace(TRACE, trace))
    collector.wait_for(lambda span: span.trace_id.hex() == trace)
    exported = b"".join(export.SerializeToString() for export in collector.exports)
    assert not [word for word in (ticket_of("carol"), "secret payload", "carol") if word.encode() in exported]


def test_what_was_recorded_last_is_exported_at_the_end(joined: Joined) -> None:
    with Collector() as collector:
        with traced(collector) as process:
            publisher = joined(process, "alice")
            publisher.publish(TOPIC, acknowledge=True, _traceparent=PARENT)
            assert process.stop() == 0
        assert [span.name for span in collector.spans()] == ["publish realm1"]


def test_a_collector_that_is_gone_costs_spans_and_nothing_else(joined: Joined) -> None:
    with traced(None) as process:
        subscriber, publisher = joined(process, "bob"), joined(process, "alice")
        subscriber.subscribe(TOPIC)
        for number in range(100):
            publisher.publish(TOPIC, [number], acknowledge=True, _traceparent=PARENT)
        assert [subscriber.event()[4] for _ in range(100)] == [[number] for number in range(100)]
        assert process.stop() == 0
        assert "traces: " in process.log()


def test_without_the_extra_the_section_is_refused_with_what_to_install() -> None:
    hidden = "import sys; sys.modules['opentelemetry'] = None; from twisted.scripts.twistd import run; run()"
    process = RouterProcess(
        static_configuration(tracing={}), command=(sys.executable, "-c", hidden), alarms_allowed=True
    )
    with pytest.raises(RouterDidNotStart, match=r"wampgate\[tracing\]"):
        process.__enter__()


def test_without_the_section_the_context_goes_on_all_the_same(router: RouterProcess, joined: Joined) -> None:
    peer = joined(router, "alice")
    peer.subscribe(TOPIC)
    peer.publish(TOPIC, exclude_me=False, _traceparent=PARENT)
    assert peer.receive()[3] == {"_traceparent": PARENT}
