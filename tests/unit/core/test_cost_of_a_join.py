"""A join makes no more than it needs: steps, deadlines, hashes, log lines and meta events are counted, not timed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from unit.core.routed import Question, RealmUnderTest, Routed

from wampgate.authentication import ticket
from wampgate.authorization.standing import Standing
from wampgate.core.interfaces import Change
from wampgate.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import pytest

    from wampgate.core.session import Session

JOINS = 5


class Stepped(Routed):
    """Counts the coroutines that are started, and how often each is stepped."""

    def __init__(self, *realms: RealmUnderTest, **more: Any) -> None:
        self.started = 0
        self.steps = 0
        super().__init__(*realms, **more)

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """See :meth:`unit.core.routed.Routed.run`."""
        self.started += 1
        self.steps += 1
        try:
            question = coroutine.send(None)
        except StopIteration:
            return
        assert isinstance(question, Question)
        self.waiting.append((question, coroutine))


def crowd() -> Stepped:
    """A router whose store knows joe's token, and who has joined once."""
    routed = Stepped()
    realm = routed.realm
    realm.memory.add_token("joe's token", "joe", 86_400)
    realm.memory.add_membership("7", "joe")
    routed.peer().join("joe's token")
    routed.started = routed.steps = 0
    return routed


def test_with_all_answers_at_hand_each_step_is_taken_once() -> None:
    routed = crowd()
    for _ in range(JOINS):
        routed.peer().join("joe's token")
    # HELLO's, and AUTHENTICATE's.
    assert (routed.started, routed.steps, routed.waiting) == (2 * JOINS, 2 * JOINS, [])


def test_a_session_has_one_deadline_from_its_connection_to_its_end() -> None:
    routed = crowd()
    before = len(routed.deadlines._heap)
    peers = [routed.peer() for _ in range(JOINS)]
    deadlines = [peer.session.deadline for peer in peers]
    for peer in peers:
        peer.join("joe's token")
    assert len(routed.deadlines._heap) == before + JOINS
    assert [peer.session.deadline for peer in peers] == deadlines
    # And it comes when the token ends, though the heap had it for the end of the handshake.
    routed.pass_time(10.0)
    assert all(peer.closed is None for peer in peers)
    routed.pass_time(86_400.0)
    assert all(peer.session.deadline is not None or peer.closed is not None for peer in peers)
    assert {message[0] for peer in peers for message in peer.heard()} >= {6}


def test_a_token_is_hashed_once_where_the_store_has_it_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[bytes] = []
    sha256 = hashlib.sha256

    def counted(data: bytes) -> Any:
        hashed.append(data)
        return sha256(data)

    monkeypatch.setattr(ticket, "sha256", counted)
    routed = crowd()
    digests: list[str | None] = []
    look_up = routed.realm.memory.look_up

    async def noted(token: str, digest: str | None = None) -> Any:
        digests.append(digest)
        return await look_up(token, digest)

    monkeypatch.setattr(routed.realm.memory, "look_up", noted)
    hashed.clear()
    routed.peer().join("joe's token")
    assert hashed == [b"joe's token"]
    assert digests == [sha256(b"joe's token").hexdigest()]


def test_a_line_that_is_not_written_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    routed = crowd()
    described: list[object] = []

    def describe(session: Session) -> dict[str, Any]:
        described.append(session)
        return {}

    monkeypatch.setattr("wampgate.journal.describe", describe)
    journal = Journal()
    monkeypatch.setattr(routed.router, "_record", journal)
    routed.peer().join("joe's token").leave()
    assert described == []


def test_a_meta_event_that_nobody_hears_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    routed = crowd()
    told: list[Session] = []

    def details_of(session: Session) -> dict[str, Any]:
        told.append(session)
        return {}

    monkeypatch.setattr("wampgate.core.meta.details_of", details_of)
    routed.peer().join("joe's token").leave()
    assert told == []
    watcher = routed.peer().join("the ticket of backend")
    watcher.ask(32, {}, "wamp.session.on_join")
    routed.peer().join("joe's token")
    assert len(told) == 1


def test_a_join_looks_at_no_change_that_came_before_it() -> None:
    routed = crowd()
    realm = routed.realm
    looked: list[object] = []

    class Noted:
        """A change that tells when it is looked at."""

        @property
        def everything(self) -> bool:
            looked.append(self)
            return False

        users = frozenset[str]()

    standing = Standing(realm.realm, routed.router, realm.store, realm.memberships, now=routed.clock, run=routed.run)
    standing._changes.extend((routed.clock() - age, Noted()) for age in (3.0, 2.0, 1.0))  # type: ignore[misc]  # looks like one
    standing._changes.append((routed.clock(), Change(users=frozenset({"somebody else"}))))
    routed.peer().join("joe's token")
    assert looked == []
