"""Static rules: the most specific decides, measured by an oracle that looks at every URI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st
from unit.core.routed import rule
from unit.core.test_matching import WORLD, matches, patterns, uris

from wampgate.authorization.rules import Rule, Rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.core.decisions import Action
    from wampgate.wire.messages import Match

ACTIONS: Final[tuple[Action, ...]] = ("subscribe", "publish", "call", "register")
MATCHED: Final[dict[tuple[str, Match], frozenset[str]]] = {}


def matched(pattern: str, match: Match) -> frozenset[str]:
    """Every URI of the small world that a pattern matches."""
    key = (pattern, match)
    if key not in MATCHED:
        MATCHED[key] = frozenset(uri for uri in WORLD if matches(pattern, match, uri))
    return MATCHED[key]


def allowed_by(rules: Sequence[Rule], role: str, action: Action, uri: str) -> bool | None:
    """What rules say of one URI: the most specific that match it, of those the ones that deny; None if none match."""
    speaking = [
        one
        for one in rules
        if one.role in (None, role) and action in one.actions and uri in matched(one.uri, one.match)
    ]
    if not speaking:
        return None
    sets = [matched(one.uri, one.match) for one in speaking]
    deciding = [
        one
        for one, mine in zip(speaking, sets, strict=True)
        if not any(other < mine for other in sets)  # a smaller set is more specific
    ]
    return all(one.allow for one in deciding)


made_rules = st.lists(
    st.builds(
        lambda role, actions, pattern, allow: rule(role, actions, *pattern, allow=allow),
        st.sampled_from((None, "member", "guest")),
        st.frozensets(st.sampled_from(ACTIONS), min_size=1),
        patterns,
        st.booleans(),
    ),
    max_size=5,
)


@given(made=made_rules, action=st.sampled_from(ACTIONS), uri=uris)
def test_a_uri_is_decided_as_the_oracle_decides_it(made: list[Rule], action: Action, uri: str) -> None:
    decision = Rules(made).decide("member", action, uri, "exact")
    expected = allowed_by(made, "member", action, uri)
    assert (None if decision is None else decision.allowed) == expected
    event(f"decided: {expected}")


@given(made=made_rules, action=st.sampled_from(ACTIONS), pattern=patterns)
@example(
    made=[rule("member", ["call"], "a", "prefix"), rule("member", ["call"], "a.b", allow=False)],
    action="call",
    pattern=("a", "prefix"),
)
@example(made=[rule("member", ["call"], "a")], action="call", pattern=("a", "prefix"))
def test_a_pattern_is_allowed_only_if_all_it_could_match_is(
    made: list[Rule], action: Action, pattern: tuple[str, Any]
) -> None:
    decision = Rules(made).decide("member", action, *pattern)
    if decision is not None and decision.allowed:
        refused = [uri for uri in matched(*pattern) if not allowed_by(made, "member", action, uri)]
        assert refused == []
    event(f"allowed: {decision is not None and decision.allowed}")


@given(made=made_rules, pattern=patterns)
def test_no_rule_speaks_only_where_none_could_allow_it_all(made: list[Rule], pattern: tuple[str, Any]) -> None:
    # Then memberships may still allow it: a rule that denies a part must have spoken.
    if Rules(made).decide("member", "subscribe", *pattern) is None:
        assert not any(allowed_by(made, "member", "subscribe", uri) is False for uri in matched(*pattern))


CASES: Final = (
    rule("member", ["publish"], "a", "prefix", name="wide"),
    rule("member", ["publish"], "a.b", "exact", allow=False, name="exact"),
    rule("member", ["publish"], "a.b.", "prefix", allow=False, name="narrow"),
    rule("member", ["publish"], "a.b.c", "exact", name="narrowest"),
    rule("member", ["publish"], ".x", "wildcard", allow=False, name="wildcard"),
    rule(None, ["call"], "", "prefix", name="everyone"),
)


@pytest.mark.parametrize(
    ("uri", "match", "expected", "because"),
    [
        ("a", "exact", True, "wide"),
        ("a.c", "exact", True, "wide"),
        # An exact rule does not hide the wider one for its longer siblings.
        ("a.bc", "exact", True, "wide"),
        ("a.b", "exact", False, "exact"),
        ("a.b.d", "exact", False, "narrow"),
        ("a.b.c", "exact", True, "narrowest"),
        ("a.x", "exact", False, "wildcard"),
        ("a.", "prefix", False, "denies a part"),
        ("a.b.", "prefix", False, "narrow"),
        ("a.c.", "prefix", True, "wide"),
        ("a..", "wildcard", False, "denies a part"),
        ("ab", "prefix", False, "denies a part"),
        ("ab.c", "prefix", True, "wide"),
    ],
)
def test_the_most_specific_decides(uri: str, match: Match, expected: bool, because: str) -> None:
    decision = Rules(CASES).decide("member", "publish", uri, match)
    assert decision is not None
    assert decision.allowed is expected
    assert because in decision.because


def test_no_rule_is_no_decision() -> None:
    rules = Rules(CASES)
    assert rules.decide("guest", "publish", "a", "exact") is None
    assert rules.decide("member", "subscribe", "a", "exact") is None
    assert rules.decide("member", "publish", "b", "exact") is None
    assert rules.decide("", "call", "b", "exact") is not None


def test_an_exact_rule_allows_no_pattern() -> None:
    rules = Rules([rule("member", ["subscribe"], "organization.1", "exact")])
    assert rules.decide("member", "subscribe", "organization.1", "exact") is not None
    wider: list[tuple[str, Match]] = [
        ("organization.1", "prefix"),
        ("organization.1.", "prefix"),
        ("organization.", "wildcard"),
    ]
    for pattern, match in wider:
        assert rules.decide("member", "subscribe", pattern, match) is None


def test_of_two_that_are_as_specific_the_one_that_denies_decides() -> None:
    for order in (1, -1):
        rules = Rules(
            [
                rule("member", ["publish"], "a..", "wildcard", allow=True),
                rule("member", ["publish"], "..b", "wildcard", allow=False),
            ][::order]
        )
        decision = rules.decide("member", "publish", "a.x.b", "exact")
        assert decision is not None
        assert not decision.allowed


def test_the_same_uri_as_an_exact_and_as_a_wildcard_rule_is_as_specific() -> None:
    rules = Rules(
        [
            rule("member", ["publish"], "a.b", "exact", allow=True),
            rule("member", ["publish"], "a.b", "wildcard", allow=False),
        ]
    )
    decision = rules.decide("member", "publish", "a.b", "exact")
    assert decision is not None
    assert not decision.allowed


def test_disclosure_is_the_deciding_rule_s() -> None:
    rules = Rules(
        [
            rule("member", ["publish"], "", "prefix", disclose="always"),
            rule("member", ["publish"], "a.", "prefix", disclose="never"),
        ]
    )
    wide, narrow = rules.decide("member", "publish", "b", "exact"), rules.decide("member", "publish", "a.b", "exact")
    assert wide is not None
    assert narrow is not None
    assert (wide.disclose, narrow.disclose) == ("always", "never")
