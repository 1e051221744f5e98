"""The daemon under test is the real one, set up as in production: tickets, a store, rules and limits."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import load
from benchmarks.servers.wampgate import Wampgate
from wampgate import config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.servers.interface import Running

SHORT = ("--warm", "0.1", "--seconds", "0.4")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    server = Wampgate()
    yield server.start(tmp_path)
    server.stop()


def test_events_and_calls_are_verified(running: Running) -> None:
    assert load.run(running, ("fanout", "--subscribers", "20", "--serializer", "json,msgpack,cbor", *SHORT)).operations
    assert load.run(running, ("calls", "--callers", "3", "--callees", "2", "--in-flight", "4", *SHORT)).operations
    joined = load.run(running, ("join", "--connections", "50", "--first", "5", "--seconds", "0.1"))
    assert joined.bytes_per_connection > 0


def test_a_wrong_ticket_is_refused(running: Running) -> None:
    wrong = replace(running.user, ticket="wrong")
    with pytest.raises(load.RunFailed, match="authentication_denied"):
        load.run(replace(running, user=wrong), ("fanout", "--subscribers", "1", *SHORT))


def test_a_foreign_topic_is_refused(running: Running) -> None:
    with pytest.raises(load.RunFailed, match="not_authorized"):
        load.run(running, ("fanout", "--subscribers", "1", "--topic", "organization.other", *SHORT))


def test_no_secret_lies_in_its_configuration(running: Running, tmp_path: Path) -> None:
    written = (tmp_path / "router.json").read_text(encoding="utf-8")
    assert running.user.ticket not in written
    assert running.backend.ticket not in written
    assert config.load(tmp_path / "router.json", {}).realms[0].name == running.realm == "realm1"
    assert json.loads(written)["limits"]["connections_per_address"] > 0
