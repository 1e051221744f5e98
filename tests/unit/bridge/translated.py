"""What a rule makes of bytes, in a form that tests can compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.bridge.rules import BridgedEvent, BridgedKill, Undecodable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wampgate.bridge.rules import Outcome, Rule, StreamRule


def outcomes(rule: Rule, channel: str, message: bytes) -> list[Outcome]:
    """Everything that a message comes to."""
    return list(rule.translate(channel, message))


def entry_outcomes(rule: StreamRule, fields: Mapping[bytes, bytes]) -> list[Outcome]:
    """Everything that an entry comes to."""
    return list(rule.translate_entry(rule.streams()[0], fields))


def kinds(rule: Rule, channel: str, message: bytes) -> list[str]:
    """The same in short: an event's topic, "kill", or the kind of what was dropped."""
    try:
        return [_short(outcome) for outcome in rule.translate(channel, message)]
    except Undecodable as error:
        return [error.dropped.kind]


def entry_kinds(rule: StreamRule, fields: Mapping[bytes, bytes]) -> list[str]:
    """The same for an entry of a stream."""
    try:
        return [_short(outcome) for outcome in rule.translate_entry(rule.streams()[0], fields)]
    except Undecodable as error:
        return [error.dropped.kind]


def _short(outcome: Outcome) -> str:
    if isinstance(outcome, BridgedEvent):
        return outcome.topic
    return "kill" if isinstance(outcome, BridgedKill) else outcome.kind
