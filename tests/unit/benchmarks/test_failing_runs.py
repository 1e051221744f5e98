"""A server that fails does not end the measuring: the others go on, and it is not asked for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.measuring import Plan, measure
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.servers.interface import Running, ServerFailed
from benchmarks.servers.registry import SERVERS
from benchmarks.tables import tables

if TYPE_CHECKING:
    from pathlib import Path

PLAN = Plan(4, 0.2, 200, ("--subscribers", "5", "--warm", "0.1"))


class Failing:
    """A peer that fails as peers do: it says so, or its program is not there."""

    name = "failing"
    package = None
    asked = 0

    def __init__(self, error: Exception, absence: str | None = None) -> None:
        self._error = error
        self._absence = absence

    def lacks(self) -> str | None:
        return None

    def abstains(self, scenario: Scenario, serializer: str) -> str | None:
        return self._absence

    def start(self, folder: Path, redis_port: int | None = None) -> Running:
        Failing.asked += 1
        raise self._error

    def stop(self) -> None:
        return


@pytest.mark.parametrize("error", [ServerFailed("callee blocked"), FileNotFoundError("no such program")])
def test_the_others_go_on(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SERVERS, "failing", lambda: Failing(error))
    monkeypatch.setattr(Failing, "asked", 0)
    told: list[str] = []
    measured = measure(SCENARIOS["fanout"], "json", ["failing", "limit-send"], plan=PLAN, tell=told.append)
    assert len(measured.verified("limit-send")) == PLAN.rounds
    assert measured.outcomes["failing"] == [None] * PLAN.rounds
    assert Failing.asked == 2
    assert f"FAILED failing (2 times): {error}" in tables(measured)
    assert len(told) == 2 * PLAN.rounds


def test_who_abstains_is_never_started(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = Failing(AssertionError("was started"), "speaks no cbor")
    monkeypatch.setitem(SERVERS, "failing", lambda: refusing)
    measured = measure(SCENARIOS["fanout"], "cbor", ["failing"], plan=PLAN, tell=lambda _line: None)
    assert measured.outcomes == {}
    assert "failing takes no part: speaks no cbor" in tables(measured)


def test_no_peer_takes_part_where_wampgate_is_compared_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SERVERS, "failing", lambda: Failing(AssertionError()))
    scenario = SCENARIOS["serializers"]
    measured = measure(scenario, "json", ["failing"], plan=PLAN, tell=lambda _line: None)
    assert measured.absent == {"failing": scenario.alone}
