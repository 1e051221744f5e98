"""What changed since when, against a record of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from wampgate.core.interfaces import Change
from wampgate.stores import revisions as module
from wampgate.stores.revisions import Revisions

if TYPE_CHECKING:
    import pytest


@given(
    changes=st.lists(st.one_of(st.none(), st.frozensets(st.sampled_from("abc"))), max_size=10),
    since=st.integers(0, 10),
    user=st.sampled_from([None, "a", "b"]),
)
def test_against_a_record(changes: list[frozenset[str] | None], since: int, user: str | None) -> None:
    revisions = Revisions()
    numbers = [0]
    for users in changes:
        revisions.note(Change(everything=True) if users is None else Change(users=users))
        numbers.append(revisions.number)
    since = min(since, len(changes))
    expected = any(users is None or user in users for users in changes[since:])
    assert revisions.changed_since(numbers[since], user) == expected


def test_above_many_users_everyone_counts_as_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MANY", 3)
    revisions = Revisions()
    asked = revisions.number
    for number in range(4):
        revisions.note(Change(users=frozenset({str(number)})))
    assert revisions.changed_since(asked, "nobody")
    assert len(revisions._number_by_user) <= 3
    assert not revisions.changed_since(revisions.number, "3")
