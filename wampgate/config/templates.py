"""Templates of bridge rules: ``channel.{organization}`` on one side, ``organization.{organization}`` on the other."""

from __future__ import annotations

import re
from typing import Final

from wampgate.core.uri import is_organization_id, is_reserved, is_uri

_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII).fullmatch


def variables(template: str) -> list[str] | None:
    """The variables' names in order; None if the braces or a name are not well-formed."""
    names = _VARIABLE.findall(template)
    rest = _VARIABLE.sub("", template)
    if "{" in rest or "}" in rest or any(_NAME(name) is None for name in names):
        return None
    return names


def is_source(template: str) -> bool:
    """Whether there is one way at most in which a template takes a channel or a room apart.

    No variable occurs twice, no two stand side by side, and what follows
    ``{organization}`` can't be part of an organization's id.
    """
    names = variables(template)
    if not template or names is None or len(set(names)) != len(names) or "}{" in template:
        return False
    _, _, after = template.partition("{organization}")
    return not after or not is_organization_id(after[0])


def is_topic(template: str) -> bool:
    """Whether a template makes topics that its fixed parts keep within bounds.

    Each variable is one whole component, used once, and the first component is
    fixed: else a channel's name could choose any topic. No topic is the router's own.
    """
    names = variables(template)
    components = template.split(".")
    if names is None or len(set(names)) != len(names) or "{" in components[0] or is_reserved(components[0], "exact"):
        return False
    whole = all(_VARIABLE.fullmatch(part) is not None for part in components if "{" in part)
    return whole and is_uri(_VARIABLE.sub("x", template))


def missing_variables(source: str, topic: str) -> str | None:
    """The topic's variables, as a text, if they are not the same as the source's; None if they are."""
    names, wanted = variables(topic) or [], variables(source) or []
    if set(names) == set(wanted):
        return None
    return ", ".join(f"{{{name}}}" for name in names) or "no variable"
