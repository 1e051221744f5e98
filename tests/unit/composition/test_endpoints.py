"""Whatever is wrong with an endpoint or its files: the operator is told in one line, and never asked at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis_server import write_certificates
from twisted.internet.testing import MemoryReactorClock

from wampgate.composition.endpoints import endpoint_of

if TYPE_CHECKING:
    from pathlib import Path

# Twisted hands its own kind of certificate on, as long as its interface has no other.
pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")

ENCODED = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_certificates(tmp_path, ["localhost"])
    another = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "another.key").write_bytes(another.private_bytes(*ENCODED, serialization.NoEncryption()))
    locked = another.private_bytes(*ENCODED, serialization.BestAvailableEncryption(b"open sesame"))
    (tmp_path / "locked.key").write_bytes(locked)
    (tmp_path / "empty.pem").touch()
    return tmp_path


WELL = "ssl:443:privateKey={folder}/server.key:certKey={folder}/server.pem"

FAULTS = {
    "ssl:443:privateKey={folder}/another.key:certKey={folder}/server.pem": "name two that belong together",
    "ssl:443:privateKey={folder}/locked.key:certKey={folder}/server.pem": "needs a passphrase",
    "ssl:443:privateKey={folder}/empty.pem:certKey={folder}/server.pem": "holds no key or certificate in PEM",
    "ssl:443:privateKey={folder}/no.key:certKey={folder}/server.pem": "no.key: No such file or directory",
    "ssl:443:privateKey={folder}:certKey={folder}/server.pem": "Is a directory",
    WELL + ":dhParameters={folder}/empty.pem": "dhParameters",
    WELL + ":extraCertChain={folder}/empty.pem": "doesn't contain any valid certificates",
    WELL + ":sslmethod=Nonsense": "sslmethod that does not exist",
    WELL + ":sslmethod=TLSv1_METHOD": "older than TLS 1.2",
    "tcp:8080:intrface=127.0.0.1": "unexpected keyword argument 'intrface'",
    "systemd:domain=INET:index=9": "systemd has handed over no such socket",
    "systemd:domain=INET:name=wamp": "systemd has handed over no such socket",
    "nonsense:8080": "nonsense",
}


@pytest.mark.parametrize("text", FAULTS)
def test_each_fault_is_told_in_a_line_that_names_the_endpoint(text: str, folder: Path) -> None:
    endpoint = text.format(folder=folder)
    with pytest.raises(ValueError, match="endpoint ") as raised:
        endpoint_of(MemoryReactorClock(), endpoint)
    told = str(raised.value)
    assert told.startswith(f"endpoint {endpoint}: ")
    assert FAULTS[text] in told
    assert "\n" not in told


def test_files_that_belong_together_are_taken(folder: Path) -> None:
    assert endpoint_of(MemoryReactorClock(), WELL.format(folder=folder)) is not None
