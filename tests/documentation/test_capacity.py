"""docs/capacity.md agrees with docs/performance.md and with a router over TLS, and its sums with one another."""

from __future__ import annotations

import re
import ssl
from contextlib import ExitStack
from math import prod
from typing import TYPE_CHECKING

import pytest
from conftest import static_configuration, ticket_of
from documentation.blocks import TOP
from raw_wamp import Peer
from redis_server import write_certificates
from router_process import RouterProcess

if TYPE_CHECKING:
    from pathlib import Path

TIMES = "\N{MULTIPLICATION SIGN}"
CAPACITY = (TOP / "docs/capacity.md").read_text()
PERFORMANCE = (TOP / "docs/performance.md").read_text()
MEASURED = {
    "the process, before anyone comes": "`startup`: resident memory then",
    "a joined, idle connection": "`join-1000`: memory per idle connection",
    "a join, look-ups included": "`join-1000`: CPU per join",
    "pings to 10,000 connections, every 30 s": "`idle`: share of a core",
    "an event to one subscriber, when events come one at a time": "`fanout`: CPU per delivered event",
    "the same, when eight come at once": "`bursts`: CPU per delivered event",
    "a call, with others under way": "`calls-20x4`: CPU per routed call",
    "a message from Redis": "`redis-1`: CPU per message",
}


def number(text: str) -> float:
    found = re.search(r"[\d.]+", text)
    assert found is not None
    return float(found[0])


@pytest.mark.parametrize("row", MEASURED)
def test_a_figure_is_the_measured_one(row: str) -> None:
    """Rounded, and within what machines differ by from day to day."""
    (said,) = re.findall(rf"^\| {re.escape(row)} \| ([^|]+) \|", CAPACITY, re.MULTILINE)
    measured = re.findall(rf"^\| {re.escape(MEASURED[row])} \| ([^|]+) \|", PERFORMANCE, re.MULTILINE)
    assert measured
    assert number(said) == pytest.approx(number(measured[0]), rel=0.3)


def test_the_formula_has_the_same_figures() -> None:
    event, call, join, thousand = map(float, re.findall(rf"([\d.]+)\s+ms {TIMES} ", CAPACITY)[:4])
    said = {
        row: number(figure)
        for row, figure in re.findall(r"^\| ([^|]+) \| ([^|]+) \|", CAPACITY, re.MULTILINE)
        if row in MEASURED
    }
    assert event * 1000 == pytest.approx(said["an event to one subscriber, when events come one at a time"], rel=0.1)
    assert call * 1000 == pytest.approx(said["a call, with others under way"], rel=0.1)
    assert join == pytest.approx(said["a join, look-ups included"], rel=0.1)
    # A share of a core, in percent, for ten thousand: tenths of it in milliseconds for one thousand.
    assert thousand == pytest.approx(said["pings to 10,000 connections, every 30 s"], rel=0.15)


def test_the_sums_are_right() -> None:
    for first, second, total in re.findall(r"(\d+) MB \+ (\d+) MB = (\d+) MB", CAPACITY):
        assert int(first) + int(second) == pytest.approx(int(total), abs=5)
    (example,) = re.findall(rf"([\d. {TIMES}+]+) = (\d+) ms", CAPACITY)
    summands = [[float(factor) for factor in part.split(TIMES)] for part in example[0].split("+")]
    assert sum(prod(factors) for factors in summands) == pytest.approx(float(example[1]))


def test_a_connection_over_tls_takes_what_is_said(tmp_path: Path) -> None:
    """The source of that figure: sessions that have joined over an ``ssl:`` endpoint, and the router's memory."""
    (said,) = re.findall(r"^\| the same over TLS \| about (\d+) kB \|", CAPACITY, re.MULTILINE)
    write_certificates(tmp_path, ["localhost"])
    configuration = static_configuration()
    crypto = f"privateKey={tmp_path}/server.key:certKey={tmp_path}/server.pem"
    configuration["listen"] = [{"endpoint": f"ssl:0:interface=127.0.0.1:{crypto}"}]
    configuration["limits"] = {"connections_per_address": 1000, "sessions_per_authid": 1000}
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    with RouterProcess(configuration) as router, ExitStack() as stack:

        def join(count: int) -> int:
            for _ in range(count):
                stack.enter_context(Peer(router.port, tls=context)).join(ticket_of("alice"))
            return router.rss()

        before = join(100)
        assert (join(300) - before) / 300 / 1000 == pytest.approx(int(said), rel=0.3)
