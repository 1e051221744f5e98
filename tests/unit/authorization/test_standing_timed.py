"""How long a change of rights takes from being heard of to being acted on is noted, and only where it was acted on."""

from __future__ import annotations

from typing import Any

import pytest
from unit.authorization.test_standing import Standings, subscribe

from wampgate.core.interfaces import Change


@pytest.fixture
def world() -> Standings:
    world = Standings()
    world.realm.add_user("joe", "7")
    return world


def noted(world: Standings) -> tuple[int, float]:
    seconds = world.realm.realm.revocation_seconds
    return len(seconds), seconds.sum


def test_the_time_from_the_hint_to_the_end_of_what_it_changes(world: Standings, monkeypatch: Any) -> None:
    joe = world.join("the token of joe")
    subscribe(joe, "organization.7")
    told = world.realm.realm.reconsider

    def slowly(session: Any) -> None:
        world.routed.clock.now += 0.25
        told(session)

    monkeypatch.setattr(world.realm.realm, "reconsider", slowly)
    world.memory.remove_membership("joe", "7")
    assert noted(world) == (1, pytest.approx(0.25))


def test_a_change_that_concerns_nobody_here_is_none(world: Standings) -> None:
    world.memory.remove_membership("joe", "7")
    assert noted(world) == (0, 0)


def test_a_store_that_does_not_answer_is_no_revocation(world: Standings) -> None:
    world.join("the token of joe")
    world.memory.go_down()
    world.standing.changed(Change(users=frozenset({"joe"})))
    assert noted(world) == (0, 0)


def test_when_everything_may_have_changed_the_sweep_is_timed_and_others_are_not(world: Standings) -> None:
    world.join("the token of joe")
    world.standing.sweep()
    assert noted(world)[0] == 0
    world.standing.changed(Change(everything=True))
    assert noted(world)[0] == 1
