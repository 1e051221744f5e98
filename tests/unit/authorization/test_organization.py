"""The mission: members see their organizations' topics, and no trick with a pattern shows them another's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from unit.core.routed import RealmUnderTest, Routed, outcome_of, rule
from unit.core.test_matching import matches

from wampgate.authorization import organization as organization_module
from wampgate.authorization.memberships import Memberships
from wampgate.authorization.organization import TOLD, OrganizationAuthorizer
from wampgate.authorization.rules import Rule, Rules
from wampgate.core.decisions import Decision, Pending
from wampgate.core.errors import JoinRefused, StoreUnavailable
from wampgate.core.interfaces import Principal
from wampgate.core.uri import is_pattern

if TYPE_CHECKING:
    from wampgate.core.decisions import Action
    from wampgate.wire.messages import Match

JOE = Principal("joe", "member", "ticket", "store", user="joe")
ANN = Principal("ann", "member", "ticket", "store", user="ann")
BACKEND = Principal("7", "member", "ticket", "static")
NOBODY = Principal("anonymous-1", "member", "anonymous", "anonymous")

UUID = "7f0b7c1e-9f0a-4d56-8a5e-2f1b2c3d4e5f"
JOES = ("7", "acme", UUID, "07")


def made(routed: Routed, *rules: Rule, **settings: Any) -> OrganizationAuthorizer:
    routed.realm.add_user("joe", *JOES)
    routed.realm.add_user("ann", "8", "acme.eu", "7.secret")
    memberships = Memberships(
        routed.realm.store, now=routed.clock, seconds=5.0, run=routed.run, odd_id=lambda _user, _organization: None
    )
    return OrganizationAuthorizer(Rules(rules), memberships, **settings)


@pytest.fixture
def routed() -> Routed:
    return Routed(RealmUnderTest())


def decided(
    authorizer: OrganizationAuthorizer, who: Principal, subject: str, match: Match, action: Action = "subscribe"
) -> Decision:
    answer = authorizer.authorize(who, action, subject, match)
    if isinstance(answer, Decision):
        return answer
    found: list[Decision] = []
    answer.then(found.append)
    assert len(found) == 1
    return found[0]


MEMBERS = [
    ("organization.7", "exact"),
    ("organization.7.news", "exact"),
    ("organization.7.news.today", "exact"),
    ("organization.7.", "prefix"),
    ("organization.7.news", "prefix"),
    ("organization.7.n", "prefix"),
    ("organization.7", "wildcard"),
    ("organization.7.", "wildcard"),
    ("organization.7..x", "wildcard"),
    ("organization.07", "exact"),
    ("organization.acme", "exact"),
    ("organization.acme.eu", "exact"),
    (f"organization.{UUID}", "exact"),
    (f"organization.{UUID}.", "prefix"),
]

TRICKS = [
    ("", "prefix"),
    ("o", "prefix"),
    ("organization", "prefix"),
    ("organization.", "prefix"),
    ("organization.7", "prefix"),
    ("organization.1", "prefix"),
    ("organization.acm", "prefix"),
    ("organization.acme", "prefix"),
    ("organization", "exact"),
    ("organization", "wildcard"),
    ("organization.", "wildcard"),
    ("organization..news", "wildcard"),
    ("organization..", "wildcard"),
    (".7", "wildcard"),
    (".7.news", "wildcard"),
    ("", "wildcard"),
    ("..", "wildcard"),
    ("organization.8", "exact"),
    ("organization.8.", "prefix"),
    ("organization.70", "exact"),
    ("organization.700", "prefix"),
    ("organization.70.", "prefix"),
    ("organization.007", "exact"),
    ("organization.7x", "exact"),
    ("organization.ACME", "exact"),
    ("organization.Acme.", "prefix"),
    ("Organization.7", "exact"),
    ("ORGANIZATION.7", "exact"),
    ("organizations.7", "exact"),
    ("organization7", "exact"),
    ("organization.\N{FULLWIDTH DIGIT SEVEN}", "exact"),
    ("organization.\N{FULLWIDTH DIGIT SEVEN}.", "prefix"),
    ("organization.\N{ARABIC-INDIC DIGIT SEVEN}", "exact"),
    ("organization.acme-eu", "exact"),
    ("organization.%37", "exact"),
    ("organization.7%00", "exact"),
    ("organization.*", "exact"),
    ("organization.+", "exact"),
    ("organization.7|8", "exact"),
    (f"organization.{UUID.upper()}", "exact"),
    (f"organization.{UUID.replace('-', '')}", "exact"),
    ("organization." + "7" * 65, "exact"),
    ("com.organization.7", "exact"),
]


@pytest.mark.parametrize(("subject", "match"), MEMBERS)
def test_a_member_may(routed: Routed, subject: str, match: Match) -> None:
    authorizer = made(routed)
    assert is_pattern(subject, match)
    assert decided(authorizer, JOE, subject, match).allowed
    assert not decided(authorizer, ANN, subject, match).allowed
    assert not decided(authorizer, BACKEND, subject, match).allowed
    assert not decided(authorizer, NOBODY, subject, match).allowed


@pytest.mark.parametrize(("subject", "match"), TRICKS)
def test_a_trick_does_not_help(routed: Routed, subject: str, match: Match) -> None:
    assert is_pattern(subject, match)
    decision = decided(made(routed), JOE, subject, match)
    assert not decision.allowed
    assert not decision.failed


@pytest.mark.parametrize("action", ["publish", "call", "register"])
@pytest.mark.parametrize("subject", ["organization.7", "organization.7.news"])
def test_membership_lets_subscribe_and_nothing_else(routed: Routed, action: Action, subject: str) -> None:
    authorizer = made(routed)
    decided(authorizer, JOE, subject, "exact")
    assert not decided(authorizer, JOE, subject, "exact", action).allowed


def test_an_organization_whose_id_has_a_dot_opens_nothing(routed: Routed) -> None:
    authorizer = made(routed)
    # Ann is in "acme.eu" and "7.secret", which no topic can name; joe is in "acme" and "7".
    for subject in ("organization.acme.eu", "organization.acme", "organization.7.secret", "organization.7"):
        assert not decided(authorizer, ANN, subject, "exact").allowed
    assert decided(authorizer, ANN, "organization.8", "exact").allowed


ids = st.sampled_from(("7", "70", "8", "acme", "acme-eu", "", "x", "\N{FULLWIDTH DIGIT SEVEN}"))
subjects = st.builds(
    lambda root, parts, cut, tail: ".".join([root, *parts])[: cut or None] + tail,
    st.sampled_from(("organization", "organization", "organization", "organizations", "")),
    st.lists(ids, max_size=3),
    st.integers(0, 24),
    st.sampled_from(("", "", ".", "..", ".news")),
)
WORLD = [
    f"{root}.{organization}{tail}"
    for root in ("organization", "organizations", "x")
    for organization in ("7", "70", "8", "acme", "acme-eu", "x", "7x", "\N{FULLWIDTH DIGIT SEVEN}")
    for tail in ("", ".news", ".x", ".7", ".8", ".news.x", ".acme.7", ".x.x", ".7.7.news", ".news.")
    if not tail.endswith(".")
] + ["organization", "organizations", "x"]


@given(
    subject=subjects,
    match=st.sampled_from(("exact", "prefix", "wildcard")),
    member=st.sets(st.sampled_from(("7", "8", "acme", "70"))),
)
def test_what_is_allowed_shows_only_what_members_may_see(subject: str, match: Match, member: set[str]) -> None:
    if not is_pattern(subject, match):
        return
    routed = Routed(RealmUnderTest())
    routed.realm.add_user("joe", *member)
    memberships = Memberships(
        routed.realm.store, now=routed.clock, seconds=5.0, run=routed.run, odd_id=lambda _user, _organization: None
    )
    allowed = decided(OrganizationAuthorizer(Rules([]), memberships), JOE, subject, match).allowed
    shown = [uri for uri in WORLD if matches(subject, match, uri)]
    seen = {(uri.split(".")[0], uri.split(".")[1] if "." in uri else None) for uri in shown}
    if allowed:
        assert seen <= {("organization", organization) for organization in member}
    if match == "exact":
        root, _, rest = subject.partition(".")
        assert allowed == (root == "organization" and rest.partition(".")[0] in member)
    event(f"{match} allowed: {allowed}")


def test_a_rule_that_speaks_decides_before_membership(routed: Routed) -> None:
    authorizer = made(
        routed,
        rule("member", ["subscribe"], "organization.7.private", "exact", allow=False),
        rule("member", ["subscribe"], "organization.8", "exact"),
    )
    assert not decided(authorizer, JOE, "organization.7.private", "exact").allowed
    assert not decided(authorizer, JOE, "organization.7.", "prefix").allowed
    assert decided(authorizer, JOE, "organization.7.public", "exact").allowed
    assert decided(authorizer, JOE, "organization.8", "exact").allowed


def test_another_root_and_none(routed: Routed) -> None:
    authorizer = made(routed, root="com.tenants")
    assert decided(authorizer, JOE, "com.tenants.7", "exact").allowed
    assert not decided(authorizer, JOE, "organization.7", "exact").allowed
    assert not decided(authorizer, JOE, "com.tenants.", "prefix").allowed
    authorizer = made(routed, root=None)
    assert not decided(authorizer, JOE, "organization.7", "exact").allowed


def test_without_a_store_there_are_no_members() -> None:
    authorizer = OrganizationAuthorizer(Rules([]), None)
    assert not decided(authorizer, JOE, "organization.7", "exact").allowed
    assert outcome_of(authorizer.admit(JOE, {})) == {}


def test_the_answer_is_at_once_when_it_is_known_and_later_when_not(routed: Routed) -> None:
    authorizer = made(routed)
    routed.realm.store.slow = True
    later = authorizer.authorize(JOE, "subscribe", "organization.7", "exact")
    assert isinstance(later, Pending)
    routed.answer()
    for organization, allowed in (("7", True), ("8", False)):
        answer = authorizer.authorize(JOE, "subscribe", f"organization.{organization}", "exact")
        assert isinstance(answer, Decision)
        assert answer.allowed is allowed


@pytest.mark.parametrize(
    ("subject", "match"),
    [
        (subject, match)
        for subject, match in TRICKS
        if not re.fullmatch(r"organization\.[A-Za-z0-9_-]{1,64}(\..*)?", subject)
        or (match == "prefix" and subject.count(".") < 2)
    ],
)
def test_what_no_membership_could_allow_does_not_reach_the_store(routed: Routed, subject: str, match: Match) -> None:
    authorizer = made(routed)
    routed.realm.store.slow = True
    assert isinstance(authorizer.authorize(JOE, "subscribe", subject, match), Decision)
    assert routed.realm.store.asked == []


@pytest.mark.parametrize("who", [BACKEND, NOBODY])
def test_the_store_is_not_asked_for_who_is_no_user(routed: Routed, who: Principal) -> None:
    decided(made(routed), who, "organization.7", "exact")
    assert routed.realm.store.asked == []


def test_a_store_that_is_down_fails_and_does_not_allow(routed: Routed) -> None:
    authorizer = made(routed)
    routed.realm.memory.go_down()
    decision = decided(authorizer, JOE, "organization.7", "exact")
    assert (decision.allowed, decision.failed) == (False, True)
    # What needs no store is still told apart from what could not be decided.
    assert not decided(authorizer, JOE, "organization.7", "prefix").failed


def test_a_member_of_before_is_none_after_the_answer_s_time(routed: Routed) -> None:
    authorizer = made(routed)
    assert decided(authorizer, JOE, "organization.7", "exact").allowed
    routed.realm.memory.remove_membership("joe", "7")
    routed.clock.now += 5
    assert not decided(authorizer, JOE, "organization.7", "exact").allowed


# --- joining ---


def test_welcome_tells_the_organizations(routed: Routed) -> None:
    assert outcome_of(made(routed).admit(JOE, {})) == {"organizations": sorted(JOES), "organization_count": 4}


def test_welcome_tells_a_hundred_and_how_many_there_are(routed: Routed) -> None:
    authorizer = made(routed)
    for number in range(TOLD + 50):
        routed.realm.memory.add_membership("max", f"{number:03}")
    told = outcome_of(authorizer.admit(Principal("max", "member", "ticket", "store", user="max"), {}))
    assert told["organizations"] == [f"{number:03}" for number in range(TOLD)]
    assert told["organization_count"] == TOLD + 50


@pytest.mark.parametrize("wanted", ["7", 7, UUID, "07", "acme"])
def test_a_member_may_name_the_organization(routed: Routed, wanted: object) -> None:
    assert outcome_of(made(routed).admit(JOE, {"organization": wanted}))["organization"] == str(wanted)


@pytest.mark.parametrize(
    "wanted",
    ["8", 8, "", "70", "7 ", "7.", "acme.eu", "ACME", True, 7.0, -7, 10**30, [], ["7"], {}, {"7": 1}, b"7", "\0"],
)
@pytest.mark.parametrize("require", [True, False])
def test_who_names_another_is_refused(routed: Routed, wanted: object, require: bool) -> None:
    with pytest.raises(JoinRefused) as refused:
        outcome_of(made(routed, require_organization=require).admit(JOE, {"organization": wanted}))
    assert refused.value.error == "wamp.error.not_authorized"


def test_an_id_with_a_dot_can_t_be_named(routed: Routed) -> None:
    with pytest.raises(JoinRefused):
        outcome_of(made(routed).admit(ANN, {"organization": "acme.eu"}))


@pytest.mark.parametrize("authextra", [{}, {"organization": None}])
def test_a_missing_organization_is_named_where_it_is_required(routed: Routed, authextra: dict[str, Any]) -> None:
    with pytest.raises(JoinRefused) as refused:
        outcome_of(made(routed, require_organization=True).admit(JOE, authextra))
    assert refused.value.error == "wampgate.error.organization_required"
    assert "authextra.organization" in refused.value.message


def test_who_is_no_user_has_no_memberships(routed: Routed) -> None:
    # The backend's authid equals an organization's id here, and a user's could.
    authorizer = made(routed, require_organization=True)
    for who in (BACKEND, NOBODY, Principal("joe", "member", "ticket", "static")):
        assert outcome_of(authorizer.admit(who, {})) == {}
        with pytest.raises(JoinRefused):
            outcome_of(authorizer.admit(who, {"organization": "7"}))
        assert not decided(authorizer, who, "organization.7", "exact").allowed
    assert routed.realm.store.asked == []


def test_joining_fails_while_the_store_is_down(routed: Routed) -> None:
    authorizer = made(routed)
    routed.realm.memory.go_down()
    with pytest.raises(StoreUnavailable):
        outcome_of(authorizer.admit(JOE, {}))


def test_kept_decisions_are_bounded_and_never_another_s(routed: Routed) -> None:
    authorizer = made(routed, rule("other", ["subscribe"], "x.", "prefix"))
    other = Principal("x", "other", "ticket", "static")
    decided(authorizer, JOE, "organization.7", "exact")
    for number in range(organization_module._CACHED + 10):
        assert decided(authorizer, other, f"x.{number}", "exact").allowed
        assert not decided(authorizer, JOE, f"x.{number}", "exact").allowed
        assert decided(authorizer, JOE, f"organization.7.{number}", "exact").allowed
        assert not decided(authorizer, ANN, f"organization.7.{number}", "exact").allowed
    assert len(authorizer._found) <= organization_module._CACHED
