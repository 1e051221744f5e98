"""Offers the router's own procedures in a realm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.core.procedures import Procedures
from wampgate.procedures import explain, get_events, history, kill, organizations, publish, refresh

if TYPE_CHECKING:
    from wampgate.authorization.standing import Standing
    from wampgate.composition.realm import RealmParts, Run
    from wampgate.core.guesses import Guesses
    from wampgate.core.router import Router


def offer_procedures(
    parts: RealmParts, router: Router, *, guesses: Guesses, standing: Standing | None, run: Run
) -> None:
    """Register each procedure that means something in this realm; who may call it, its rules say."""
    realm, authentication = parts.realm, parts.configuration.authentication
    procedures = Procedures(realm, run)
    procedures.add(publish.NAME, publish.Publish(realm))
    if parts.has_users:
        procedures.add(organizations.NAME, organizations.Organizations(parts.memberships))
        refreshing = refresh.Refresh(realm.authenticators["ticket"], router, standing, guesses)
        procedures.add(refresh.NAME, refreshing)
    procedures.add(kill.NAME, kill.Kill(realm, standing))
    roles = {principal.authid: principal.role for principal in authentication.principals}
    user_role = authentication.ticket.role if parts.has_users and authentication.ticket is not None else None
    procedures.add(explain.NAME, explain.Explain(realm, roles, user_role))
    if realm.history is not None:
        procedures.add(history.NAME, history.Recover(realm, realm.history))
        procedures.add(get_events.NAME, get_events.GetEvents(realm, realm.history))
