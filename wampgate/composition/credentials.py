"""Makes the authenticators of those who prove to be known, and their sources, of a realm's section in router.json."""

from __future__ import annotations

import secrets
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from wampgate.authentication.certificate_names import CertificateNames, NamedByCertificate
from wampgate.authentication.cryptosign import CryptosignAuthenticator
from wampgate.authentication.mock_credentials import MockCredentials
from wampgate.authentication.scram import AUTOBAHN_SCRAM, WAMP_SCRAM, ScramAuthenticator, Way
from wampgate.authentication.sources import CredentialChain, KnownPrincipals
from wampgate.authentication.static_credentials import StaticCredentials
from wampgate.authentication.tls import TlsAuthenticator
from wampgate.authentication.wampcra import WampcraAuthenticator
from wampgate.core.interfaces import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from wampgate.config import credentials as sections
    from wampgate.config import model
    from wampgate.core.interfaces import Authenticator, CredentialSource

_PROCESS: Final = secrets.token_bytes(32)
"""What nobody knows and nothing outlives."""

_NOTHING: Final = "A" * 43 + "="
"""32 bytes in Base64, in whose place something is made up."""


def credential_authenticators_of(
    realm: str, authentication: model.Authentication, others: Sequence[CredentialSource], now: Callable[[], float]
) -> dict[str, Authenticator]:
    """The methods by which one proves to be known, without a ticket, as far as they are on.

    Args:
        realm: the realm's name.
        authentication: the section.
        others: who is asked after the configuration, in this order.
        now: the router's monotonic clock.
    """
    principals = authentication.principals
    static = StaticCredentials(static_credentials_of(principals))
    chain = CredentialChain(
        [static, CertificateNames(_named_by_certificate(principals)), *others],
        reserved=[principal.authid for principal in principals],
    )
    provider = "store" if others else "static"

    def known(section: Any) -> KnownPrincipals:
        return KnownPrincipals(chain, role=section.role, now=now)

    made: dict[str, Authenticator] = {}
    if authentication.tls is not None:
        made["tls"] = TlsAuthenticator(known(authentication.tls), now=now, wall_clock=time.time)
    if (cryptosign := authentication.cryptosign) is not None:
        required = cryptosign.channel_binding == "required"
        made["cryptosign"] = CryptosignAuthenticator(known(cryptosign), binding_required=required)
    if (scram := authentication.scram) is not None:
        for way in (WAMP_SCRAM, AUTOBAHN_SCRAM):
            mock = _scram_mock(_key_of(realm, way.authmethod), way, scram, static.of("scram"), provider)
            required = scram.channel_binding == "required"
            made[way.authmethod] = ScramAuthenticator(way, known(scram), mock, binding_required=required)
    if (wampcra := authentication.wampcra) is not None:
        mock = _wampcra_mock(_key_of(realm, "wampcra"), wampcra, static.of("wampcra"), provider)
        made["wampcra"] = WampcraAuthenticator(known(wampcra), mock)
    return made


def static_credentials_of(principals: Iterable[sections.Principal]) -> Iterator[tuple[str, Credentials]]:
    """The credentials of the configuration's principals, each with its authmethod."""
    for principal in principals:
        for authmethod, secret in _secrets_of(principal):
            yield authmethod, Credentials(principal.authid, principal.role, "static", secret)


def _secrets_of(principal: sections.Principal) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if (wampcra := principal.wampcra) is not None:
        secret: dict[str, Any] = {"secret": wampcra.secret.reveal()}
        if wampcra.salt is not None:
            secret |= {"salt": wampcra.salt, "iterations": wampcra.iterations, "keylen": wampcra.keylen}
        yield "wampcra", secret
    if (scram := principal.scram) is not None:
        keys = {"stored_key": scram.stored_key.reveal(), "server_key": scram.server_key.reveal()}
        yield "scram", _hashing(scram) | {"salt": scram.salt} | keys
    for key in () if principal.cryptosign is None else principal.cryptosign.public_keys:
        yield "cryptosign", {"public_key": key}
    for digest in () if principal.tls is None else principal.tls.digests:
        yield "tls", {"fingerprint": digest}


def _named_by_certificate(principals: Iterable[sections.Principal]) -> Iterator[NamedByCertificate]:
    for principal in principals:
        tls = principal.tls
        if tls is not None and (tls.common_name is not None or tls.subject_alt_name is not None):
            credentials = Credentials(principal.authid, principal.role, "static", {})
            yield NamedByCertificate(credentials, tls.common_name, tls.subject_alt_name)


# --- what those are shown whom nobody knows ---


def _key_of(realm: str, authmethod: str) -> bytes:
    """What is made up in one realm by one method is made up by this, as long as the process lives.

    With a key of its own for each configuration, a reload would show who is known: what those are shown stays the same.
    """
    return sha256(b"\0".join((_PROCESS, realm.encode(), authmethod.encode()))).digest()


def _wampcra_mock(
    key: bytes, section: sections.WampcraAuthentication, known: Sequence[Credentials], provider: str
) -> MockCredentials:
    secret: dict[str, Any] = {"secret": _NOTHING}
    if section.mock is not None:
        salting = {"iterations": section.mock.iterations, "keylen": section.mock.keylen}
        secret |= {"salt": "A" * 22 + "==", **salting}
    return _mock(key, secret, known, provider, wanted=section.mock is not None)


def _scram_mock(
    key: bytes, way: Way, section: sections.ScramAuthentication, known: Sequence[Credentials], provider: str
) -> MockCredentials:
    spoken = [each for each in known if each.secret["kdf"] in way.kdfs]
    wanted = section.mock is not None and section.mock.kdf in way.kdfs
    if section.mock is not None and wanted:
        hashing = _hashing(section.mock)
    else:
        # What `wampgate secret scram` makes.
        hashing = {"kdf": "argon2id13" if "argon2id13" in way.kdfs else "argon2id-13", "iterations": 2, "memory": 19456}
    secret = hashing | {"salt": "A" * 22 + "==", "stored_key": _NOTHING, "server_key": _NOTHING}
    return _mock(key, secret, spoken, provider, wanted=wanted)


def _mock(
    key: bytes, secret: Mapping[str, Any], known: Sequence[Credentials], provider: str, *, wanted: bool
) -> MockCredentials:
    """What is made up is like what is known, and like what is asked for; like something usual if it is neither."""
    models = list(known)
    if wanted or not models:
        models.append(Credentials("", "", provider, secret))
    return MockCredentials(models, key)


def _hashing(section: sections.ScramSecret | sections.ScramMock) -> dict[str, Any]:
    return {"kdf": section.kdf, "iterations": section.iterations, "memory": section.memory}
