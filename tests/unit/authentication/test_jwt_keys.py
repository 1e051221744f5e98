"""Key sets: which keys are used, which are left out, and which make the whole set useless."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from hypothesis import given
from hypothesis import strategies as st
from signed_tokens import ALGORITHMS, SigningKey, base64url, key_set, signing_key

from wampgate.authentication.keys import MAX_KEYS, KeySet, UnusableKeys, read_keys, secret_key


def read(*entries: object, secrets: bool = True) -> KeySet:
    return read_keys(json.dumps({"keys": list(entries)}).encode(), secrets=secrets)


def unusable(content: bytes, *, secrets: bool = True) -> str:
    with pytest.raises(UnusableKeys) as found:
        read_keys(content, secrets=secrets)
    assert "canary" not in str(found.value)
    return str(found.value)


def pem(key: Any) -> bytes:
    public = key.public_key()
    made: bytes = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return made


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_kind_of_key(algorithm: str) -> None:
    keys = read(signing_key(algorithm).jwk)
    found = keys.find("k1", algorithm)
    assert found is not None
    assert (found.kid, found.algorithm) == ("k1", algorithm)
    for other in {*ALGORITHMS, "none", "RS512", "PS256"} - {algorithm}:
        assert keys.find("k1", other) is None
        assert keys.find(None, other) is None


def test_a_key_without_alg_has_that_of_its_kind() -> None:
    for algorithm in ALGORITHMS:
        jwk = {name: value for name, value in signing_key(algorithm).jwk.items() if name not in ("alg", "use")}
        assert read(jwk).find("k1", algorithm) is not None


def test_the_curves_own_name_is_eddsa() -> None:
    assert read(signing_key("EdDSA").jwk | {"alg": "Ed25519"}).find("k1", "EdDSA") is not None


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_in_pem(algorithm: str) -> None:
    keys = read_keys(b"\n" + signing_key(algorithm).pem, secrets=True)
    assert keys.find(None, algorithm) is not None
    # Its issuer may call it what it likes.
    assert keys.find("any", algorithm) is not None
    assert keys.find("any", "HS256") is None


def test_a_private_key_is_named_as_what_it_is() -> None:
    private = signing_key("RS256").private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert "private key" in unusable(private)


LEFT_OUT = [
    {"kty": "RSA"},
    {"kty": "RSA", "n": "canary", "e": "AQAB"},
    {"kty": "RSA", "n": 5, "e": []},
    {"kty": "EC", "crv": "P-256", "x": "canary", "y": "AA"},
    {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"},
    {"kty": "OKP", "crv": "X25519", "x": "AA"},
    {"kty": "OKP", "crv": "Ed25519", "x": "canary"},
    {"kty": "oct"},
    {"kty": "oct", "k": base64url(b"canary too short")},
    {"kty": "oct", "k": base64url(signing_key("RS256").pem)},
    {"kty": "oct", "k": base64url(json.dumps(signing_key("ES256").jwk).encode())},
    {"kty": "unknown"},
    {"kty": None},
    {},
    [],
    "canary",
    7,
    None,
    signing_key("RS256").jwk | {"use": "enc"},
    signing_key("RS256").jwk | {"alg": "RS512"},
    signing_key("RS256").jwk | {"alg": "HS256"},
    signing_key("RS256").jwk | {"alg": "none"},
    signing_key("RS256").jwk | {"key_ops": ["encrypt"]},
    signing_key("RS256").jwk | {"key_ops": "verify"},
    signing_key("RS256").jwk | {"kid": 7},
    signing_key("RS256").jwk | {"kid": "k" * 257},
    signing_key("HS256").jwk | {"alg": "RS256"},
]


@pytest.mark.parametrize("entry", LEFT_OUT, ids=range(len(LEFT_OUT)))
def test_what_is_no_key_of_ours_is_left_out(entry: object) -> None:
    assert "none of its keys" in unusable(json.dumps({"keys": [entry]}).encode())
    keys = read(entry, signing_key("ES256", "good").jwk)
    assert len(keys) == 1
    assert keys.find("good", "ES256") is not None


def test_secrets_do_not_come_over_the_network() -> None:
    secret, public = signing_key("HS256", "secret"), signing_key("RS256", "public")
    keys = read_keys(key_set(secret, public), secrets=False)
    assert len(keys) == 1
    assert keys.find("secret", "HS256") is None
    assert "none of its keys" in unusable(key_set(secret), secrets=False)


def test_keys_that_are_too_small_or_absurdly_large() -> None:
    small = SigningKey("RS256", "k1", rsa.generate_private_key(65537, 1024))
    assert "none of its keys" in unusable(key_set(small))
    assert "1024 bits" in unusable(small.pem)
    large = signing_key("RS256").jwk | {"n": base64url(b"\xff" * 4096)}
    assert "none of its keys" in unusable(json.dumps({"keys": [large]}).encode())


def test_keys_of_other_curves_in_pem() -> None:
    for private in (ec.generate_private_key(ec.SECP384R1()), ed448.Ed448PrivateKey.generate()):
        assert "none for" in unusable(pem(private))


def test_a_private_part_that_was_published_is_not_kept() -> None:
    private = signing_key("RS256").private.private_numbers()
    jwk = signing_key("RS256").jwk | {"d": base64url(private.d.to_bytes(256, "big")), "p": "AA", "q": "AA"}
    found = read(jwk).find("k1", "RS256")
    assert found is not None
    assert isinstance(found.material, rsa.RSAPublicKey)


def test_a_name_is_one_keys() -> None:
    rs, es = signing_key("RS256"), signing_key("ES256")
    # RFC 7517 allows it for keys of different kinds.
    keys = read(rs.jwk, es.jwk)
    assert keys.find("k1", "RS256") is not None
    assert keys.find("k1", "ES256") is not None
    with pytest.raises(UnusableKeys, match="same kid"):
        read(rs.jwk, signing_key("RS256", "k2").jwk | {"kid": "k1"})


def test_several_nameless_keys_are_not_tried_in_turn() -> None:
    keys = read(signing_key("ES256", None).jwk, signing_key("ES256", "k2").jwk)
    assert keys.find(None, "ES256") is None
    first = keys.find("unknown", "ES256")
    assert first is not None
    assert first.kid is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": null}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"<html>canary</html>",
        b"-----BEGIN PUBLIC KEY-----\ncanary\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n",
        b"-----BEGIN canary-----",
    ],
)
def test_what_is_no_key_set(content: bytes) -> None:
    assert unusable(content)


def test_a_set_of_too_many_keys() -> None:
    assert "more than" in unusable(json.dumps({"keys": [{}] * (MAX_KEYS + 1)}).encode())


@pytest.mark.parametrize("secret", ["", "canary", "x" * 31, signing_key("RS256").pem.decode()])
def test_secrets_that_protect_nothing(secret: str) -> None:
    with pytest.raises(UnusableKeys) as found:
        secret_key(secret)
    assert "canary" not in str(found.value)


def test_a_key_does_not_show_itself() -> None:
    assert "canary" not in repr(secret_key("canary" * 10).find(None, "HS256"))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from(["AQAB", "P-256", "Ed25519"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(["kty", "crv", "n", "e", "x", "y", "k", "alg", "use", "key_ops", "kid", "d"])


@given(
    st.lists(
        st.dictionaries(names, json_values)
        | st.builds(
            dict.__or__,
            st.sampled_from([signing_key(algorithm).jwk for algorithm in ALGORITHMS]),
            st.dictionaries(names, json_values),
        ),
        max_size=4,
    )
)
def test_whatever_is_published_is_keys_or_none(entries: list[dict[str, Any]]) -> None:
    try:
        keys = read(*entries)
    except UnusableKeys:
        return
    assert 0 < len(keys) <= len(entries)


@given(st.binary(max_size=200))
def test_whatever_a_file_holds(content: bytes) -> None:
    assert unusable(content)
