"""The mission: a user may subscribe to the topics of those organizations it belongs to, and to no other.

``organization.<id>`` and all below it. A prefix or wildcard is allowed if it can't
match beyond one such organization: ``organization.7.`` is, ``organization.7`` as
a prefix is not, since it matches ``organization.70`` as well.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Any, Final

from wampgate.authorization.memberships import Organizations
from wampgate.authorization.templates import Templates, TopicTemplate
from wampgate.core.decisions import Decision, Pending
from wampgate.core.errors import JoinRefused, uri

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wampgate.authorization.memberships import Memberships
    from wampgate.authorization.rules import Rules
    from wampgate.authorization.templates import Conditions, Needed
    from wampgate.core.decisions import Action
    from wampgate.core.interfaces import Principal
    from wampgate.wire.messages import Match

_CACHED: Final = 10_000
"""What decides about so many requests is kept; clients choose the URIs, so the number needs a bound."""

TOLD: Final = 100
"""So many organizations are listed in WELCOME; a count tells of the others."""


class OrganizationAuthorizer:
    """Memberships for the organizations' topics, static rules for the rest; nothing else is allowed.

    It decides both what a session may do (:class:`wampgate.core.interfaces.Authorizer`)
    and whether it may join (:class:`wampgate.core.interfaces.Admission`).

    Args:
        rules: the realm's static rules; where one speaks, it decides.
        memberships: None in a realm without users.
        root: the first components of the organizations' topics; None if there are no such topics.
        templates: more topics that belong to users and organizations.
        require_organization: whether a user has to name an organization in HELLO.
    """

    def __init__(
        self,
        rules: Rules,
        memberships: Memberships | None,
        *,
        root: str | None = "organization",
        templates: Sequence[TopicTemplate] = (),
        require_organization: bool = False,
    ) -> None:
        self._rules = rules
        self._memberships = memberships
        organizations = [] if root is None else [TopicTemplate.parse(f"{root}.{{organization}}", below=True)]
        self._templates = Templates([*organizations, *templates])
        self._require_organization = require_organization
        self._found: dict[tuple[str, Action, str, Match], Decision | Conditions] = {}

    # --- what a session may do ---

    def authorize(self, who: Principal, action: Action, subject: str, match: Match) -> Decision | Pending[Decision]:
        """See :meth:`wampgate.core.interfaces.Authorizer.authorize`."""
        key = (who.authrole, action, subject, match)
        try:
            found = self._found[key]
        except KeyError:
            if len(self._found) >= _CACHED:
                self._found.clear()
            found = self._found[key] = self._find(*key)
        if isinstance(found, Decision):
            return found
        user, needed = found
        if who.user is None or (user is not None and user != who.user):
            return NO_RULE
        if not needed:
            return _OWN_TOPIC
        organizations = self._known(who)
        if organizations is not None:
            return _decide(organizations, needed)
        if self._memberships is None:
            return NO_RULE
        later: Pending[Decision] = Pending()
        self._memberships.ask(who.user).then(lambda answer: later.resolve(_decide(answer, needed)))
        return later

    def _find(self, role: str, action: Action, subject: str, match: Match) -> Decision | Conditions:
        """What decides about a request: a rule, or on what it depends who makes it."""
        decision = self._rules.decide(role, action, subject, match)
        if decision is not None:
            return decision
        return self._templates.conditions(action, subject, match) or NO_RULE

    # --- whose topics are whose ---

    def organization_of(self, topic: str, match: Match) -> str | None:
        """The one organization that a topic belongs to, or all that a pattern could match; None if there is none."""
        conditions = self._templates.conditions("subscribe", topic, match)
        if conditions is None:
            return None
        organizations = {needed.organization for needed in conditions.needed}
        return organizations.pop() if len(organizations) == 1 else None

    # --- whether it may join ---

    async def admit(self, who: Principal, authextra: Mapping[str, Any]) -> Mapping[str, Any]:
        """See :meth:`wampgate.core.interfaces.Admission.admit`.

        Raises:
            JoinRefused: an organization is required, or the one that was named isn't the user's.
            StoreUnavailable: the memberships can't be had now.
        """
        wanted = authextra.get("organization")
        if isinstance(wanted, int) and not isinstance(wanted, bool):
            wanted = str(wanted)
        if wanted is None and self._require_organization and who.user is not None:
            raise JoinRefused(
                uri.ORGANIZATION_REQUIRED,
                "name an organization in HELLO.Details.authextra.organization",
            )
        organizations = self._known(who)
        if organizations is None and who.user is not None and self._memberships is not None:
            organizations = await self._memberships.load(who.user)
        if organizations is None:
            if wanted is not None:
                raise _not_a_member(who, wanted)
            return {}
        if wanted is not None and (not isinstance(wanted, str) or wanted not in organizations.ids):
            raise _not_a_member(who, wanted)
        told: dict[str, Any] = {
            "organizations": sorted(organizations.ids)[:TOLD],
            "organization_count": len(organizations.ids),
        }
        if wanted is not None:
            told["organization"] = wanted
        return told

    # --- where organizations come from ---

    def _known(self, who: Principal) -> Organizations | None:
        """A user's organizations, if nobody has to be asked for them: what a signed token says holds as long as it."""
        if who.organizations is not None:
            # A signed token says what was true when it was issued.
            issued = None if who.issued is None else who.issued.at
            since_by_id = {} if issued is None else dict.fromkeys(who.organizations, issued)
            return Organizations(who.organizations, inf, since_by_id)
        if self._memberships is None or who.user is None:
            return None
        return self._memberships.known(who.user)


def _decide(organizations: Organizations | None, needed: Sequence[Needed]) -> Decision:
    if organizations is None:
        return _UNDECIDED
    for need in needed:
        role = organizations.roles_by_id.get(need.organization)
        if role is None:
            return Decision(False, f"not a member of {need.organization}")
        if need.role is not None and need.role != role:
            return Decision(False, f"not a member of {need.organization} in the role {need.role}")
    known = organizations.since_by_id
    if not known:
        since = inf
    elif len(needed) == 1:
        since = known.get(needed[0].organization, inf)
    else:
        since = max(known.get(need.organization, inf) for need in needed)
    return _member_of(needed[0].organization, since)


@lru_cache(10_000)
def _member_of(organization: str, since: float) -> Decision:
    """One object for all members: making it anew would be a third of what a decision costs."""
    return Decision(True, f"member of {organization}", since=since)


def _not_a_member(who: Principal, organization: object) -> JoinRefused:
    return JoinRefused(
        uri.NOT_AUTHORIZED,
        "this user does not belong to the organization that HELLO names",
        f"{who.authid!r} is not a member of {organization!r:.80}",
    )


_OWN_TOPIC: Final = Decision(True, "the user's own topic")
NO_RULE: Final = Decision(False, "no rule allows it")
"""Neither a rule nor a topic template speaks of the request; a dynamic authorizer may still be asked."""

_UNDECIDED: Final = Decision(False, "the memberships could not be read", failed=True)
