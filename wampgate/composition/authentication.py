"""Makes a realm's authenticators of their section in router.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wampgate.authentication.anonymous import AnonymousAuthenticator
from wampgate.authentication.ticket import StaticPrincipal, TicketAuthenticator

if TYPE_CHECKING:
    from wampgate.authentication.dynamic import DynamicAuthenticator
    from wampgate.authentication.signed_tokens import SignedTokenReader
    from wampgate.composition.cookies import Cookies
    from wampgate.composition.stores import Store
    from wampgate.config import model
    from wampgate.core.deadlines import Deadlines
    from wampgate.core.interfaces import Authenticator, CredentialSource


def signed_tokens_of(
    reactor: Any, authentication: model.Authentication, deadlines: Deadlines
) -> SignedTokenReader | None:
    """What reads signed tokens; None where none are taken."""
    jwt = None if authentication.ticket is None else authentication.ticket.jwt
    if jwt is None:
        return None
    # PyJWT is installed where signed tokens are taken, and not elsewhere.
    from wampgate.authentication.jwt import Expected  # noqa: PLC0415
    from wampgate.authentication.signed_tokens import make_reader  # noqa: PLC0415

    return make_reader(
        reactor,
        keys_file=jwt.keys_file,
        keys_url=jwt.keys_url,
        secret=None if jwt.secret is None else jwt.secret.reveal(),
        ca_file=jwt.ca_file,
        expected=Expected(
            jwt.audience,
            jwt.issuer,
            user_claim=jwt.user_claim,
            organizations_claim=jwt.organizations_claim,
            leeway=jwt.leeway_seconds,
        ),
        denied_file=jwt.denied_file,
        now=deadlines.now,
    )


def takes_query_string(realm: model.Realm) -> bool:
    """Whether a realm takes tokens from the URL."""
    return realm.authentication.ticket is not None and realm.authentication.ticket.query_string


def authenticators_of(
    realm: model.Realm,
    store: Store | None,
    signed: SignedTokenReader | None,
    deadlines: Deadlines,
    *,
    dynamic: DynamicAuthenticator | None = None,
    cookies: Cookies | None = None,
) -> dict[str, Authenticator]:
    """The ways to join, by authmethod, the one that tells most about a peer first.

    Args:
        realm: the section.
        store: the realm's store; None without one.
        signed: reads signed tokens; None where none are taken.
        deadlines: tells the time.
        dynamic: asked about whom neither the configuration nor the store knows; None where nobody is.
        cookies: what session cookies take; None where none are taken.
    """
    authenticators: dict[str, Authenticator] = {}
    authentication = realm.authentication
    ticket = authentication.ticket
    principals = [
        StaticPrincipal(principal.authid, principal.role, principal.digest)
        for principal in authentication.principals
        if principal.digest
    ]
    judge = dynamic if dynamic is not None and "ticket" in dynamic.methods else None
    if ticket is not None and (store is not None or signed is not None or principals or judge is not None):
        authenticators["ticket"] = TicketAuthenticator(
            principals=principals,
            reserved=[principal.authid for principal in authentication.principals],
            store=store,
            role=ticket.role,
            now=deadlines.now,
            signed=None if signed is None else signed.tokens,
            jti_in_store=ticket.jwt is not None and ticket.jwt.jti_in_store,
            query_string=ticket.query_string,
            judge=judge,
        )
        if cookies is not None:
            authenticators["cookie"] = cookies.authenticator(authenticators["ticket"])
    if any(method is not None for method in _by_credentials(authentication)):
        # Loaded only where such a method is on, as the rest of what follows.
        from wampgate.composition.credentials import credential_authenticators_of  # noqa: PLC0415

        others: list[CredentialSource] = [source for source in (store, dynamic) if source is not None]
        authenticators |= credential_authenticators_of(realm.name, authentication, others, deadlines.now)
    if dynamic is not None and "anonymous" in dynamic.methods:
        from wampgate.authentication.dynamic import DynamicAnonymous  # noqa: PLC0415

        authenticators["anonymous"] = DynamicAnonymous(dynamic)
    elif authentication.anonymous is not None:
        authenticators["anonymous"] = AnonymousAuthenticator(authentication.anonymous.role)
    return authenticators


def _by_credentials(authentication: model.Authentication) -> tuple[object, ...]:
    """The sections of the methods by which one proves to be known, without a ticket; None for those that are off."""
    return authentication.tls, authentication.cryptosign, authentication.scram, authentication.wampcra
