"""The authmethod tls: whose a certificate is, by its fingerprint or its names, and that a session ends when it does."""

from __future__ import annotations

import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from unit.authentication.proving import Table, credentials, hello
from unit.core.routed import Clock, outcome_of

from wampgate.authentication.certificate_names import CertificateNames, NamedByCertificate
from wampgate.authentication.sources import CredentialChain, KnownPrincipals
from wampgate.authentication.static_credentials import StaticCredentials
from wampgate.authentication.tls import TlsAuthenticator
from wampgate.core.errors import JoinRefused
from wampgate.core.interfaces import Connection, Principal, Secured
from wampgate.core.session import offered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.core.interfaces import CredentialSource

NOW = 2_000_000_000.0
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(*common: str, names: Sequence[x509.GeneralName] = (), lives: float = 3600) -> bytes:
    """A certificate in DER, valid for so many seconds from :data:`NOW` on."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name) for name in common])
    end = datetime.datetime.fromtimestamp(NOW + lives, datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - datetime.timedelta(days=1))
        .not_valid_after(end)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


ANN = certificate("ann")
FINGERPRINT = sha256(ANN).hexdigest()


def joined(encoded: bytes | None, *sources: CredentialSource, authid: str | None = None) -> Principal:
    secured = None if encoded is None else Secured(encoded)
    connection = Connection("127.0.0.1:50000", "127.0.0.1", secured=secured)
    known = KnownPrincipals(CredentialChain(sources), role="member", now=Clock())
    authenticator = TlsAuthenticator(known, now=Clock(), wall_clock=lambda: NOW)
    made: Principal = outcome_of(authenticator.hello(hello(authid), connection))
    return made


def refused(*arguments: Any, **options: Any) -> JoinRefused:
    with pytest.raises(JoinRefused) as found:
        joined(*arguments, **options)
    return found.value


BY_FINGERPRINT = StaticCredentials([("tls", credentials("ann", {"fingerprint": FINGERPRINT}))])


def by_names(**names: str) -> CertificateNames:
    return CertificateNames([NamedByCertificate(credentials("ann", {}), **names)])


@pytest.mark.parametrize("authid", [None, "ann"])
@pytest.mark.parametrize("source", [BY_FINGERPRINT, by_names(common_name="ann")])
def test_a_certificate_is_enough(source: CredentialSource, authid: str | None) -> None:
    principal = joined(ANN, source, authid=authid)
    assert (principal.authid, principal.authrole, principal.authmethod) == ("ann", "client", "tls")
    assert principal.authprovider == "static"


def test_the_session_ends_when_the_certificate_does() -> None:
    assert joined(ANN, BY_FINGERPRINT).expires == Clock()() + 3600


def test_the_session_ends_when_the_row_does_if_that_is_earlier() -> None:
    row = credentials("ann", {"fingerprint": FINGERPRINT}, provider="store", seconds_left=60)
    assert joined(ANN, StaticCredentials([("tls", row)])).expires == Clock()() + 60
    late = credentials("ann", {"fingerprint": FINGERPRINT}, provider="store", seconds_left=6000)
    assert joined(ANN, StaticCredentials([("tls", late)])).expires == Clock()() + 3600


@pytest.mark.parametrize("lives", [0, -1])
def test_an_expired_certificate(lives: float) -> None:
    old = certificate("ann", lives=lives)
    assert refused(old, by_names(common_name="ann")).log == "the certificate of 'ann' has expired"


def test_no_certificate() -> None:
    assert refused(None, BY_FINGERPRINT).error == "wamp.error.authentication_required"


def test_another_certificate_of_the_same_name() -> None:
    found = refused(certificate("ann"), BY_FINGERPRINT)
    assert (found.error, found.message) == ("wamp.error.authentication_denied", "the credentials are not accepted")


def test_another_s_authid() -> None:
    for source in (BY_FINGERPRINT, by_names(common_name="ann")):
        assert refused(ANN, source, authid="joe").error == "wamp.error.authentication_denied"


def test_a_source_that_does_not_look_at_the_fingerprint_gives_nothing_away() -> None:
    table = Table(("tls", credentials("joe", {"fingerprint": "ab" * 32}, provider="store")))
    assert refused(ANN, table, authid="joe").error == "wamp.error.authentication_denied"
    assert table.asked == [("tls", "joe", FINGERPRINT)]


NAMES = [
    x509.DNSName("ann.example.org"),
    x509.UniformResourceIdentifier("urn:example:ann"),
    x509.RFC822Name("ann@example.org"),
]


@pytest.mark.parametrize("name", ["ann.example.org", "urn:example:ann", "ann@example.org"])
def test_alternative_names(name: str) -> None:
    assert joined(certificate("x", names=NAMES), by_names(subject_alt_name=name)).authid == "ann"
    refused(certificate(name), by_names(subject_alt_name=name))
    refused(certificate(name, names=[x509.DirectoryName(x509.Name([]))]), by_names(subject_alt_name=name))


def test_both_names_have_to_fit_where_both_are_given() -> None:
    source = by_names(common_name="ann", subject_alt_name="ann.example.org")
    assert joined(certificate("ann", names=NAMES), source).authid == "ann"
    refused(certificate("bob", names=NAMES), source)
    refused(certificate("ann"), source)


@pytest.mark.parametrize("common", [(), ("Ann",), ("ann ",), ("ann", "bob"), ("bob", "ann"), ("ann.example.org",)])
def test_names_are_compared_whole(common: tuple[str, ...]) -> None:
    refused(certificate(*common), by_names(common_name="ann"))


def test_what_is_no_certificate() -> None:
    assert refused(b"\0\1", BY_FINGERPRINT).log == "the certificate can't be read"


SHOWN = Connection("127.0.0.1:50000", "127.0.0.1", secured=Secured(ANN))
NOT_SHOWN = Connection("127.0.0.1:50000", "127.0.0.1", secured=Secured())


def test_a_certificate_is_what_someone_offers_who_offers_nothing_else() -> None:
    assert offered(None, SHOWN) == ("tls", "anonymous")
    assert offered(None, NOT_SHOWN) == ("anonymous",)
    assert offered(["ticket"], SHOWN) == ("ticket",)


def test_who_has_no_certificate_comes_in_by_another_way() -> None:
    assert offered(["tls", "ticket"], NOT_SHOWN) == ("ticket",)
    assert offered(["tls", "ticket"], SHOWN) == ("tls", "ticket")
    assert offered(["tls"], NOT_SHOWN) == ("tls",)
