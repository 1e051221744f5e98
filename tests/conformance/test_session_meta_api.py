"""WAMP Advanced Profile, "Session Meta API", on a running router over every serializer and transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conformance.watching import Ears, refused, watched_configuration
from raw_wamp import GOODBYE
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Wamp

NONE = "wamp.error.no_such_session"
ON_JOIN, ON_LEAVE = "wamp.session.on_join", "wamp.session.on_leave"


@pytest.fixture(scope="module")
def router() -> Iterator[RouterProcess]:
    with RouterProcess(watched_configuration()) as process:
        yield process


def details_of(peer: Wamp) -> dict[str, Any]:
    return {"session": peer.session} | {
        key: peer.welcome[key] for key in ("authid", "authrole", "authmethod", "authprovider")
    }


def test_broker_and_dealer_announce_it(alice: Wamp) -> None:
    for role in ("broker", "dealer"):
        assert alice.welcome["roles"][role]["features"]["session_meta_api"] is True


def test_on_join(carol: Wamp, enter: Callable[..., Wamp]) -> None:
    ears = Ears(carol, ON_JOIN)
    alice = enter("alice")
    ((_, (details,)),) = ears.heard_of(alice.session)
    assert isinstance(details.pop("transport"), dict)
    assert details == details_of(alice)


def test_on_leave_has_three_positional_arguments(alice: Wamp, enter: Callable[..., Wamp]) -> None:
    ears = Ears(alice, ON_LEAVE)
    clean, lost = enter("bob"), enter("bob")
    clean.leave()
    lost.close()
    lost_id = lost.session
    for _ in range(100):
        if (heard := ears.heard()) and any(args[0] == lost_id for _, args in heard):
            break
    assert (ON_LEAVE, [lost_id, "bob", "client"]) in heard
    assert all(len(args) == 3 for _, args in heard)


def test_count_and_list(alice: Wamp, bob: Wamp, carol: Wamp) -> None:
    everyone = {peer.session for peer in (alice, bob, carol)}
    listed = alice.call("wamp.session.list")
    assert everyone <= set(listed)
    assert alice.call("wamp.session.count") == len(listed)
    assert everyone <= set(alice.call("wamp.session.list", [["client", "guest"]]))
    assert alice.call("wamp.session.list", [["guest"]]) == []
    assert alice.call("wamp.session.count", [["nobody"]]) == 0
    assert alice.call("wamp.session.count", [], {"filter_authroles": ["client"]}) == len(listed)


def test_get(alice: Wamp, bob: Wamp) -> None:
    details = alice.call("wamp.session.get", [bob.session])
    assert isinstance(details.pop("transport"), dict)
    assert details == details_of(bob)
    for unknown in (0, 2**53, alice.session + 1):
        assert refused(alice, "wamp.session.get", unknown) == NONE


def test_kill(alice: Wamp, enter: Callable[..., Wamp]) -> None:
    one, two = enter("bob"), enter("bob")
    result = alice.result(alice.start_call("wamp.session.kill", [one.session]))
    assert result[3:] in ([], [[]], [[], {}])
    # Neither given: the default reason, and no message.
    assert one.receive() == [GOODBYE, {}, "wamp.close.killed"]
    alice.call("wamp.session.kill", [two.session], {"reason": "com.example.late", "message": "go to bed"})
    assert two.receive() == [GOODBYE, {"message": "go to bed"}, "com.example.late"]
    assert refused(alice, "wamp.session.kill", one.session) == NONE


def test_the_caller_s_own_session_is_no_other(alice: Wamp) -> None:
    assert refused(alice, "wamp.session.kill", alice.session) == NONE
    assert alice.call("wamp.session.count") >= 1


def test_a_reason_that_is_no_uri(alice: Wamp, bob: Wamp) -> None:
    for reason in ("", "no uri", "com..example"):
        assert refused(alice, "wamp.session.kill", bob.session, reason=reason) == "wamp.error.invalid_uri"
        for name, whom in (("kill_by_authid", ["bob"]), ("kill_by_authrole", ["client"]), ("kill_all", [])):
            assert refused(alice, f"wamp.session.{name}", *whom, reason=reason) == "wamp.error.invalid_uri"
    assert bob.call("wamp.session.count") >= 2


def test_kill_by_authid_answers_with_the_sessions(alice: Wamp, enter: Callable[..., Wamp]) -> None:
    victims = [enter("backend") for _ in range(3)]
    killed = alice.call("wamp.session.kill_by_authid", ["backend"], {"reason": "com.example.out"})
    assert sorted(killed) == sorted(victim.session for victim in victims)
    for victim in victims:
        assert victim.receive() == [GOODBYE, {}, "com.example.out"]
    assert alice.call("wamp.session.kill_by_authid", ["backend"]) == []


def test_kill_by_authrole_answers_with_their_number(alice: Wamp, enter: Callable[..., Wamp]) -> None:
    victims = [enter("backend") for _ in range(2)]
    assert alice.call("wamp.session.kill_by_authrole", ["backend"], {"message": "bye"}) == 2
    for victim in victims:
        assert victim.receive() == [GOODBYE, {"message": "bye"}, "wamp.close.killed"]
    assert alice.call("wamp.session.kill_by_authrole", ["backend"]) == 0


def test_kill_all_spares_the_caller_and_tells_nobody(alice: Wamp, enter: Callable[..., Wamp]) -> None:
    alice.call("wamp.session.kill_all")
    ears = Ears(alice, ON_LEAVE, "com.example.testament")
    others = [enter("bob"), enter("alice"), enter("backend")]
    others[0].call("wamp.session.add_testament", ["com.example.testament", ["gone"], {}])
    assert alice.call("wamp.session.kill_all") == 3
    for other in others:
        assert other.receive() == [GOODBYE, {}, "wamp.close.killed"]
    assert alice.call("wamp.session.list") == [alice.session]
    assert ears.heard() == []
