"""Topics that belong to a user or an organization: ``user.{user}``, ``organization.{organization}.admin``.

The most specific template that covers a request decides. A template that
restricts also restricts every pattern that reaches into it: whoever may not see
``organization.7.admin`` may not subscribe to the prefix ``organization.7.`` either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from wampgate.core.uri import is_organization_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wampgate.core.decisions import Action
    from wampgate.wire.messages import Match

Variable: TypeAlias = Literal["{user}", "{organization}"]

VARIABLES: Final = frozenset({"{user}", "{organization}"})


@dataclass(frozen=True, slots=True)
class Needed:
    """A membership on which a request depends.

    Attributes:
        organization: of this organization.
        role: with this role; None for any.
    """

    organization: str
    role: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, taken apart once for all templates.

    Attributes:
        whole: the components that are complete; an empty one is a wildcard.
        partial: a prefix's last, cut component; None if the request is no prefix.
    """

    whole: tuple[str, ...]
    partial: str | None

    @classmethod
    def of(cls, subject: str, match: Match) -> Asked:
        """The parts of a URI or pattern."""
        components = tuple(subject.split("."))
        return cls(components[:-1], components[-1]) if match == "prefix" else cls(components, None)


@dataclass(frozen=True, slots=True)
class TopicTemplate:
    """A topic with variables, and who may use it.

    Attributes:
        components: the URI's components; ``{user}`` stands for the principal's user
            id, ``{organization}`` for an organization that the user belongs to.
        below: whether all topics below it are meant too.
        role: the membership role that is needed; None for any member.
        actions: what a user may do there.
    """

    components: tuple[str, ...]
    below: bool = True
    role: str | None = None
    actions: frozenset[Action] = frozenset({"subscribe"})

    @classmethod
    def parse(
        cls, text: str, *, below: bool, role: str | None = None, actions: Iterable[Action] = ("subscribe",)
    ) -> TopicTemplate:
        """A template as it stands in router.json."""
        return cls(tuple(text.split(".")), below, role, frozenset(actions))

    def __str__(self) -> str:
        role = f" (role {self.role})" if self.role else ""
        return ".".join(self.components) + (" and below" if self.below else "") + role

    def covers(self, asked: Asked) -> bool:
        """Whether all that a request could match has this template's shape, with one value for each variable."""
        if asked.partial is not None and not self.below:
            return False
        length = len(self.components)
        if len(asked.whole) < length or (len(asked.whole) > length and not self.below):
            return False
        return all(
            theirs != "" and (mine in VARIABLES or mine == theirs)
            for mine, theirs in zip(self.components, asked.whole, strict=False)
        )

    def meets(self, asked: Asked) -> bool:
        """Whether something that a request could match has this template's shape."""
        length, whole = len(self.components), len(asked.whole)
        if asked.partial is None:
            if whole < length or (whole > length and not self.below):
                return False
        elif whole >= length and not self.below:
            # Every match of the prefix has more components than this template.
            return False
        for mine, theirs in zip(self.components, asked.whole, strict=False):
            if mine not in VARIABLES and theirs not in ("", mine):
                return False
        if asked.partial and whole < length:
            mine = self.components[whole]
            return mine in VARIABLES or mine.startswith(asked.partial)
        return True

    def narrower(self, other: TopicTemplate) -> bool:
        """Whether everything of this shape has the other one's too, and not the other way round."""
        return other.contains(self) and not self.contains(other)

    def contains(self, other: TopicTemplate) -> bool:
        """Whether everything of the other's shape has this one's too."""
        length = len(self.components)
        if other.below and not self.below:
            return False
        if len(other.components) < length or (len(other.components) > length and not self.below):
            return False
        return all(
            mine in VARIABLES or mine == theirs for mine, theirs in zip(self.components, other.components, strict=False)
        )

    def values(self, asked: Asked) -> Mapping[str, str | None]:
        """What a request has in the variables' places; None where it leaves them open."""
        return {
            mine: (asked.whole[place] or None) if place < len(asked.whole) else None
            for place, mine in enumerate(self.components)
            if mine in VARIABLES
        }


class Conditions(NamedTuple):
    """On what a request depends, whoever makes it.

    Attributes:
        user: the user that one has to be; None for any.
        needed: the memberships that one has to have.
    """

    user: str | None
    needed: tuple[Needed, ...]


class Templates:
    """The templates of one realm."""

    def __init__(self, templates: Sequence[TopicTemplate]) -> None:
        self._templates = tuple(templates)

    def conditions(self, action: Action, subject: str, match: Match) -> Conditions | None:
        """What a request depends on; None if no template allows it to anyone."""
        asked = Asked.of(subject, match)
        mine = [template for template in self._templates if action in template.actions]
        covering = [template for template in mine if template.covers(asked)]
        deciding = [template for template in covering if not any(other.narrower(template) for other in covering)]
        if not deciding:
            return None
        reached = [template for template in mine if not template.covers(asked) and template.meets(asked)]
        users: set[str] = set()
        needed: list[Needed] = []
        for template in (*deciding, *reached):
            theirs = _conditions(template, asked)
            if theirs is None:
                return None
            if theirs.user is not None:
                users.add(theirs.user)
            needed += theirs.needed
        if len(users) > 1:
            # Nobody is two users.
            return None
        return Conditions(users.pop() if users else None, tuple(needed))


def _conditions(template: TopicTemplate, asked: Asked) -> Conditions | None:
    """What one template asks for; None if it refuses, or if the request leaves open whose topics it means."""
    values = template.values(asked)
    if None in values.values():
        return None
    user, organization = values.get("{user}"), values.get("{organization}")
    if organization is None:
        return Conditions(user, ())
    if not is_organization_id(organization):
        return None
    return Conditions(user, (Needed(organization, template.role),))
