"""``wampgate.auth.refresh``: the same user goes on with another token, with the rights of now, and no one guesses."""

from __future__ import annotations

import json

import pytest
from unit.procedures.offered import Offered, call, subscribe

REFRESH = "wampgate.auth.refresh"
DENIED = "wamp.error.authentication_denied"


@pytest.fixture
def offered() -> Offered:
    offered = Offered()
    offered.memory.add_token("short", "joe", 100)
    offered.memory.add_token("long", "joe", 1000)
    return offered


def test_a_session_goes_on(offered: Offered) -> None:
    joe = offered.routed.peer().join("short")
    assert call(joe, REFRESH, "long") == ([pytest.approx(1000)], {})
    offered.routed.pass_time(500)
    assert joe.session.established
    offered.routed.pass_time(501)
    assert joe.heard()[-1][2] == "wampgate.close.token_expired"


def test_a_token_that_never_expires(offered: Offered) -> None:
    joe = offered.routed.peer().join("short")
    assert call(joe, REFRESH, token="the token of joe") == ([None], {})
    offered.routed.pass_time(5000)
    assert joe.session.established


def test_the_new_token_is_the_one_that_counts(offered: Offered) -> None:
    joe = offered.routed.peer().join("short")
    call(joe, REFRESH, "long")
    offered.memory.remove_token("short")
    assert joe.session.established
    offered.memory.remove_token("long")
    assert joe.heard()[-1][2] == "wampgate.close.token_revoked"


def test_another_users_token_is_refused(offered: Offered) -> None:
    joe = offered.routed.peer().join("short")
    assert call(joe, REFRESH, "the token of ann") == DENIED
    assert call(joe, REFRESH, "the ticket of backend") == DENIED
    assert joe.session.established
    assert joe.session.principal.authid == "joe"
    offered.routed.pass_time(101)
    assert not joe.session.established


def test_a_refused_one_counts_as_a_guess(offered: Offered) -> None:
    joe = offered.routed.peer().join("short")
    for number in range(3):
        assert call(joe, REFRESH, f"guess {number}") == DENIED
    # Now not even the right one is looked at.
    asked = len(offered.under_test.store.asked)
    assert call(joe, REFRESH, "long") == DENIED
    assert len(offered.under_test.store.asked) == asked
    offered.routed.pass_time(61)
    assert isinstance(call(joe, REFRESH, "long"), tuple)


def test_each_refused_one_is_in_the_log_with_its_reason_and_no_token_is(offered: Offered) -> None:
    joe = offered.routed.peer().join("short")
    reasons = []
    for token in ("guess of a canary", "the token of ann", "the ticket of backend", "long"):
        assert call(joe, REFRESH, token) == DENIED
        ((_, fields),) = [record for record in offered.routed.records if record[0] == "refresh_refused"]
        reasons.append(fields["because"])
        offered.routed.records.clear()
    assert reasons == [
        "unknown token",
        "authid 'joe' was asked for with a ticket of 'ann'",
        "authid 'joe' was asked for with a ticket of 'backend'",
        "too many refused logins from this address: limits.failed_logins_per_address_per_minute",
    ]
    assert offered.under_test.realm.counters["limit_failed_logins_per_address_per_minute"] == 1


def test_a_crowd_of_refreshes_reaches_the_store_no_more_often_than_guesses_may_fail(offered: Offered) -> None:
    """They come at once, from many sessions: those under way count as if they would fail, as logins do."""
    peers = [offered.user("joe") for _ in range(50)]
    store = offered.under_test.store
    store.slow = True
    before = len(store.asked)
    for number, peer in enumerate(peers):
        peer.ask(48, {}, REFRESH, [f"guess {number}"])
    assert len(store.asked) - before == 3
    while offered.routed.waiting:
        offered.routed.answer()
    assert len(store.asked) - before == 3
    assert [peer.heard()[-1][4] for peer in peers] == [DENIED] * 50
    # Logins from there count with them.
    assert offered.guesses.exhausted("127.0.0.1") == "failed_logins_per_address_per_minute"
    assert offered.guesses.exhausted("127.0.0.2") is None


def test_honest_refreshes_that_come_at_once_all_go_on(offered: Offered) -> None:
    peers = [offered.user("joe") for _ in range(20)]
    for number in range(20):
        offered.memory.add_token(f"long {number}", "joe", 1000)
    offered.under_test.store.slow = True
    for number, peer in enumerate(peers):
        peer.ask(48, {}, REFRESH, [f"long {number}"])
    offered.under_test.store.slow = False
    while offered.routed.waiting:
        offered.routed.answer()
    assert [peer.heard()[-1][0] for peer in peers] == [50] * 20


def test_who_leaves_while_it_waits_asks_the_store_nothing(offered: Offered) -> None:
    peers = [offered.user("joe") for _ in range(5)]
    store = offered.under_test.store
    store.slow = True
    before = len(store.asked)
    for number, peer in enumerate(peers):
        peer.ask(48, {}, REFRESH, [f"guess {number}"])
    peers[3].leave()
    peers[4].leave()
    store.slow = False
    for _ in range(3):
        offered.routed.answer()
    assert len(store.asked) - before == 3
    # Nobody holds a place any more.
    peers[0].heard()
    offered.routed.pass_time(61)
    assert isinstance(call(peers[0], REFRESH, "long"), tuple)


def test_what_is_lost_meanwhile_is_taken_away(offered: Offered) -> None:
    """Nobody told of the change: the refresh finds it."""
    joe = offered.routed.peer().join("short")
    revoked = subscribe(joe, "wampgate.revoked")
    subscribe(joe, "organization.8")
    offered.memory.watch(lambda _: None)
    offered.memory.remove_membership("joe", "8")
    answers = joe.ask(48, {}, REFRESH, ["long"])
    assert [message[1] for message in answers if message[0] == 36] == [revoked]
    assert joe.ask(32, {}, "organization.8")[0][4] == "wamp.error.not_authorized"


def test_a_store_that_is_down_changes_nothing(offered: Offered) -> None:
    joe = offered.routed.peer().join("short")
    offered.memory.go_down()
    assert call(joe, REFRESH, "long") == "wamp.error.authorization_failed"
    assert joe.session.established
    assert joe.session.expires == pytest.approx(offered.routed.clock.now + 100)


@pytest.mark.parametrize("arguments", [[], [""], [7], [None], ["a", "b"], [["long"]]])
def test_arguments_that_are_none(offered: Offered, arguments: list[object]) -> None:
    joe = offered.routed.peer().join("short")
    assert call(joe, REFRESH, *arguments) == "wamp.error.invalid_argument"
    assert joe.session.established


def test_whoever_is_no_user_has_nothing_to_refresh(offered: Offered) -> None:
    for peer in (offered.guest(), offered.backend()):
        assert call(peer, REFRESH, "long") == "wamp.error.not_authorized"


def test_a_check_that_overlaps_does_not_end_the_session(offered: Offered) -> None:
    """A sweep asked for the old token; when its answer is there, the session has another one already."""
    joe = offered.routed.peer().join("short")
    sweep = offered.standing.check([joe.session])
    store = offered.under_test.store
    answered = store.look_up_all

    async def refreshed_meanwhile(tokens: object) -> object:
        answers = await answered(["short"])
        store.look_up_all = answered  # type: ignore[method-assign]  # the next one is answered at once
        call(joe, REFRESH, "long")
        offered.memory.remove_token("short")
        return {token: row for token, row in answers.items() if token != "short"}

    store.look_up_all = refreshed_meanwhile  # type: ignore[method-assign, assignment]  # answers when the test says so
    with pytest.raises(StopIteration):
        sweep.send(None)
    assert joe.session.established
    assert joe.session.principal.token_id is not None


def test_no_token_is_repeated(offered: Offered) -> None:
    joe = offered.routed.peer().join("short")
    call(joe, REFRESH, "canary-of-a-token")
    call(joe, REFRESH, "long")
    assert "canary" not in json.dumps(joe.messages)
    assert "canary" not in repr(offered.routed.records)
    assert "long" not in repr(joe.session.principal.ticket)
