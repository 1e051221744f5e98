"""Offers the router's own procedures in a realm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.composition.status import offer_status
from wampgate.core.kills import Kills
from wampgate.core.procedures import Procedures
from wampgate.core.visibility import Visibility
from wampgate.procedures import explain, forget, get_events, history, kill, organizations, publish, refresh
from wampgate.procedures.audited import audited
from wampgate.procedures.meta_registrations import MetaRegistrations
from wampgate.procedures.meta_sessions import MetaSessions
from wampgate.procedures.meta_subscriptions import MetaSubscriptions
from wampgate.procedures.testaments import TestamentProcedures

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.authorization.standing import Standing
    from wampgate.composition.realm import RealmParts, Run
    from wampgate.core.guesses import Guesses
    from wampgate.core.realm import Realm
    from wampgate.core.router import Router
    from wampgate.core.sifting import Sifter
    from wampgate.observation.parts import Parts


def procedures_of(realm: Realm, run: Run) -> Procedures:
    """What registers the router's own procedures in a realm; none is yet."""
    return Procedures(realm, run, audited)


def offer_procedures(
    parts: RealmParts,
    procedures: Procedures,
    router: Router,
    *,
    guesses: Guesses,
    standing: Standing | None,
    sifter: Sifter,
    in_view: Callable[[], Parts],
    more: Callable[[Procedures, Realm], None] = lambda _procedures, _realm: None,
) -> None:
    """Register each procedure that means something in this realm; who may call it, its rules say.

    Those that were registered before keep their registrations, and are answered by what is made here.
    """
    with procedures.anew():
        _offer(parts, procedures, router, guesses=guesses, standing=standing, sifter=sifter)
        offer_status(procedures, parts.realm, in_view, sifter)
        more(procedures, parts.realm)


def _offer(
    parts: RealmParts,
    procedures: Procedures,
    router: Router,
    *,
    guesses: Guesses,
    standing: Standing | None,
    sifter: Sifter,
) -> None:
    realm, authentication = parts.realm, parts.configuration.authentication
    procedures.add(publish.NAME, publish.Publish(realm))
    if parts.has_users:
        procedures.add(organizations.NAME, organizations.Organizations(parts.memberships))
        refreshing = refresh.Refresh(realm.authenticators["ticket"], router, standing, guesses)
        procedures.add(refresh.NAME, refreshing)
    procedures.add(kill.NAME, kill.Kill(realm, standing))
    roles = {principal.authid: principal.role for principal in authentication.principals}
    user_role = authentication.ticket.role if parts.has_users and authentication.ticket is not None else None
    procedures.add(explain.NAME, explain.Explain(realm, roles, user_role))
    if parts.dynamic_authorizer is not None:
        procedures.add(forget.NAME, forget.Forget(realm, parts.dynamic_authorizer))
    if standing is not None:
        standing.rights_changed = _unheard if parts.dynamic_authorizer is None else parts.dynamic_authorizer.forget_user
    if realm.history is not None:
        procedures.add(history.NAME, history.Recover(realm, realm.history))
        procedures.add(get_events.NAME, get_events.GetEvents(realm, realm.history))
    realm.visibility = Visibility(
        None if standing is None else standing.organizations_of,
        {sight.role: sight.sees for sight in parts.configuration.meta_api.sights},
    )
    offer_meta_api(procedures, realm, sifter)


def offer_meta_api(procedures: Procedures, realm: Realm, sifter: Sifter) -> None:
    """Register the procedures of the meta API and those for testaments."""
    for part in (
        MetaSessions(realm, Kills(realm), sifter),
        MetaSubscriptions(realm, sifter),
        MetaRegistrations(realm, sifter),
        TestamentProcedures(realm),
    ):
        for name, procedure in part.procedures().items():
            procedures.add(name, procedure)


def _unheard(_user: str) -> None:
    """No procedure of the user's has said anything of anybody."""
