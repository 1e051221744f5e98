"""Signed tokens: the good ones of each algorithm, and every way to be none."""

from __future__ import annotations

import base64
import json
import math
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signed_tokens import ALGORITHMS, AUDIENCE, ISSUER, SigningKey, base64url, key_set, signing_key
from unit.core.routed import outcome_of

from wampgate.authentication.jwt import MAX_LENGTH, Expected, JwtTokens
from wampgate.authentication.key_source import FixedKeys
from wampgate.authentication.keys import read_keys, secret_key
from wampgate.core.errors import JoinRefused
from wampgate.core.interfaces import Issued

if TYPE_CHECKING:
    from wampgate.authentication.signed import Signed

EXPECTED = Expected((AUDIENCE, "another"), ISSUER)


def reader(*keys: SigningKey, expected: Expected = EXPECTED, **more: Any) -> JwtTokens:
    return JwtTokens(FixedKeys(read_keys(key_set(*keys), secrets=True)), expected, **more)


def verified(tokens: JwtTokens, token: str) -> Signed:
    signed: Signed = outcome_of(tokens.verify(token))
    return signed


def refused(tokens: JwtTokens, token: str) -> str:
    """The log's reason; what the client is told never differs."""
    with pytest.raises(JoinRefused) as found:
        verified(tokens, token)
    assert (found.value.error, found.value.message) == ("wamp.error.authentication_denied", "the token is not accepted")
    assert "canary" not in f"{found.value.log}{found.value}"
    return found.value.log


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_token_is_its_users(algorithm: str) -> None:
    key = signing_key(algorithm)
    now = int(time.time())
    signed = verified(reader(key), key.token(exp=now + 100, iat=now - 5))
    assert (signed.user, signed.issued, signed.organizations) == ("joe", Issued("t-1", now - 5), None)
    assert 98 < signed.seconds_left <= 100


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_implementation_signs_the_same(algorithm: str) -> None:
    # The hand-made tokens of these tests are no dialect of their own.
    key = signing_key(algorithm)
    token = jwt.encode(key.claims(), key.private, algorithm, headers={"kid": "k1"})
    assert verified(reader(key), token).user == "joe"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_key_among_many_is_found_by_its_name(algorithm: str) -> None:
    keys = [signing_key(each, f"{each}-{number}") for each in ALGORITHMS for number in (1, 2)]
    mine = signing_key(algorithm, f"{algorithm}-2")
    assert verified(reader(*keys), mine.token()).user == "joe"
    # Signed with the other one, but named like the first.
    assert "InvalidSignature" in refused(reader(*keys), mine.token(header={"kid": f"{algorithm}-1"}))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_that_names_no_key_means_the_only_one(algorithm: str) -> None:
    key = signing_key(algorithm)
    token = key.token(header={"kid": None})
    others = [signing_key(each, f"other {each}") for each in ALGORITHMS if each != algorithm]
    assert verified(reader(key, *others), token).user == "joe"
    assert "no known key" in refused(reader(key, signing_key(algorithm, "k2")), token)


def test_a_signature_of_someone_else_is_none() -> None:
    for algorithm in ALGORITHMS:
        mine, foreign = signing_key(algorithm), signing_key(algorithm, "foreign")
        assert "InvalidSignature" in refused(reader(mine), foreign.token(header={"kid": "k1"}))
        header, claims, signature = mine.token().split(".")
        raised = json.dumps(mine.claims(sub="root")).encode()
        assert "InvalidSignature" in refused(reader(mine), f"{header}.{base64url(raised)}.{signature}")
        assert "InvalidSignature" in refused(reader(mine), f"{header}.{claims}.")


# --- attacks on the algorithm ---


@pytest.mark.parametrize("none", ["none", "None", "NONE", "nOnE", "", None, 0, [], ["RS256"], {"alg": "RS256"}, True])
def test_no_algorithm_is_not_good_enough(none: object) -> None:
    key = signing_key("RS256")
    header = {"typ": "JWT", "kid": "k1", "alg": none}
    unsigned = f"{base64url(json.dumps(header).encode())}.{base64url(json.dumps(key.claims()).encode())}."
    assert refused(reader(key), unsigned)
    assert refused(reader(key), key.signed(header, key.claims()))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_is_nobodys_secret(algorithm: str) -> None:
    """The old confusion: signed by HMAC with the published key as the secret."""
    key = signing_key(algorithm)
    everyone_knows = [key.pem, key.pem.strip(), json.dumps(key.jwk).encode(), key.jwk.get("n", key.jwk["kty"]).encode()]
    for material in everyone_knows:
        forged = SigningKey("HS256", "k1", material).token()
        assert "no known key" in refused(reader(key), forged)
        # Nor where there is a real secret besides.
        assert "no known key" in refused(reader(key, signing_key("HS256", "other")), forged)


def test_a_key_is_used_with_its_own_algorithm_only() -> None:
    for algorithm in ALGORITHMS:
        key = signing_key(algorithm)
        for other in {*ALGORITHMS, "RS384", "RS512", "PS256", "ES384", "HS384", "ES256K"} - {algorithm}:
            assert refused(reader(key), key.token(header={"alg": other}))


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c", "x5t"])
def test_what_a_header_says_of_keys_is_not_looked_at(name: str) -> None:
    mine, foreign = signing_key("RS256"), signing_key("RS256", "foreign")
    value = {
        "jku": "https://169.254.169.254/keys.json",
        "x5u": "file:///etc/passwd",
        "jwk": foreign.jwk,
        "x5c": [base64.b64encode(b"certificate").decode()],
        "x5t": "abc",
    }[name]
    assert "InvalidSignature" in refused(reader(mine), foreign.token(header={"kid": "k1", name: value}))
    assert "no known key" in refused(reader(mine), foreign.token(header={name: value}))
    assert verified(reader(mine), mine.token(header={name: value})).user == "joe"


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null",
        "/dev/null",
        "' OR '1'='1",
        "k1\0",
        "K1",
        "k1 ",
        "k1\n2026-01-01 forged line",
        "",
        "k" * 257,
        7,
        True,
        ["k1"],
        {"k1": 1},
        "http://127.0.0.1/k1",
    ],
)
def test_a_strange_name_names_no_key(kid: object) -> None:
    key = signing_key("RS256")
    log = refused(reader(key), key.token(header={"kid": kid}))
    assert "\n" not in log
    assert len(log) < 500


def test_what_must_be_understood_and_is_not() -> None:
    key = signing_key("RS256")
    for header in ({"crit": ["exp"], "exp": 1}, {"crit": []}, {"crit": ["b64"], "b64": True}, {"b64": False}):
        assert refused(reader(key), key.token(header=header))


# --- claims ---

NOW = int(time.time())
FAR = 7200  # this module is collected long before its tests run

REFUSED_CLAIMS = [
    ({"exp": None}, "MissingRequiredClaim"),
    ({"exp": NOW - 1}, "expired token of user 'joe'"),
    ({"exp": 0}, "expired token"),
    ({"exp": -1}, "expired token"),
    ({"exp": "9999999999"}, "exp is no time"),
    ({"exp": True}, "exp is no time"),
    ({"exp": [NOW + 60]}, "exp is no time"),
    ({"exp": math.inf}, "exp is no time"),
    ({"exp": math.nan}, "exp is no time"),
    ({"exp": 10**400}, "exp is no time"),
    ({"exp": (NOW + 60) * 1000}, "exp is no time"),
    ({"nbf": NOW + FAR}, "not good yet"),
    ({"nbf": "soon"}, "nbf is no time"),
    ({"iat": NOW + FAR}, "issued in the future"),
    ({"iat": {}}, "iat is no time"),
    ({"aud": None}, "MissingRequiredClaim"),
    ({"aud": "someone else"}, "InvalidAudience"),
    ({"aud": ["someone else"]}, "InvalidAudience"),
    ({"aud": []}, "MissingRequiredClaim"),
    ({"aud": AUDIENCE.upper()}, "InvalidAudience"),
    ({"aud": {AUDIENCE: 1}}, "InvalidAudience"),
    ({"aud": [AUDIENCE, 7]}, "InvalidAudience"),
    ({"iss": None}, "MissingRequiredClaim"),
    ({"iss": "https://login.example.org"}, "InvalidIssuer"),
    ({"iss": "https://login.example.org.evil.example/"}, "InvalidIssuer"),
    ({"iss": [ISSUER]}, "InvalidIssuer"),
    ({"sub": None}, "no user in 'sub'"),
    ({"sub": ""}, "no user in 'sub'"),
    ({"sub": "joe\nroot"}, "no user in 'sub'"),
    ({"sub": "\u202ejoe"}, "no user in 'sub'"),
    ({"sub": "joe\0"}, "no user in 'sub'"),
    ({"sub": "\ud800"}, "no user in 'sub'"),
    ({"sub": "x" * 257}, "no user in 'sub'"),
    ({"sub": 7}, "InvalidSubject"),
    ({"sub": ["joe"]}, "InvalidSubject"),
    ({"cnf": {"jkt": "abc"}}, "bound to a key"),
    ({"cnf": {"x5t#S256": "abc"}}, "bound to a key"),
]


@pytest.mark.parametrize(("claims", "log"), REFUSED_CLAIMS)
def test_claims_that_are_refused(claims: dict[str, Any], log: str) -> None:
    key = signing_key("EdDSA")
    assert log in refused(reader(key), key.token(**claims))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["someone else", AUDIENCE]},
        {"aud": "another"},
        {"nbf": NOW - 10},
        {"nbf": NOW + 20},
        {"iat": NOW + 20},
        {"iat": None},
        {"jti": None},
        {"exp": NOW + FAR + 0.5},
        {"sub": "jürgen@example.org"},
        {"scope": "everything", "nested": {"a": [1, 2]}},
    ],
)
def test_claims_that_are_good(claims: dict[str, Any]) -> None:
    key = signing_key("EdDSA")
    assert verified(reader(key), key.token(**claims)).user == claims.get("sub", "joe")


def test_a_token_has_no_leeway_at_its_end() -> None:
    key = signing_key("EdDSA")
    at = [1_000_000.0]
    tokens = reader(key, wall_clock=lambda: at[0])
    token = key.token(exp=1_000_010, iat=1_000_030, nbf=1_000_030)
    assert verified(tokens, token).seconds_left == 10
    at[0] = 999_999.0
    assert "future" in refused(tokens, token)
    at[0] = 1_000_010.0
    assert "expired" in refused(tokens, token)


def test_the_users_claim_is_configured() -> None:
    key = signing_key("EdDSA")
    tokens = reader(key, expected=Expected((AUDIENCE,), ISSUER, user_claim="user_id"))
    assert verified(tokens, key.token(user_id=7)).user == "7"
    assert verified(tokens, key.token(user_id="07")).user == "07"
    for value in (None, True, 7.0, {"id": 7}):
        assert "no user" in refused(tokens, key.token(user_id=value))


@pytest.mark.parametrize(
    ("claim", "organizations"),
    [
        (["7", 8, "acme"], {"7": "", "8": "", "acme": ""}),
        ({"7": "admin", "8": None, "9": 1}, {"7": "admin", "8": "", "9": ""}),
        ([], {}),
        (None, {}),
        (["acme.eu", "", "a b", "x" * 65, None, True, 1.5, ["7"], {"7": 1}, "\uff17"], {}),
        ({"acme.eu": "admin", "*": "admin", "": "admin"}, {}),
    ],
)
def test_organizations_of_a_claim(claim: object, organizations: dict[str, str]) -> None:
    key = signing_key("EdDSA")
    tokens = reader(key, expected=Expected((AUDIENCE,), ISSUER, organizations_claim="orgs"))
    assert verified(tokens, key.token(orgs=claim)).organizations == organizations


@pytest.mark.parametrize("claim", ["7", 7, True])
def test_organizations_that_are_neither_list_nor_object(claim: object) -> None:
    key = signing_key("EdDSA")
    tokens = reader(key, expected=Expected((AUDIENCE,), ISSUER, organizations_claim="orgs"))
    assert "neither a list nor an object" in refused(tokens, key.token(orgs=claim))


def test_without_an_issuer_configured_none_is_asked_for() -> None:
    key = signing_key("RS256")
    tokens = reader(key, expected=Expected((AUDIENCE,), None))
    assert verified(tokens, key.token(iss=None)).user == "joe"


def test_a_secret_of_the_configuration() -> None:
    key = SigningKey("HS256", None, b"a secret of more than thirty-two bytes")
    tokens = JwtTokens(FixedKeys(secret_key(key.private.decode())), EXPECTED)
    assert verified(tokens, key.token()).user == "joe"
    assert "InvalidSignature" in refused(tokens, signing_key("HS256").token())


# --- malformed ---


@pytest.mark.parametrize(
    "token",
    [
        "ey..",
        "eyJ.eyJ.x",
        "ey\0.a.b",
        "ew.ew.ew",
        "eyé.a.b",
        "ey\ud800.a.b",
        "ey" + "A" * (MAX_LENGTH - 5) + ".a.b",
        "ey" + "A" * MAX_LENGTH + ".a.b",
        f"{base64url(b'[]')}.a.b",
        f"{base64url(b'{')}.e.b",
        f"{base64url(json.dumps({'alg': 'RS256', 'a': 1}).encode())}.{base64url(b'[' * 5000)}.AA",
    ],
)
def test_what_is_no_token_at_all(token: str) -> None:
    assert refused(reader(signing_key("RS256")), token)


def test_payloads_that_are_no_claims() -> None:
    key = signing_key("RS256")
    for payload in ([], "joe", 7, None, b"{", b"\xff\xfe", b"[" * 4000, b'{"exp": ' + b"9" * 5000 + b"}", b""):
        assert refused(reader(key), key.signed(key.header(), payload))
    for header in (b'{"alg":"RS256","kid":"k1","x":' + b"[" * 4000, b'{"alg":' + b"1" * 5000 + b"}", b"\xff", b"{}"):
        assert refused(reader(key), key.signed(header, key.claims()))


def test_what_looks_like_a_signed_token() -> None:
    tokens = reader(signing_key("RS256"))
    for algorithm in ALGORITHMS:
        assert tokens.recognizes(signing_key(algorithm).token())
    assert tokens.recognizes(signing_key("RS256").signed(b'{\n"alg":"RS256"}', {}))
    for other in ("", "a.b.c", "ey", "ey.a", "ey.a.b.c", "0123456789abcdef" * 4):
        assert not tokens.recognizes(other)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
claim_names = st.sampled_from(["exp", "nbf", "iat", "aud", "iss", "sub", "jti", "orgs", "cnf"])
header_names = st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jku", "jwk", "zip", "cty"])


@given(
    header=st.dictionaries(header_names, json_values | st.sampled_from([*ALGORITHMS, "k1"])),
    claims=st.dictionaries(claim_names, json_values),
    whole=st.booleans(),
)
def test_whatever_is_signed_is_refused_or_good(header: dict[str, Any], claims: dict[str, Any], whole: bool) -> None:
    key = signing_key("EdDSA")
    tokens = reader(key, expected=Expected((AUDIENCE,), ISSUER, organizations_claim="orgs"))
    if not whole:
        header, claims = key.header() | header, key.claims() | claims
    try:
        signed = verified(tokens, key.signed(header, claims))
    except JoinRefused:
        return
    assert signed.user == claims["sub"]
    assert claims["iss"] == ISSUER
    assert 0 < signed.seconds_left < 1e12


@given(
    st.text(max_size=60) | st.text("eyJwA._-=", max_size=60).map("ey".__add__) | st.text(max_size=9).map("ey..".__add__)
)
def test_whatever_is_no_token_is_refused(text: str) -> None:
    assert refused(reader(signing_key("EdDSA")), text)


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    key = signing_key("EdDSA")
    token = key.token(sub="canary")
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != token[at]))
    assert refused(reader(key), token[:at] + other + token[at + 1 :])
