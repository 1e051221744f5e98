"""What a dynamic authenticator may answer: whatever is not exactly that refuses, and the error names the field."""

from __future__ import annotations

import math
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.authentication.dynamic_answers import Answer, Nonsense, read_answer
from wampgate.core.uri import is_reserved
from wampgate.wire.payload import Payload

KEY32 = b64encode(bytes(32)).decode()
SALT = b64encode(bytes(16)).decode()
SCRAM = {"kdf": "pbkdf2", "salt": SALT, "iterations": 4096, "stored_key": KEY32, "server_key": KEY32}
METHODS = ("ticket", "anonymous", "wampcra", "scram", "cryptosign", "tls")


def read(value: Any, method: str = "ticket") -> Answer | None:
    return read_answer(Payload([value]), method, "realm1")


@pytest.mark.parametrize("payload", [Payload([None]), Payload([False]), Payload([]), Payload()])
@pytest.mark.parametrize("method", METHODS)
def test_nobody(payload: Payload, method: str) -> None:
    assert read_answer(payload, method, "realm1") is None


def test_a_role_is_enough() -> None:
    assert read("member") == Answer(role="member")


def test_an_object_with_all_there_is() -> None:
    value = {"role": "member", "authid": "ID7", "user": 7, "extra": {"a": [1]}, "expires_in": 60, "realm": "realm1"}
    answer = Answer("ID7", "member", "7", {"a": [1]}, 60.0)
    assert read(value) == answer
    assert read_answer(Payload([], value), "ticket", "realm1") == answer


def test_null_is_as_good_as_nothing() -> None:
    assert read({"role": "x", "authid": None, "user": None, "extra": None, "expires_in": None}) == Answer(role="x")


@pytest.mark.parametrize(
    ("method", "given_", "expected"),
    [
        ("wampcra", {"secret": "s"}, {"secret": "s"}),
        ("wampcra", {"secret": "s", "salt": "x"}, {"secret": "s", "salt": "x", "iterations": 1000, "keylen": 32}),
        ("wampcra", {"secret": "s", "iterations": 7}, {"secret": "s"}),
        ("scram", SCRAM, SCRAM),
        ("scram", {**SCRAM, "kdf": "argon2id13", "memory": 512}, {**SCRAM, "kdf": "argon2id13", "memory": 512}),
        (
            "scram",
            {"stored-key": KEY32, "server-key": KEY32, "kdf": "pbkdf2", "salt": SALT, "iterations": 1},
            {**SCRAM, "iterations": 1},
        ),
        ("cryptosign", {"pubkey": "AB" * 32}, {"public_key": "ab" * 32}),
        ("cryptosign", {"public_key": "ab" * 32}, {"public_key": "ab" * 32}),
        ("tls", {"fingerprint": "AB" * 32}, {"fingerprint": "ab" * 32}),
        ("tls", {}, {}),
        ("ticket", {}, {}),
    ],
)
def test_what_each_method_checks(method: str, given_: dict[str, Any], expected: dict[str, Any]) -> None:
    answer = read({"role": "member"} | given_, method)
    assert answer is not None
    assert dict(answer.secret) == expected
    assert "KEY" not in repr(answer)
    assert all(str(each) not in repr(answer) for each in expected.values() if isinstance(each, str) and len(each) > 8)


WRONG = [
    ("ticket", True, "object"),
    ("ticket", 7, "object"),
    ("ticket", ["member"], "object"),
    ("ticket", b"member", "object"),
    ("ticket", "", "role"),
    ("ticket", "a b", "role"),
    ("ticket", "x" * 65, "role"),
    ("ticket", "wampgate", "role"),
    ("ticket", "wampgate.caller", "role"),
    ("ticket", "wamp.x", "role"),
    ("ticket", "rôle", "role"),
    ("ticket", {"role": ["member"]}, "role"),
    ("ticket", {"role": "x", "authid": ""}, "authid"),
    ("ticket", {"role": "x", "authid": "a\nb"}, "authid"),
    ("ticket", {"role": "x", "authid": "wampgate.bridge.redis"}, "authid"),
    ("ticket", {"role": "x", "authid": 7}, "authid"),
    ("ticket", {"role": "x", "user": True}, "user"),
    ("ticket", {"role": "x", "user": 1.5}, "user"),
    ("ticket", {"role": "x", "user": ""}, "user"),
    ("ticket", {"role": "x", "extra": []}, "extra"),
    ("ticket", {"role": "x", "extra": {1: 2}}, "extra"),
    ("ticket", {"role": "x", "expires_in": 0}, "expires_in"),
    ("ticket", {"role": "x", "expires_in": -1}, "expires_in"),
    ("ticket", {"role": "x", "expires_in": True}, "expires_in"),
    ("ticket", {"role": "x", "expires_in": "60"}, "expires_in"),
    ("ticket", {"role": "x", "expires_in": math.nan}, "expires_in"),
    ("ticket", {"role": "x", "expires_in": math.inf}, "expires_in"),
    ("ticket", {"role": "x", "exipres_in": 60}, "exipres_in"),
    ("ticket", {"role": "x", "secret": "s"}, "secret"),
    ("ticket", {"role": "x", "realm": "realm2"}, "realm"),
    ("ticket", {1: "x"}, "object"),
    ("wampcra", "member", "secret"),
    ("wampcra", {"role": "x", "secret": ""}, "secret"),
    ("wampcra", {"role": "x", "secret": "s", "salt": "x", "iterations": 0}, "iterations"),
    ("wampcra", {"role": "x", "secret": "s", "salt": "x", "keylen": "32"}, "keylen"),
    ("scram", {"role": "x", **SCRAM, "kdf": "md5"}, "kdf"),
    ("scram", {"role": "x", **SCRAM, "kdf": ["pbkdf2"]}, "kdf"),
    ("scram", {"role": "x", **SCRAM, "kdf": "argon2id13"}, "memory"),
    ("scram", {"role": "x", **SCRAM, "stored_key": "00" * 32}, "stored_key"),
    ("scram", {"role": "x", **SCRAM, "salt": SALT + "\n"}, "salt"),
    ("scram", {"role": "x", **{key: value for key, value in SCRAM.items() if key != "server_key"}}, "server_key"),
    ("scram", {"role": "x", **SCRAM, "server-key": KEY32}, "two names"),
    ("cryptosign", "member", "public_key"),
    ("cryptosign", {"role": "x", "pubkey": "ab" * 31}, "public_key"),
    ("tls", {"role": "x", "fingerprint": "zz" * 32}, "fingerprint"),
]


@pytest.mark.parametrize(("method", "value", "named"), WRONG, ids=str)
def test_nonsense_is_none_and_the_field_is_named(method: str, value: Any, named: str) -> None:
    with pytest.raises(Nonsense, match=named):
        read(value, method)


@pytest.mark.parametrize("payload", [Payload(["member", "other"]), Payload(["member"], {"a": 1}), Payload({"role": 1})])
def test_several_values_are_none(payload: Payload) -> None:
    with pytest.raises(Nonsense, match="one value"):
        read_answer(payload, "ticket", "realm1")


def test_no_error_tells_a_secret() -> None:
    for method, secret in (("wampcra", {"secret": "canary" * 1000}), ("scram", {**SCRAM, "stored_key": "canary"})):
        with pytest.raises(Nonsense) as caught:
            read({"role": "x", **secret}, method)
        assert "canary" not in str(caught.value)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    ["role", "authid", "user", "extra", "expires_in", "realm", "secret", "salt", "kdf", "public_key", "fingerprint"]
)


@given(st.sampled_from(METHODS), plain | st.dictionaries(fields, plain), plain)
def test_whatever_comes_is_an_answer_or_nonsense(method: str, value: Any, other: Any) -> None:
    for payload in (Payload([value]), Payload([value, other]), Payload(other), Payload([], {"role": value})):
        try:
            answer = read_answer(payload, method, "realm1")
        except Nonsense:
            continue
        assert answer is None or (answer.seconds_left > 0 and not is_reserved(answer.role or "x"))
