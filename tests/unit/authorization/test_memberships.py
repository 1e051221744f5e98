"""The memory in front of the store: one question at a time for each user, kept a short while, honest when it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from unit.core.routed import RealmUnderTest, Routed, outcome_of

from wampgate.authorization import memberships as memberships_module
from wampgate.authorization.memberships import Memberships, Organizations
from wampgate.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from wampgate.core.decisions import Pending


@pytest.fixture
def routed() -> Routed:
    return Routed(RealmUnderTest())


@pytest.fixture
def memberships(routed: Routed) -> Memberships:
    routed.realm.add_user("joe", "7", "8")
    routed.realm.add_user("ann", "9")
    return Memberships(
        routed.realm.store,
        now=routed.clock,
        seconds=5.0,
        run=routed.run,
        odd_id=lambda user, organization: routed.odd_ids.append((user, organization)),
    )


def taken(answer: Pending[Organizations | None]) -> list[Organizations | None]:
    found: list[Organizations | None] = []
    answer.then(found.append)
    return found


def test_nothing_is_known_before_it_was_asked(memberships: Memberships) -> None:
    assert memberships.known("joe") is None


def test_an_answer_holds_for_its_time_and_no_longer(routed: Routed, memberships: Memberships) -> None:
    (answer,) = taken(memberships.ask("joe"))
    assert answer is not None
    assert answer.ids == {"7", "8"}
    routed.realm.memory.remove_membership("joe", "7")
    routed.clock.now += 4.999
    assert memberships.known("joe") is answer
    routed.clock.now += 0.001
    assert memberships.known("joe") is None
    (answer,) = taken(memberships.ask("joe"))
    assert answer is not None
    assert answer.ids == {"8"}


def test_users_do_not_share_answers(memberships: Memberships) -> None:
    taken(memberships.ask("joe"))
    assert memberships.known("ann") is None
    (answer,) = taken(memberships.ask("ann"))
    assert answer is not None
    assert answer.ids == {"9"}


def test_the_same_question_is_asked_once_at_a_time(routed: Routed, memberships: Memberships) -> None:
    routed.realm.store.slow = True
    answers = [taken(memberships.ask(user)) for user in ("joe", "joe", "ann", "joe")]
    assert routed.realm.store.asked == ["joe", "ann"]
    assert answers == [[], [], [], []]
    routed.answer(1)
    assert [len(found) for found in answers] == [0, 0, 1, 0]
    routed.answer(0)
    assert [len(found) for found in answers] == [1, 1, 1, 1]
    assert answers[0] == answers[1] == answers[3]
    # The next one is asked anew, or the answer would never grow older.
    taken(memberships.ask("joe"))
    assert routed.realm.store.asked == ["joe", "ann", "joe"]


def test_an_answer_is_as_old_as_its_question(routed: Routed, memberships: Memberships) -> None:
    routed.realm.store.slow = True
    found = taken(memberships.ask("joe"))
    routed.clock.now += 4
    routed.answer()
    assert found[0] is not None
    assert memberships.known("joe") is not None
    routed.clock.now += 1
    assert memberships.known("joe") is None


def test_who_waits_learns_that_the_store_failed(routed: Routed, memberships: Memberships) -> None:
    routed.realm.store.slow = True
    answers = [taken(memberships.ask("joe")), taken(memberships.ask("joe"))]
    routed.realm.memory.go_down()
    routed.answer()
    assert answers == [[None], [None]]
    assert memberships.known("joe") is None
    routed.realm.memory.come_back()
    routed.realm.store.slow = False
    (answer,) = taken(memberships.ask("joe"))
    assert answer is not None


def test_a_failure_does_not_take_away_what_is_known(routed: Routed, memberships: Memberships) -> None:
    taken(memberships.ask("joe"))
    routed.realm.memory.go_down()
    assert taken(memberships.ask("joe")) == [None]
    assert memberships.known("joe") is not None


def test_who_waits_is_not_forgotten_when_the_store_has_a_bug(routed: Routed) -> None:
    class Broken:
        async def look_up(self, token: str, digest: str | None = None) -> None:
            """Never asked."""

        async def memberships(self, user: str) -> list[object]:
            """Fails as no store may."""
            raise ZeroDivisionError

    failures: list[Exception] = []

    def run(coroutine: object) -> None:
        try:
            coroutine.send(None)  # type: ignore[attr-defined]  # a coroutine
        except ZeroDivisionError as error:
            failures.append(error)

    broken = Memberships(
        Broken(),  # type: ignore[arg-type]  # a store with a bug
        now=routed.clock,
        seconds=5,
        run=run,
        odd_id=lambda _user, _organization: None,
    )
    assert taken(broken.ask("joe")) == [None]
    assert len(failures) == 1


def test_load_waits_and_raises(routed: Routed, memberships: Memberships) -> None:
    assert outcome_of(memberships.load("joe")).ids == {"7", "8"}
    assert memberships.known("joe") is not None
    routed.realm.memory.go_down()
    with pytest.raises(StoreUnavailable):
        outcome_of(memberships.load("joe"))


def test_an_unknown_user_has_no_organizations(memberships: Memberships) -> None:
    (answer,) = taken(memberships.ask("nobody"))
    assert answer is not None
    assert answer.ids == frozenset()


def test_ids_that_can_t_stand_in_a_topic_are_left_out_and_told(routed: Routed, memberships: Memberships) -> None:
    odd = ["acme.eu", "", "7 ", "*", "\N{FULLWIDTH DIGIT SEVEN}", "7\n"]
    for organization in (*odd, "acme", "07"):
        routed.realm.memory.add_membership("eve", organization)
    (answer,) = taken(memberships.ask("eve"))
    assert answer is not None
    assert answer.ids == {"acme", "07"}
    assert sorted(routed.odd_ids) == sorted(("eve", organization) for organization in odd)


def test_users_whose_time_is_over_are_forgotten(
    routed: Routed, memberships: Memberships, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memberships_module, "_MANY", 10)
    monkeypatch.setattr(memberships, "_forget_at", 10)
    for number in range(100):
        taken(memberships.ask(f"user{number}"))
        routed.clock.now += 1
    assert len(memberships._organizations_by_user) <= 20


def test_a_crowd_of_users_is_not_looked_through_again_with_each_of_them(
    memberships: Memberships, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memberships_module, "_MANY", 10)
    monkeypatch.setattr(memberships, "_forget_at", 10)
    swept = 0
    forget = memberships._forget

    def counting() -> None:
        nonlocal swept
        swept += len(memberships._organizations_by_user)
        forget()

    monkeypatch.setattr(memberships, "_forget", counting)
    for number in range(1000):
        taken(memberships.ask(f"user{number}"))
    # All of them still count, so none can be forgotten: looking must cost each a constant.
    assert len(memberships._organizations_by_user) == 1000
    assert swept <= 2 * 1000
