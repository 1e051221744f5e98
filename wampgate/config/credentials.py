"""The sections of router.json about principals: who is known from the configuration, and by which methods they join."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Final, Literal

from msgspec import Meta

from wampgate.config.formats import endpoint_kind
from wampgate.config.secret import Secret
from wampgate.config.section import Check, Section, Unique
from wampgate.config.values import AuthId, CaFile, Role, Ticket, TicketSha256

_HEX_KEY: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FINGERPRINT: Final = re.compile(r"[0-9A-Fa-f]{2}(?::?[0-9A-Fa-f]{2}){31}", re.ASCII)


def _decoded(text: str) -> bytes | None:
    """What a text in canonical Base64 stands for; None if it is none."""
    try:
        decoded = b64decode(text, validate=True)
    except ValueError:
        return None
    return decoded if b64encode(decoded).decode() == text else None


def _is_name(text: str) -> bool:
    return 0 < len(text) <= 256 and text.isprintable()


Iterations = Annotated[int, Meta(ge=1, le=10_000_000, description="a whole number from 1 to 10000000")]
KeyLength = Annotated[int, Meta(ge=16, le=64, description="a number of bytes from 16 to 64")]
Memory = Annotated[int, Meta(ge=8, le=4_194_304, description="a number of KiB from 8 to 4194304")]
WampcraKey = Annotated[Secret, Meta(description="a secret (text that is not empty)")]
WampcraSalt = Annotated[str, Meta(description="a salt of up to 256 printable characters", extra={"accepts": _is_name})]
ScramSalt = Annotated[
    str,
    Meta(
        description="a salt of 8 to 64 bytes in Base64",
        extra={"accepts": lambda text: 8 <= len(_decoded(text) or b"") <= 64},
    ),
]
ScramKey = Annotated[
    Secret, Meta(description="32 bytes in Base64", extra={"accepts": lambda text: len(_decoded(text) or b"") == 32})
]
Kdf = Literal["argon2id13", "pbkdf2", "argon2id-13"]
PublicKey = Annotated[
    str,
    Meta(
        description="an Ed25519 public key as 64 lower-case hexadecimal digits",
        extra={"accepts": lambda text: _HEX_KEY.fullmatch(text) is not None},
    ),
]
Fingerprint = Annotated[
    str,
    Meta(
        description="the SHA-256 of a certificate as 64 hexadecimal digits, with or without colons",
        extra={"accepts": lambda text: _FINGERPRINT.fullmatch(text) is not None},
    ),
]
CertificateName = Annotated[
    str, Meta(description="a name of up to 256 printable characters", extra={"accepts": _is_name})
]
ChannelBinding = Literal["optional", "required"]


def _kdf_s_memory(kdf: str, memory: int | None) -> str | None:
    if kdf == "pbkdf2":
        return None if memory is None else "a number beside pbkdf2"
    return "nothing beside argon2id" if memory is None else None


class ClientCertificates(Section, frozen=True, kw_only=True):
    """Whether clients of a listener show certificates.

    Attributes:
        ca_file: the authorities that vouch for them (PEM), relative to
            router.json's folder; nobody else's certificates are taken.
        required: whether a client without one is turned away before it has said a word.
    """

    ca_file: CaFile
    required: bool = False


# --- what a principal is known by ---


class WampcraSecret(Section, frozen=True, kw_only=True):
    """A secret that is shared with a principal.

    Attributes:
        secret: the secret; with a salt, the Base64 text of what is derived from the password.
        salt: null, or what the password is salted with; `wampgate secret wampcra` makes all of it.
        iterations: how often the client hashes the password.
        keylen: the length of what it derives, in bytes.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "secret",
            ("secret", "salt", "keylen"),
            "keylen bytes in Base64 beside a salt, as `wampgate secret wampcra` prints them",
            lambda secret, salt, keylen: (
                None if salt is None or len(_decoded(secret.reveal()) or b"") == keylen else "something else"
            ),
        ),
    )

    secret: WampcraKey
    salt: WampcraSalt | None = None
    iterations: Iterations = 1000
    keylen: KeyLength = 32


class ScramSecret(Section, frozen=True, kw_only=True):
    """What is kept of a principal's password; `wampgate secret scram` makes all of it.

    Attributes:
        kdf: how the password is hashed; ``argon2id-13`` for Autobahn's clients.
        salt: what it is salted with.
        iterations: how often it is hashed.
        memory: how much memory that takes, in KiB; null with pbkdf2.
        stored_key: by this the client's proof is checked.
        server_key: by this the router proves itself.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check("memory", ("kdf", "memory"), "a number with argon2id13 and argon2id-13, null with pbkdf2", _kdf_s_memory),
    )

    kdf: Kdf
    salt: ScramSalt
    iterations: Iterations
    memory: Memory | None = None
    stored_key: ScramKey
    server_key: ScramKey


class CryptosignKeys(Section, frozen=True, kw_only=True):
    """The public keys of a principal, for each of which it may have the private one.

    Attributes:
        public_keys: at least one.
    """

    public_keys: Annotated[
        tuple[PublicKey, ...], Meta(min_length=1, description="a list of at least one Ed25519 public key")
    ]


class TlsNames(Section, frozen=True, kw_only=True):
    """The certificates of a principal: those listed, and those that carry all the names that are given.

    Attributes:
        fingerprints: the SHA-256 of certificates.
        common_name: the subject's common name; null if it does not matter.
        subject_alt_name: a DNS name, URI or mail address; null if it does not matter.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "fingerprints",
            ("fingerprints", "common_name", "subject_alt_name"),
            "fingerprints, a common_name or a subject_alt_name",
            lambda fingerprints, common, alternative: None if fingerprints or common or alternative else "none of them",
        ),
    )

    fingerprints: Annotated[tuple[Fingerprint, ...], Meta(description="a list of fingerprints")] = ()
    common_name: CertificateName | None = None
    subject_alt_name: CertificateName | None = None

    @property
    def digests(self) -> tuple[str, ...]:
        """The fingerprints in lower-case hexadecimal, without colons."""
        return tuple(fingerprint.replace(":", "").lower() for fingerprint in self.fingerprints)


class Principal(Section, frozen=True, kw_only=True):
    """Someone who is known from the configuration, such as a backend; by one method, or by several.

    Attributes:
        authid: its name.
        role: its role.
        ticket: what it shows; either this or ``ticket_sha256``.
        ticket_sha256: the SHA-256 of what it shows.
        wampcra: the secret that it signs challenges with.
        scram: what is kept of its password.
        cryptosign: its public keys.
        tls: its certificates.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "ticket",
            ("ticket", "ticket_sha256"),
            "either ticket or ticket_sha256",
            lambda ticket, digest: None if ticket is None or digest is None else "both",
        ),
        Check(
            "ticket",
            ("ticket", "ticket_sha256", "wampcra", "scram", "cryptosign", "tls"),
            "one or more of ticket, ticket_sha256, wampcra, scram, cryptosign and tls",
            lambda *ways: None if any(way is not None for way in ways) else "none of them",
        ),
    )

    authid: AuthId
    role: Role
    ticket: Ticket | None = None
    ticket_sha256: TicketSha256 | None = None
    wampcra: WampcraSecret | None = None
    scram: ScramSecret | None = None
    cryptosign: CryptosignKeys | None = None
    tls: TlsNames | None = None

    @property
    def digest(self) -> str:
        """The ticket's SHA-256 in lower-case hexadecimal, whichever way it was given; empty without a ticket."""
        if self.ticket is not None:
            return sha256(self.ticket.reveal().encode()).hexdigest()
        return "" if self.ticket_sha256 is None else self.ticket_sha256.reveal()

    @property
    def methods(self) -> frozenset[str]:
        """The methods by which it can join."""
        ways: dict[str, object] = {"ticket": self.digest, "wampcra": self.wampcra, "scram": self.scram}
        ways |= {"cryptosign": self.cryptosign, "tls": self.tls}
        return frozenset(name for name, way in ways.items() if way)


Principals = Annotated[
    tuple[Principal, ...], Meta(description="a list of principals", extra={"unique": Unique(("authid",))})
]


def _tickets(principal: Principal) -> Iterable[str]:
    return (principal.digest,) if principal.digest else ()


def _public_keys(principal: Principal) -> Iterable[str]:
    return () if principal.cryptosign is None else principal.cryptosign.public_keys


def _fingerprints(principal: Principal) -> Iterable[str]:
    return () if principal.tls is None else principal.tls.digests


def _shared(of: Callable[[Principal], Iterable[str]]) -> Callable[[tuple[Principal, ...]], str | None]:
    """Finds which principals one could not tell apart; None if there are none."""

    def found(principals: tuple[Principal, ...]) -> str | None:
        first: dict[str, int] = {}
        for index, principal in enumerate(principals):
            for each in of(principal):
                earlier = first.setdefault(each, index)
                if earlier != index:
                    return f"the same for principals[{earlier}] and principals[{index}]"
        return None

    return found


def _method_checks() -> Iterator[Check]:
    for method in ("ticket", "wampcra", "scram", "cryptosign", "tls"):

        def missing(section: object, principals: tuple[Principal, ...], method: str = method) -> str | None:
            return "null" if section is None and any(method in each.methods for each in principals) else None

        yield Check(method, (method, "principals"), f"an object, since principals join by {method}", missing)


CHECKS_OF_PRINCIPALS: Final = (
    *_method_checks(),
    Check("principals", ("principals",), "a ticket of its own for each principal", _shared(_tickets)),
    Check("principals", ("principals",), "public keys of its own for each principal", _shared(_public_keys)),
    Check("principals", ("principals",), "fingerprints of its own for each principal", _shared(_fingerprints)),
)
"""What has to hold between the principals, and between them and the methods."""


# --- the methods ---


class WampcraMock(Section, frozen=True, kw_only=True):
    """What the made-up challenge of an unknown authid says of its salted secret.

    Attributes:
        iterations: as with those who are known.
        keylen: likewise.
    """

    iterations: Iterations = 1000
    keylen: KeyLength = 32


class WampcraAuthentication(Section, frozen=True, kw_only=True):
    """WAMP-CRA: a shared secret signs a challenge.

    Attributes:
        role: the role of those to whom the store gives none.
        mock: what those are shown whom nobody knows, where secrets are salted in the store; null
            for what the principals of the configuration are shown.
    """

    role: Role = "member"
    mock: WampcraMock | None = None


class ScramMock(Section, frozen=True, kw_only=True):
    """What the made-up challenge of an unknown authid says of how the password is hashed.

    Attributes:
        kdf: as with those who are known.
        iterations: likewise.
        memory: likewise; null with pbkdf2.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check("memory", ("kdf", "memory"), "a number with argon2id13 and argon2id-13, null with pbkdf2", _kdf_s_memory),
    )

    kdf: Kdf
    iterations: Iterations
    memory: Memory | None = None


class ScramAuthentication(Section, frozen=True, kw_only=True):
    """WAMP-SCRAM, as ``wamp-scram`` and as Autobahn's ``scram``: a password that neither side gives away.

    Attributes:
        role: the role of those to whom the store gives none.
        channel_binding: whether a client may join that does not bind itself to its TLS channel.
        mock: what those are shown whom nobody knows, if the store's passwords are hashed in another way
            than those of the configuration's principals; null for what these are shown.
    """

    role: Role = "member"
    channel_binding: ChannelBinding = "optional"
    mock: ScramMock | None = None


class CryptosignAuthentication(Section, frozen=True, kw_only=True):
    """WAMP-Cryptosign: an Ed25519 key signs a challenge.

    Attributes:
        role: the role of those to whom the store gives none.
        channel_binding: whether a client may join that does not bind itself to its TLS channel.
    """

    role: Role = "member"
    channel_binding: ChannelBinding = "optional"


class TlsAuthentication(Section, frozen=True, kw_only=True):
    """TLS client certificates.

    Attributes:
        role: the role of those to whom the store gives none.
    """

    role: Role = "member"


def nothing_to_bind_to(listen: tuple[Any, ...], realms: tuple[Any, ...]) -> str | None:
    """Which method demands a channel binding that no listener could have; None if there is none.

    Args:
        listen: the sections of the listeners.
        realms: those of the realms.
    """
    if any(endpoint_kind(listener.endpoint) not in ("tcp", "unix") for listener in listen):
        return None
    for index, realm in enumerate(realms):
        for name in ("scram", "cryptosign"):
            method = getattr(realm.authentication, name)
            if method is not None and method.channel_binding == "required":
                return f"none, and realms[{index}].authentication.{name} has channel_binding required"
    return None
