"""Who may stay when a realm's configuration has changed: its principal as it is now, or how its session ends."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec.structs import replace

if TYPE_CHECKING:
    from wampgate.config import model
    from wampgate.config.credentials import Principal as PrincipalSection
    from wampgate.core.interfaces import Principal


class Ends(Enum):
    """How a session ends that may not stay as it is.

    Attributes:
        REVOKED: who it was is nobody any more.
        AGAIN: only a new login can tell who it is now.
    """

    REVOKED = "revoked"
    AGAIN = "again"


Verdict: TypeAlias = "Principal | Ends"

_METHODS: Final = {"wamp-scram": "scram"}
"""Authmethods whose section has another name."""


def judged(before: model.Realm, after: model.Realm, who: Principal) -> Verdict:
    """What becomes of someone who has joined under one configuration and is there under another one.

    Whether a store still knows the one, the store alone can say; it is asked besides.

    Args:
        before: the realm's section when it joined.
        after: the section now.
        who: the principal.
    """
    authentication, earlier = after.authentication, before.authentication
    method = _METHODS.get(who.authmethod, who.authmethod)
    if method not in after.authmethods:
        return Ends.REVOKED
    if who.authprovider == "static":
        return _static(before, after, who, method)
    if who.authid in {principal.authid for principal in authentication.principals}:
        # The name is another one's now.
        return Ends.REVOKED
    if _asks_more(before, after, method):
        return Ends.AGAIN
    if who.authprovider == "anonymous":
        section = authentication.anonymous
        return Ends.REVOKED if section is None else _in_role(who, section.role)
    if who.authprovider == "dynamic":
        if authentication.dynamic is None:
            return Ends.REVOKED
        return who if authentication.dynamic == earlier.dynamic else Ends.AGAIN
    if method in ("ticket", "cookie"):
        return _by_token(before, after, who)
    if after.store is None:
        return Ends.REVOKED
    # The store's row may name a role or leave it to the section: nobody remembers which.
    return who if getattr(earlier, method) == getattr(authentication, method) else Ends.AGAIN


def _static(before: model.Realm, after: model.Realm, who: Principal, method: str) -> Verdict:
    """Someone whom the configuration knows, or has known."""
    principal = _principal(after, who.authid)
    if principal is None:
        return Ends.REVOKED
    if method in ("ticket", "cookie"):
        return _in_role(who, principal.role) if principal.digest == who.token_id else Ends.REVOKED
    known = _principal(before, who.authid)
    if known is None or not _secrets(known, method) <= _secrets(principal, method):
        return Ends.REVOKED
    return Ends.AGAIN if _asks_more(before, after, method) else _in_role(who, principal.role)


def _by_token(before: model.Realm, after: model.Realm, who: Principal) -> Verdict:
    ticket, earlier = after.authentication.ticket, before.authentication.ticket
    if ticket is None or earlier is None:
        return Ends.REVOKED
    if who.authprovider == "jwt":
        if ticket.jwt is None:
            return Ends.REVOKED
        if ticket.jwt != earlier.jwt:
            return Ends.AGAIN
    elif after.store is None or (ticket.jwt is not None and ticket.jwt.jti_in_store):
        return Ends.REVOKED
    return _in_role(who, ticket.role)


def _asks_more(before: model.Realm, after: model.Realm, method: str) -> bool:
    """Whether a session would have had to show more to join now."""
    section, earlier = (getattr(realm.authentication, method, None) for realm in (after, before))
    if method in ("ticket", "cookie"):
        section, earlier = after.authentication.ticket, before.authentication.ticket
        return bool(section and section.require_organization and not (earlier and earlier.require_organization))
    binding, bound = (getattr(each, "channel_binding", None) for each in (section, earlier))
    return binding == "required" and bound != "required"


def _principal(realm: model.Realm, authid: str) -> PrincipalSection | None:
    return next((each for each in realm.authentication.principals if each.authid == authid), None)


def _secrets(principal: PrincipalSection, method: str) -> frozenset[object]:
    """By what a principal can prove who it is, each thing by itself."""
    section = getattr(principal, method, None)
    if section is None:
        return frozenset()
    if method == "cryptosign":
        return frozenset(section.public_keys)
    if method == "tls":
        names = {("CN", section.common_name), ("SAN", section.subject_alt_name)}
        return frozenset((*section.digests, *((kind, name) for kind, name in names if name is not None)))
    return frozenset((section,))


def _in_role(who: Principal, role: str) -> Principal:
    return who if who.authrole == role else replace(who, authrole=role)
