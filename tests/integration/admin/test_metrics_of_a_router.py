"""Metrics of the real daemon after known traffic: what was counted on the way is what a scrape says."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest
from conftest import ticket_of
from integration.admin.operators import admin_port, fetch, metric, metrics, serving_operators
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from raw_wamp import Aborted, Peer, WampError
from raw_websocket import RawConnection

from wampgate.observation.metric_families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router_process import RouterProcess

REALM = "realm1"


@pytest.fixture(scope="module")
def served() -> Iterator[RouterProcess]:
    # More than the kernel takes may wait for a reader.
    with serving_operators(limits={"outbox_bytes": 1 << 26, "stalled_seconds": 60}) as process:
        yield process


def test_traffic_is_counted(served: RouterProcess, open_peer: Callable[..., Peer]) -> None:
    before = metrics(served)
    peers = [open_peer(served.port).join(ticket_of(name)) for name in ("alice", "bob", "carol")]
    alice, bob, carol = peers
    for peer in (bob, carol):
        peer.subscribe("com.example.news")
    for number in range(10):
        alice.publish("com.example.news", [number])
    assert len(bob.events()) == len(carol.events()) == 10
    with pytest.raises(WampError):
        alice.subscribe("elsewhere")
    refused = open_peer(served.port)
    with pytest.raises(Aborted):
        refused.join("a wrong ticket")
    refused.close()
    with RawConnection(served.port) as connection:
        assert connection.request("/health/live", headers=[("Host", "elsewhere.example")]).status == 421
    after = metrics(served)

    def more(name: str, **labels: str) -> float:
        key = (name, frozenset(labels.items()))
        return after.get(key, 0) - before.get(key, 0)

    assert more("wampgate_publications_total", realm=REALM) == 10
    assert more("wampgate_events_delivered_total", realm=REALM) == 20
    assert more("wampgate_messages_received_total", realm=REALM, type="PUBLISH") == 10
    assert more("wampgate_messages_received_total", realm="", type="HELLO") == 4
    decisions = "wampgate_authorization_decisions_total"
    assert more(decisions, realm=REALM, action="subscribe", outcome="allowed") == 2
    assert more(decisions, realm=REALM, action="subscribe", outcome="denied") == 1
    assert more("wampgate_sessions", realm=REALM, role="client", method="ticket") == 3
    assert more("wampgate_transport_connections", transport="websocket") == 3
    assert more("wampgate_connections", listener="public") == 3
    assert more("wampgate_joins_refused_total", reason="authentication_denied") == 1
    assert more("wampgate_connections_refused_total", listener="public", reason="http_421") == 1


def test_a_slow_reader_is_seen_and_what_waits_for_it(served: RouterProcess, open_peer: Callable[..., Peer]) -> None:
    alice = open_peer(served.port).join(ticket_of("alice"))
    bob = open_peer(served.port).join(ticket_of("bob"))
    bob.subscribe("com.example.flood")
    for _ in range(200):
        alice.publish("com.example.flood", ["x" * 100_000])
    deadline = time.monotonic() + 10
    while metric(served, "wampgate_slow_readers", transport="websocket") != 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert metric(served, "wampgate_queued_bytes", transport="websocket") > 1_000_000
    bob.close()
    while metric(served, "wampgate_slow_readers", transport="websocket"):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_stall_of_the_reactor_is_seen(served: RouterProcess) -> None:
    served.signal(signal.SIGSTOP)
    time.sleep(1.0)
    served.signal(signal.SIGCONT)
    deadline = time.monotonic() + 5
    while metric(served, "wampgate_reactor_lag_seconds") < 0.5:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert metric(served, "wampgate_reactor_lateness_seconds_bucket", le="0.5") < metric(
        served, "wampgate_reactor_lateness_seconds_count"
    )


def test_a_scrape_as_prometheus_sends_it_is_valid_openmetrics(served: RouterProcess) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    answer = fetch(admin_port(served), "/metrics", Accept=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.headers["vary"] == "Accept"
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {family.name for family in FAMILIES} <= names
    assert fetch(admin_port(served), "/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
