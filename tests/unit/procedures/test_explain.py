"""``wampgate.explain``: the answer is what would be decided, with the rule or row that decides it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
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
