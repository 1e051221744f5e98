"""How sessions end: what a retry can cure is a close code alone, what it can't is said; one option changes that."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from unit.core.routed import Routed

from wampgate.core import errors
from wampgate.core.errors import ENDINGS, ending_of, uri

if TYPE_CHECKING:
    from unit.core.routed import Peer

    from wampgate.core.errors import Ending

ROOT = Path(__file__).parents[3]
GOODBYES: tuple[Literal["auto", "always", "never"], ...] = ("auto", "always", "never")


def store_is_down(routed: Routed, peer: Peer) -> None:
    routed.realm.store.slow = True
    peer.hello(authmethods=["ticket"])
    peer.say(5, "a token", {})
    routed.pass_time(10)


def denied(routed: Routed, peer: Peer) -> None:
    peer.hello(authmethods=["ticket"])
    peer.say(5, "a wrong one", {})


def no_token(_: Routed, peer: Peer) -> None:
    peer.hello(authmethods=["ticket"])
    peer.say(5, "", {})


def no_method(_: Routed, peer: Peer) -> None:
    peer.hello(authmethods=["palm-reading"])


def no_such_realm(_: Routed, peer: Peer) -> None:
    peer.hello("elsewhere")


def no_answer(routed: Routed, peer: Peer) -> None:
    peer.hello(authmethods=["ticket"])
    routed.pass_time(10)


def overload(routed: Routed, peer: Peer) -> None:
    peer.join()
    routed.realm.realm.overdone(peer.session)


def shutdown(routed: Routed, peer: Peer) -> None:
    peer.join()
    routed.router.shut(peer.session, errors.SHUTDOWN.code, errors.SHUTDOWN.reason)


def expired(routed: Routed, peer: Peer) -> None:
    peer.join(routed.realm.add_user("joe", "7", seconds=30))
    routed.pass_time(31)


def killed(routed: Routed, peer: Peer) -> None:
    peer.join()
    routed.router.goodbye(peer.session, uri.KILLED, "by hand")


CASES = {
    store_is_down: errors.STORE_DOWN,
    overload: errors.OVERLOAD,
    shutdown: errors.SHUTDOWN,
    denied: errors.DENIED,
    no_token: errors.NO_TOKEN,
    no_method: errors.NO_METHOD,
    no_such_realm: errors.NO_SUCH_REALM,
    no_answer: errors.NO_ANSWER,
    expired: errors.EXPIRED,
    killed: errors.KILLED,
}


@pytest.mark.parametrize("goodbye", GOODBYES)
@pytest.mark.parametrize(("how", "ending"), CASES.items(), ids=lambda value: getattr(value, "name", None))
def test_what_is_told(how: object, ending: Ending, goodbye: Literal["auto", "always", "never"]) -> None:
    routed = Routed(goodbye=goodbye)
    peer = routed.peer()
    how(routed, peer)  # type: ignore[operator]  # one of the functions above
    told = [(message[0], message[2]) for message in peer.messages if message[0] in (3, 6)]
    told_at_all = goodbye == "always" or (goodbye == "auto" and not ending.curable)
    assert [reason for _, reason in told] == [ending.reason] * told_at_all
    if told and told[0][0] == 6 and not ending.curable:
        # The peer has a moment to answer GOODBYE.
        assert peer.closed is None
        peer.say(6, {}, "wamp.close.goodbye_and_out")
        assert peer.closed == (1000, "wamp.close.goodbye_and_out")
    else:
        assert peer.closed == (ending.code, ending.reason)
    assert routed.is_empty()


@pytest.mark.parametrize("goodbye", GOODBYES)
def test_a_goodbye_is_answered_and_a_violation_told_whatever_is_set(
    goodbye: Literal["auto", "always", "never"],
) -> None:
    routed = Routed(goodbye=goodbye)
    assert routed.peer().join().say(6, {}, uri.CLOSE_REALM)[-1][0] == 6
    assert routed.peer().join().say(2, 1, {})[-1][::2] == [3, uri.PROTOCOL_VIOLATION]


def test_what_a_retry_cures_is_never_told_by_a_message_and_the_rest_always_by_one_or_a_code() -> None:
    for ending in ENDINGS:
        if ending.curable:
            assert ending.told in ("close", "dropped"), ending.name
            assert ending.code in (1006, 1008, 1012, 1013)
        assert (ending.told == "dropped") == (ending.code == 1006)
        assert len(ending.reason.encode()) <= 123


def test_names_are_told_apart() -> None:
    assert len({ending.name for ending in ENDINGS}) == len(ENDINGS)


def test_every_refusal_of_a_join_is_in_the_catalogue() -> None:
    used = set()
    for path in (ROOT / "wampgate").rglob("*.py"):
        used |= set(re.findall(r"JoinRefused\(\s*uri\.([A-Z_]+)", path.read_text()))
    assert len(used) > 3
    for name in used:
        assert ending_of(getattr(uri, name)).name != errors.REFUSED.name, name


def test_a_long_reason_of_an_administrator_fits_into_the_close_frame() -> None:
    routed = Routed(goodbye="never")
    peer = routed.peer().join()
    routed.router.goodbye(peer.session, f"com.example.{'é' * 200}", "")
    assert peer.closed is not None
    assert len(peer.closed[1].encode()) in (122, 123)


def test_the_documentation_lists_exactly_the_catalogue() -> None:
    text = (ROOT / "docs" / "close-reasons.md").read_text()
    rows = re.findall(r"^\| ([a-zA-Z ]+) \| (\w[\w ,]*) \| (.*?) \| (\d+) \| (yes|no) \| (.+?) \|$", text, re.MULTILINE)
    documented = {
        (name, told, reason.strip("`"), int(code), again == "yes", advice)
        for name, told, reason, code, again, advice in rows
    }
    assert documented == {
        (ending.name, ending.told, ending.reason or "none", ending.code, ending.curable, ending.advice)
        for ending in ENDINGS
    }
