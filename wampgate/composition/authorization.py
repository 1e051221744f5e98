"""Makes a realm's rules and topic templates of their section in router.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.authorization.rules import Rule
from wampgate.authorization.templates import TopicTemplate

if TYPE_CHECKING:
    from wampgate.config import model


def templates_of(authorization: model.Authorization) -> list[TopicTemplate]:
    """The topics that belong to users and organizations."""
    return [
        TopicTemplate.parse(topic.topic, below=topic.below, role=topic.role, actions=topic.actions)
        for topic in authorization.topics
    ]


def rules_of(authorization: model.Authorization) -> list[Rule]:
    """What roles may do, each rule named by its place in router.json."""
    return [
        Rule(
            rule.role,
            frozenset(rule.actions),
            rule.uri,
            rule.match,
            allow=rule.allow,
            disclose=rule.disclose,
            name=f"authorization.rules[{number}]",
        )
        for number, rule in enumerate(authorization.rules)
    ]
