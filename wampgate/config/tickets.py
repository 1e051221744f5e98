"""The sections of router.json that say which tickets are taken: the store's, signed ones, those of a query string."""

from importlib.util import find_spec
from typing import Annotated, ClassVar

from msgspec import Meta

from wampgate.config.section import Check, Section
from wampgate.config.values import (
    CaFile,
    ClaimName,
    ClockSeconds,
    Issuer,
    JwtAudience,
    JwtSecret,
    KeysUrl,
    ReadableFile,
    Role,
)


def _one_source(*sources: object) -> str | None:
    given = sum(source is not None for source in sources)
    return None if given == 1 else "none of them" if given == 0 else "several of them"


class JwtAuthentication(Section, frozen=True, kw_only=True):
    """Tickets that are signed tokens (JWT). ``docs/authentication.md`` tells how to set it up.

    Attributes:
        keys_file: the issuer's keys: a JWK set, or one public key in PEM. Read
            anew when the file changes; relative to router.json's folder.
        keys_url: where the issuer publishes them as a JWK set: ``https://``, or
            ``http://`` on loopback.
        secret: or the secret that issuer and router share, for HS256.
        ca_file: the authorities that vouch for the certificate of ``keys_url``
            (PEM), relative to router.json's folder; null for the system's.
        issuer: what a token's ``iss`` has to be; null for issuers that don't name
            themselves, such as Passport, with ``jti_in_store`` only.
        audience: of these, a token's ``aud`` has to name one.
        user_claim: where the user's id stands.
        organizations_claim: where the user's organizations stand, if they are to
            come from the token instead of the store.
        jti_in_store: whether the store's token query is asked for the token's
            ``jti`` as well: then a token is good only while its row is.
        denied_file: a list of tokens that are good no more, read anew when it
            changes; relative to router.json's folder. Null for none.
        leeway_seconds: how far apart the clocks may be, for ``nbf`` and ``iat``.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "keys_file",
            ("keys_file", "keys_url", "secret"),
            "exactly one of keys_file, keys_url and secret",
            _one_source,
        ),
        Check(
            "ca_file",
            ("ca_file", "keys_url"),
            "an https:// keys_url beside it, or null",
            lambda ca_file, url: None if ca_file is None or (url or "").startswith("https:") else "no such URL",
        ),
        Check(
            "issuer",
            ("issuer", "jti_in_store"),
            "text, or jti_in_store beside it",
            lambda issuer, stored: "null" if issuer is None and not stored else None,
        ),
    )

    keys_file: ReadableFile | None = None
    keys_url: KeysUrl | None = None
    secret: JwtSecret | None = None
    ca_file: CaFile | None = None
    issuer: Issuer | None
    audience: Annotated[tuple[JwtAudience, ...], Meta(min_length=1, description="a list of at least one audience")]
    user_claim: ClaimName = "sub"
    organizations_claim: ClaimName | None = None
    jti_in_store: bool = False
    denied_file: ReadableFile | None = None
    leeway_seconds: ClockSeconds = 30.0


def _no_library(jwt: JwtAuthentication | None) -> str | None:
    return "no PyJWT" if jwt is not None and find_spec("jwt") is None else None


class TicketAuthentication(Section, frozen=True, kw_only=True):
    """WAMP-Ticket: with a token of the store, a signed one, or a principal's ticket.

    Attributes:
        role: the role of users; a principal has its own.
        require_organization: whether a user has to name an organization in
            HELLO's authextra.
        query_string: whether a client may show its token as
            ``/ws?token=…&organizationId=…``. URLs end up in proxies' logs and
            browsers' histories: only for clients that can do nothing else.
        jwt: null, or the section that takes signed tokens.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check("jwt", ("jwt",), 'the package PyJWT to be installed (pip install "wampgate[jwt]")', _no_library),
    )

    role: Role = "member"
    require_organization: bool = False
    query_string: bool = False
    jwt: JwtAuthentication | None = None
