"""What the matching benchmark builds is what it says, and what it looks up is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import matching

if TYPE_CHECKING:
    import pytest


def test_topics_have_the_depth_that_was_asked_for() -> None:
    assert [matching.topic(7, depth).count(".") + 1 for depth in (2, 3, 4, 16)] == [2, 3, 4, 16]


def test_every_topic_has_its_subscribers() -> None:
    plain, mixed = matching.broker(50), matching.broker(50, patterns=True)
    assert [len(found.subscribers) for found in plain.matching(matching.topic(3))] == [10]
    assert [found.match for found in mixed.matching(matching.topic(10))] == ["exact", "prefix"]
    assert [found.match for found in mixed.matching("organization.9.news.0")] == ["wildcard"]


def test_each_cost_has_a_value_for_each_round(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, number in (("MANY", 200), ("_LOOKS", 400), ("_FIRST_LOOKS", 200)):
        monkeypatch.setattr(matching, name, number)
    taken = matching.measure(2)
    assert {len(cost.values) for cost in taken} == {2}
    assert {cost.scenario for cost in taken} == {matching.NAME}
    assert [cost.unit for cost in taken].count("times") == 1
    assert all(value > 0 for cost in taken for value in cost.values)
