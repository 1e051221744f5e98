"""When a router should be given clients, and why not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from unit.observation.watched import Watched

from wampgate.core.histogram import Histogram
from wampgate.observation.health import health_of
from wampgate.observation.parts import RealmInView


class Bridge:
    """A bridge that is away; see :class:`wampgate.observation.parts.Bridge`."""

    name = "news"
    kind = "redis"
    ready = False
    lag_seconds = 0.0

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.event_seconds = Histogram()


def bridged() -> Watched:
    watched = Watched()
    realm = watched.routed.realm
    watched.parts.realms = [RealmInView(realm.realm, realm.memory, [Bridge()])]
    return watched


def test_it_is_ready_once_it_listens() -> None:
    watched = Watched()
    assert health_of(watched.parts) == ("ready", [])
    assert health_of(watched.parts).ready
    watched.parts.started = 0.0
    assert health_of(watched.parts).state == "starting"
    assert not health_of(watched.parts).ready
    assert watched.value("wampgate_ready") == 0


def test_it_is_not_ready_while_it_drains_whatever_else() -> None:
    watched = bridged()
    watched.parts.draining = True
    state, reasons = health_of(watched.parts)
    assert state == "draining"
    assert len(reasons) == 1
    assert watched.value("wampgate_draining") == 1


def test_a_store_and_a_bridge_that_are_away_are_told() -> None:
    watched = bridged()
    assert health_of(watched.parts) == ("not ready", ["realm realm1: bridge news (redis) is not ready"])
    watched.routed.realm.memory.go_down()
    assert health_of(watched.parts).reasons == [
        "realm realm1: its token store (memory) does not answer",
        "realm realm1: bridge news (redis) is not ready",
    ]
    assert watched.value("wampgate_store_up", realm="realm1", kind="memory") == 0
    assert watched.value("wampgate_bridge_up", realm="realm1", bridge="news", kind="redis") == 0
    watched.routed.realm.memory.come_back()
    assert len(health_of(watched.parts).reasons) == 1


@pytest.mark.parametrize(
    ("without", "left"), [(["stores"], "bridge news"), (["bridges"], "token store"), (["stores", "bridges"], None)]
)
def test_an_operator_may_say_what_is_not_needed(without: Any, left: str | None) -> None:
    watched = bridged()
    watched.routed.realm.memory.go_down()
    state, reasons = health_of(watched.parts, without)
    assert state == ("ready" if left is None else "not ready")
    assert [left in reason for reason in reasons if left] == ([] if left is None else [True])
