"""Static rules: role, action, URI, match; the most specific one that covers a request decides.

One rule is more specific than another if everything it matches is matched by the
other too. Between two rules of which neither is, the one that denies decides. A
pattern is allowed only if no part of it is denied.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wampgate.core.decisions import Decision
from wampgate.core.matching import covers, overlaps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wampgate.core.decisions import Action, Disclosure
    from wampgate.wire.messages import Match


@dataclass(frozen=True, slots=True)
class Rule:
    """What a role may do, or may not.

    Attributes:
        role: the authrole; None for every role.
        actions: what the rule is about.
        uri, match: which URIs and patterns it covers.
        allow: whether it allows or denies.
        disclose: whether identities go to receivers.
        name: where the rule stands, for the log: ``rules[2]``.
    """

    role: str | None
    actions: frozenset[Action]
    uri: str
    match: Match
    allow: bool
    disclose: Disclosure
    name: str

    def applies(self, role: str, action: Action) -> bool:
        """Whether the rule speaks of this role and action."""
        return action in self.actions and self.role in (None, role)

    def covers(self, uri: str, match: Match) -> bool:
        """Whether the rule speaks of everything that a request could match."""
        return covers(self.uri, self.match, uri, match)


class Rules:
    """The rules of one realm. They know roles only, so what they decide holds for everyone of the role."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)

    def decide(self, role: str, action: Action, uri: str, match: Match) -> Decision | None:
        """Yes or no if a rule says so; None if no rule speaks of the request."""
        applying = [rule for rule in self._rules if rule.applies(role, action)]
        covering = [rule for rule in applying if rule.covers(uri, match)]
        for rule in applying:
            if not rule.allow and not rule.covers(uri, match) and overlaps(rule.uri, rule.match, uri, match):
                return Decision(False, f"{rule.name} denies a part of it")
        if not covering:
            return None
        deciding = [rule for rule in covering if not any(_narrower(other, rule) for other in covering)]
        rule = next((rule for rule in deciding if not rule.allow), deciding[0])
        return Decision(rule.allow, rule.name, disclose=rule.disclose)


def _narrower(one: Rule, other: Rule) -> bool:
    """Whether one rule is more specific than another."""
    return covers(other.uri, other.match, one.uri, one.match) and not covers(one.uri, one.match, other.uri, other.match)
