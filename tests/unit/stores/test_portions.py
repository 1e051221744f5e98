"""Portions: all values, in order, in sizes that suit what they bring."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wampgate.stores.portions import MOST, ROWS, Portions


def sizes(portions: Portions, values: int, each: int) -> list[int]:
    found = []
    for portion in portions.of([str(number) for number in range(values)]):
        portions.brought(each * len(portion), len(portion))
        found.append(len(portion))
    return found


def test_few_rows_each_make_large_portions() -> None:
    found = sizes(Portions(), 20_000, 1)
    assert found[0] < 100
    assert max(found) == MOST
    assert len(found) < 70


def test_many_rows_make_small_portions_at_once() -> None:
    portions = Portions()
    sizes(portions, 20_000, 1)
    assert sizes(portions, 1000, 1000)[1] == ROWS // 1000
    assert set(sizes(portions, 10, 20_000)[1:]) == {1}


def test_nobody_has_rows() -> None:
    assert sum(sizes(Portions(), 5000, 0)) == 5000


@given(st.lists(st.integers(0, 30_000), max_size=50))
def test_nothing_is_left_out_or_asked_twice(rows: list[int]) -> None:
    portions = Portions()
    asked: list[str] = []
    for portion in portions.of([str(number) for number in range(len(rows))]):
        portions.brought(sum(rows[int(value)] for value in portion), len(portion))
        asked += portion
    assert asked == [str(number) for number in range(len(rows))]
