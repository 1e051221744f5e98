"""``wampgate.explain``: the answer is what would be decided, with the rule or row that decides it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from msgspec.structs import replace
from unit.procedures.offered import Offered, call

EXPLAIN = "wampgate.explain"


@pytest.fixture
def offered() -> Offered:
    return Offered()


@pytest.mark.parametrize(
    ("question", "allowed", "because"),
    [
        (["joe", "subscribe", "organization.7"], True, "member of 7"),
        (["joe", "subscribe", "organization.70"], False, "not a member of 70"),
        (["joe", "subscribe", "organization.7", "prefix"], False, "no rule allows it"),
        (["joe", "subscribe", "organization.7.", "prefix"], True, "member of 7"),
        (["nobody", "subscribe", "organization.7"], False, "not a member of 7"),
        (["joe", "publish", "organization.7"], False, "no rule allows it"),
        (["joe", "publish", "wampgate.revoked"], False, "wamp. and wampgate. are the router's own"),
        (["joe", "call", "com.example.closed.x"], False, "member com.example.closed. prefix"),
        (["backend", "publish", "organization.7"], True, "backend  prefix"),
    ],
)
def test_what_decides(offered: Offered, question: list[str], allowed: bool, because: str) -> None:
    args, kwargs = call(offered.backend(), EXPLAIN, *question)
    assert args == []
    assert kwargs["allowed"] is allowed
    assert because in kwargs["because"]
    assert kwargs["failed"] is False
    assert kwargs["authrole"] == ("backend" if question[0] == "backend" else "member")


def test_it_says_what_happens(offered: Offered) -> None:
    backend, joe = offered.backend(), offered.user("joe")
    topics = ("organization.7", "organization.70", "organization.7.", "com.example.x", "com.example.closed.x", "")
    for topic, match in itertools.product(topics, ("exact", "prefix", "wildcard")):
        explained = call(backend, EXPLAIN, "joe", "subscribe", topic, match)
        (answer,) = joe.ask(32, {"match": match}, topic)
        if isinstance(explained, str):
            assert answer[4] == explained
        else:
            assert explained[1]["allowed"] == (answer[0] == 33), (topic, match)


def test_who_has_no_name_is_asked_for_as_it_is_here(offered: Offered) -> None:
    backend, guest = offered.backend(), offered.guest()
    authid = guest.session.principal.authid
    for topic in ("com.example.x", "organization.7"):
        _, kwargs = call(backend, EXPLAIN, authid, "subscribe", topic)
        assert kwargs["authrole"] == "guest"
        assert kwargs["allowed"] == (guest.ask(32, {}, topic)[0][0] == 33)
    guest.leave()
    assert call(backend, EXPLAIN, authid, "subscribe", "com.example.x")[1]["authrole"] == "member"


def test_what_a_signed_token_says_of_organizations_is_what_decides(offered: Offered) -> None:
    """The store knows joe in 7 and 8; the token that he shows now says 9."""
    backend, before, joe = offered.backend(), offered.user("joe"), offered.user("joe")
    joe.session.principal = replace(joe.session.principal, organizations={"9": "admin"})
    for organization, allowed in (("9", True), ("7", False)):
        _, kwargs = call(backend, EXPLAIN, "joe", "subscribe", f"organization.{organization}")
        assert (kwargs["allowed"], joe.ask(32, {}, f"organization.{organization}")[0][0] == 33) == (allowed, allowed)
    joe.leave()
    assert call(backend, EXPLAIN, "joe", "subscribe", "organization.7")[1]["because"] == "member of 7"
    assert before.session.established


@pytest.mark.parametrize(
    ("code", "action", "what"),
    [
        (32, "subscribe", "organization.70"),
        (32, "subscribe", "com.example.closed.x"),
        (64, "register", "com.example.closed.x"),
        (64, "register", "wampgate.x"),
        (48, "call", "com.example.closed.x"),
        (48, "call", "wampgate.explain"),
        (16, "publish", "organization.7"),
        (16, "publish", "wampgate.revoked"),
    ],
)
def test_a_refusal_is_logged_once_and_explained_alike(offered: Offered, code: int, action: str, what: str) -> None:
    backend, joe = offered.backend(), offered.user("joe")
    options = {"acknowledge": True} if action == "publish" else {}
    (answer,) = joe.ask(code, options, what)
    assert answer[4] == "wamp.error.not_authorized"
    ((_, fields),) = [record for record in offered.routed.records if record[0] == "refused"]
    _, explained = call(backend, EXPLAIN, "joe", action, what)
    assert fields == {"action": action, "uri": what, "match": "exact", "because": explained["because"]}


def test_a_refusal_on_the_way_round_is_logged_with_what_decides_there(offered: Offered) -> None:
    """Who may call `wampgate.publish` is refused by the topic: the log has to say so, as for PUBLISH itself."""
    backend, joe = offered.backend(), offered.user("joe")
    assert call(joe, "wampgate.publish", "organization.7", ["text"]) == "wamp.error.not_authorized"
    ((_, fields),) = [record for record in offered.routed.records if record[0] == "refused"]
    _, explained = call(backend, EXPLAIN, "joe", "publish", "organization.7")
    assert fields == {"action": "publish", "uri": "organization.7", "match": "exact", "because": explained["because"]}


def test_a_store_that_is_down(offered: Offered) -> None:
    offered.memory.go_down()
    _, kwargs = call(offered.backend(), EXPLAIN, "joe", "subscribe", "organization.7")
    assert (kwargs["allowed"], kwargs["failed"]) == (False, True)


@pytest.mark.parametrize(
    ("question", "error"),
    [
        ([], "wamp.error.invalid_argument"),
        (["joe"], "wamp.error.invalid_argument"),
        (["joe", "see", "organization.7"], "wamp.error.invalid_argument"),
        (["joe", "subscribe", "organization.7", "like"], "wamp.error.invalid_argument"),
        ([7, "subscribe", "organization.7"], "wamp.error.invalid_argument"),
        (["", "subscribe", "organization.7"], "wamp.error.invalid_argument"),
        (["joe", ["subscribe"], "organization.7"], "wamp.error.invalid_argument"),
        (["joe", "subscribe", "organization.7", {}], "wamp.error.invalid_argument"),
        (["joe", "subscribe", "not a uri"], "wamp.error.invalid_uri"),
        (["joe", "subscribe", 7], "wamp.error.invalid_uri"),
        (["joe", "subscribe", "a..b"], "wamp.error.invalid_uri"),
    ],
)
def test_what_is_no_question(offered: Offered, question: list[Any], error: str) -> None:
    assert call(offered.backend(), EXPLAIN, *question) == error
