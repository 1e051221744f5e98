"""Topic templates: own topics, roles within an organization, and patterns that reach into what is restricted."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.authorization.templates import Needed, Templates, TopicTemplate
from wampgate.core.interfaces import Principal
from wampgate.core.uri import is_pattern

if TYPE_CHECKING:
    from wampgate.core.decisions import Action
    from wampgate.wire.messages import Match


def needs(templates: Templates, who: Principal, action: Action, topic: str, match: Match) -> list[Needed] | None:
    """The memberships that a request takes; None if this user is not meant at all."""
    conditions = templates.conditions(action, topic, match)
    if conditions is None or conditions.user not in (None, who.user):
        return None
    return list(conditions.needed)


JOE = Principal("joe", "member", "ticket", "store", user="joe")
NO_USER = Principal("backend", "backend", "ticket", "static")

TEMPLATES = Templates(
    [
        TopicTemplate.parse("organization.{organization}", below=True),
        TopicTemplate.parse("organization.{organization}.admin", below=True, role="admin"),
        TopicTemplate.parse("organization.{organization}.status", below=False),
        TopicTemplate.parse("user.{user}", below=True, actions=("subscribe", "publish")),
        TopicTemplate.parse("chat.{organization}.{user}", below=False),
    ]
)


def member(organization: str) -> Needed:
    return Needed(organization, None)


def admin(organization: str) -> Needed:
    return Needed(organization, "admin")


@pytest.mark.parametrize(
    ("topic", "match", "needed"),
    [
        ("organization.7", "exact", [member("7")]),
        ("organization.7.news", "exact", [member("7")]),
        ("organization.7.status", "exact", [member("7")]),
        ("organization.7.status.more", "exact", [member("7")]),
        ("organization.7.admin", "exact", [admin("7")]),
        ("organization.7.admin.audit", "exact", [admin("7")]),
        ("organization.7.administration", "exact", [member("7")]),
        ("organization.7.", "prefix", [member("7"), admin("7"), member("7")]),
        ("organization.7.admin", "prefix", [member("7"), admin("7")]),
        ("organization.7.adm", "prefix", [member("7"), admin("7")]),
        ("organization.7.news", "prefix", [member("7")]),
        ("organization.7.admin.", "prefix", [admin("7")]),
        ("organization.7.", "wildcard", [member("7"), admin("7"), member("7")]),
        ("organization.7..x", "wildcard", [member("7"), admin("7")]),
        ("organization.7.news.", "wildcard", [member("7")]),
        ("organization.7", "prefix", None),
        ("organization.", "prefix", None),
        ("organization", "prefix", None),
        ("", "prefix", None),
        ("organization.", "wildcard", None),
        ("organization..admin", "wildcard", None),
        ("organization", "exact", None),
        ("organizations.7", "exact", None),
        ("organization.a b", "exact", None),
        ("organization.ab%", "exact", None),
        ("user.joe", "exact", []),
        ("user.joe.inbox", "exact", []),
        ("user.joe.", "prefix", []),
        ("user.joe", "prefix", None),
        ("user.ann", "exact", None),
        ("user.", "wildcard", None),
        ("chat.7.joe", "exact", [member("7")]),
        ("chat.7.ann", "exact", None),
        ("chat.7.joe.more", "exact", None),
        ("chat.7.", "wildcard", None),
        ("chat.7.joe", "prefix", None),
    ],
)
def test_what_a_user_needs(topic: str, match: Match, needed: list[Needed] | None) -> None:
    assert needs(TEMPLATES, JOE, "subscribe", topic, match) == needed


def test_only_the_named_actions_are_meant() -> None:
    assert needs(TEMPLATES, JOE, "publish", "user.joe", "exact") == []
    assert needs(TEMPLATES, JOE, "publish", "organization.7", "exact") is None


def test_who_is_no_user_owns_nothing() -> None:
    assert needs(TEMPLATES, NO_USER, "subscribe", "user.joe", "exact") is None


COMPONENTS = ("organization", "user", "7", "8", "joe", "ann", "admin", "a")
SHAPES = st.lists(st.sampled_from(["organization", "user", "{organization}", "{user}", "admin", "a", "7"]), max_size=3)


@st.composite
def templates(draw: st.DrawFn) -> TopicTemplate:
    components = ["organization", *draw(SHAPES)]
    seen: set[str] = set()
    kept = [part for part in components if not (part.startswith("{") and part in seen) and not seen.add(part)]
    return TopicTemplate.parse(".".join(kept), below=draw(st.booleans()), role=draw(st.sampled_from([None, "admin"])))


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, Match]:
    match: Match = draw(st.sampled_from(["exact", "prefix", "wildcard"]))
    parts = ["organization", *draw(st.lists(st.sampled_from([*COMPONENTS, ""]), max_size=3))]
    topic = ".".join(parts)
    if match == "prefix":
        topic = topic[: draw(st.integers(0, len(topic)))]
    return topic, match


def every_uri() -> list[str]:
    return [
        ".".join(("organization", *rest))
        for depth in range(4)
        for rest in product(("7", "8", "joe", "admin", "a", "organization", "user"), repeat=depth)
    ]


URIS = every_uri()


def matches(pattern: str, match: Match, uri: str) -> bool:
    if match == "exact":
        return pattern == uri
    if match == "prefix":
        return uri.startswith(pattern)
    mine, theirs = pattern.split("."), uri.split(".")
    return len(mine) == len(theirs) and all(a in ("", b) for a, b in zip(mine, theirs, strict=True))


def allowed(needed: list[Needed] | None, roles: dict[str, str]) -> bool:
    return needed is not None and all(
        need.organization in roles and need.role in (None, roles[need.organization]) for need in needed
    )


@given(st.lists(templates(), min_size=1, max_size=4), requests(), st.sampled_from(["", "admin"]))
def test_a_pattern_is_as_restricted_as_all_it_matches(
    some: list[TopicTemplate], request: tuple[str, Match], role: str
) -> None:
    """An allowed pattern never reaches a URI that alone would be refused."""
    topic, match = request
    if not is_pattern(topic, match):
        return
    realm = Templates(some)
    roles = {"7": role}
    if allowed(needs(realm, JOE, "subscribe", topic, match), roles):
        for uri in URIS:
            if matches(topic, match, uri):
                assert allowed(needs(realm, JOE, "subscribe", uri, "exact"), roles), uri
