"""What concerns one session alone: topics on which it is told, procedures by which it asks; no rule is needed."""

from typing import Final

REVOKED: Final = "wampgate.revoked"
"""A subscription or registration was taken away. kwargs: match, reason (a URI), message, and either topic and
subscription (its id) or procedure and registration (its id)."""

ORGANIZATIONS_CHANGED: Final = "wampgate.organizations.changed"
"""The user's memberships changed. kwargs: organizations (at most 100), organization_count, added, removed."""

EXPIRING: Final = "wampgate.auth.expiring"
"""The token ends soon. kwargs: seconds (left); `wampgate.auth.refresh` goes on with another one."""

GAP: Final = "wampgate.gap"
"""Events were missed. kwargs: topic, match, since (ISO 8601, UTC), why, dropped (a number or null); see ``gaps``."""

PRIVATE: Final = frozenset({REVOKED, ORGANIZATIONS_CHANGED, EXPIRING, GAP})
"""Anyone who has joined may subscribe to these; each session gets its own events only."""

OWN_PROCEDURES: Final = frozenset({"wampgate.auth.refresh", "wampgate.organizations"})
"""Every user may call these: they concern the caller's own session."""

TESTAMENT_PROCEDURES: Final = frozenset({"wamp.session.add_testament", "wamp.session.flush_testaments"})
"""Everyone who has joined may call these: a testament is added, and published, by the caller's right to publish."""

HISTORY_PROCEDURES: Final = frozenset({"wampgate.history.recover", "wamp.subscription.get_events"})
"""Everyone who has joined may call these: each call is answered by the caller's right to subscribe, as it is then."""
