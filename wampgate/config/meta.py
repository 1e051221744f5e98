"""How far roles see through the meta API: the section of router.json for whom other sessions are shown to."""

from typing import Annotated, TypeAlias

from msgspec import Meta

from wampgate.config.section import Section, Unique
from wampgate.config.values import Role
from wampgate.core.visibility import Sees


class Sight(Section, frozen=True, kw_only=True):
    """How far the sessions of a role see.

    Attributes:
        role: whose sessions.
        sees: ``all`` sessions of the realm; those of the user's ``organizations``, by today's
            memberships, and its own; or the session itself and its user's (``own``).
    """

    role: Role
    sees: Sees


Sights: TypeAlias = Annotated[
    tuple[Sight, ...], Meta(description="a list of roles and what they see", extra={"unique": Unique(("role",))})
]


class MetaApi(Section, frozen=True, kw_only=True):
    """The meta API (``docs/meta-api.md``). Who may use it at all is a matter of rules.

    Attributes:
        sights: how far the sessions of some roles see, where it is not what follows from who they
            are: principals of the configuration see all, users their organizations, others themselves.
    """

    sights: Sights = ()
