"""The sections of principals and methods: what is accepted, which key a fault names, and that no secret is printed."""

import json

import pytest

from wampgate.authentication.derivation import scram_secret, wampcra_secret
from wampgate.config import redacted

CANARY = "canary-1b7f"
KEY = "ab" * 32
FINGERPRINT = ":".join(["AB"] * 32)
SCRAM = scram_secret(CANARY, kdf="pbkdf2", iterations=2)
METHODS = ("wampcra", "scram", "cryptosign", "tls")
PRINCIPAL = {
    "authid": "ann",
    "role": "client",
    "ticket": CANARY,
    "wampcra": {"secret": CANARY},
    "scram": SCRAM,
    "cryptosign": {"public_keys": [KEY]},
    "tls": {"fingerprints": [FINGERPRINT], "common_name": "ann"},
}
LISTEN = {"endpoint": "ssl:0:privateKey=k:certKey=c", "client_certificates": {"ca_file": "router.json"}}


def document(*principals, listen=LISTEN, **authentication):
    methods = {"ticket": {}} | {name: {} for name in METHODS}
    authentication = methods | {"principals": list(principals) or [PRINCIPAL]} | authentication
    return {"listen": [listen], "realms": [{"name": "realm1", "authentication": authentication}]}


def test_a_principal_may_have_every_method(load_document):
    (realm,) = load_document(document()).realms
    (ann,) = realm.authentication.principals
    assert ann.methods == {"ticket", *METHODS}
    assert ann.tls.digests == ("ab" * 32,)
    assert realm.authmethods == ("ticket", "tls", "cryptosign", "scram", "wampcra")


def test_nothing_tells_a_secret(load_document):
    configuration = load_document(document(PRINCIPAL | {"wampcra": wampcra_secret(CANARY)}))
    text = f"{configuration!r} {json.dumps(redacted(configuration))}"
    (ann,) = configuration.realms[0].authentication.principals
    assert CANARY not in text
    assert SCRAM["stored_key"] not in text
    assert SCRAM["server_key"] not in text
    assert ann.wampcra.secret.reveal() not in text


def test_a_secret_from_outside_is_shown_as_it_was_written(load_document):
    configuration = load_document(document(PRINCIPAL | {"wampcra": {"secret": "${SECRET}"}}), SECRET=CANARY)
    (ann,) = configuration.realms[0].authentication.principals
    assert ann.wampcra.secret.reveal() == CANARY
    assert "${SECRET}" in repr(ann)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_alone_is_a_way_in(load_document, method):
    listen = LISTEN if method == "tls" else {"endpoint": "tcp:0"}
    principal = {key: PRINCIPAL[key] for key in ("authid", "role", method)}
    only = dict.fromkeys(METHODS) | {"ticket": None, method: {}}
    (realm,) = load_document(document(principal, listen=listen, **only)).realms
    assert realm.authmethods == (method,)


FAULTS = [
    ({"wampcra": {}}, "principals[0].wampcra.secret: expected a secret (text that is not empty), got nothing"),
    ({"wampcra": {"secret": ""}}, "principals[0].wampcra.secret: expected a secret"),
    ({"wampcra": {"secret": CANARY, "salt": "x"}}, "principals[0].wampcra.secret: expected keylen bytes in Base64"),
    ({"wampcra": wampcra_secret("x") | {"keylen": 16}}, "wampcra.secret: expected keylen bytes in Base64"),
    ({"wampcra": wampcra_secret("x") | {"iterations": 0}}, "wampcra.iterations: expected a whole number from 1"),
    ({"scram": SCRAM | {"kdf": "md5"}}, 'scram.kdf: expected "argon2id13" or "pbkdf2" or "argon2id-13", got "md5"'),
    ({"scram": SCRAM | {"memory": 64}}, "scram.memory: expected a number with argon2id13 and argon2id-13, null with"),
    ({"scram": SCRAM | {"kdf": "argon2id13"}}, "scram.memory: expected a number with argon2id13"),
    ({"scram": SCRAM | {"salt": "??"}}, "scram.salt: expected a salt of 8 to 64 bytes in Base64"),
    ({"scram": SCRAM | {"salt": "AAAA"}}, "scram.salt: expected a salt of 8 to 64 bytes in Base64"),
    ({"scram": SCRAM | {"stored_key": CANARY}}, "scram.stored_key: expected 32 bytes in Base64, got text of 11"),
    ({"scram": SCRAM | {"server_key": "AAAA"}}, "scram.server_key: expected 32 bytes in Base64, got text of 4"),
    ({"cryptosign": {"public_keys": []}}, "cryptosign.public_keys: expected a list of at least one Ed25519 public key"),
    ({"cryptosign": {"public_keys": ["AB" * 32]}}, "cryptosign.public_keys[0]: expected an Ed25519 public key as 64"),
    ({"tls": {}}, "tls.fingerprints: expected fingerprints, a common_name or a subject_alt_name, got none of them"),
    ({"tls": {"fingerprints": ["AB:CD"]}}, "tls.fingerprints[0]: expected the SHA-256 of a certificate as 64"),
    ({"tls": {"common_name": ""}}, "tls.common_name: expected a name of up to 256 printable characters"),
]


@pytest.mark.parametrize(("change", "fault"), FAULTS, ids=lambda part: None)
def test_faults_of_a_principal(faults, change, fault):
    (line,) = faults(document(PRINCIPAL | change))
    assert fault in line
    assert CANARY not in line


@pytest.mark.parametrize("method", ["ticket", *METHODS])
def test_a_principal_s_method_has_to_be_on(faults, method):
    (line,) = faults(document(**{method: None}))
    assert f"authentication.{method}: expected an object, since principals join by {method}, got null" in line


@pytest.mark.parametrize(
    ("method", "section", "what"),
    [
        ("ticket", "the same", "a ticket of its own"),
        ("cryptosign", {"public_keys": ["cd" * 32, KEY]}, "public keys of its own"),
        ("tls", {"fingerprints": ["ab" * 32]}, "fingerprints of its own"),
    ],
)
def test_two_principals_can_not_be_told_apart_by_the_same(faults, method, section, what):
    first = {key: PRINCIPAL[key] for key in ("authid", "role", method)} | (
        {"ticket": section} if method == "ticket" else {}
    )
    second = {"authid": "bob", "role": "client", method: section}
    (line,) = faults(document(first, second))
    assert f"authentication.principals: expected {what} for each principal, got the same for principals[0] and" in line


def test_principals_without_tickets_do_not_share_one(load_document):
    principals = [{"authid": name, "role": "r", "wampcra": {"secret": "x"}} for name in ("ann", "bob")]
    assert len(load_document(document(*principals)).realms[0].authentication.principals) == 2


def test_certificates_need_a_listener_that_asks_for_them(faults):
    (line,) = faults(document(listen={"endpoint": "tcp:0"}))
    assert (
        "listen: expected client_certificates in a listener, where a realm has authentication.tls, got none for" in line
    )
    (line,) = faults(document(listen=LISTEN | {"endpoint": "tcp:0"}))
    assert (
        "listen[0].client_certificates: expected null, or an ssl: endpoint beside it, got an endpoint of kind tcp"
        in line
    )
    (line,) = faults(document(listen=LISTEN | {"client_certificates": {"ca_file": "nowhere.pem"}}))
    assert "listen[0].client_certificates.ca_file: expected the path of a readable file" in line


def test_what_is_made_up_can_be_said(load_document, faults):
    mocks = {
        "wampcra": {"mock": {"iterations": 5, "keylen": 16}},
        "scram": {"channel_binding": "required", "mock": {"kdf": "argon2id13", "iterations": 3, "memory": 64}},
    }
    section = load_document(document(**mocks)).realms[0].authentication
    assert (section.wampcra.mock.keylen, section.scram.mock.memory) == (16, 64)
    assert section.scram.channel_binding == "required"
    (line,) = faults(document(scram={"mock": {"kdf": "pbkdf2", "iterations": 3, "memory": 64}}))
    assert "scram.mock.memory: expected a number with argon2id13 and argon2id-13, null with pbkdf2" in line


@pytest.mark.parametrize("method", ["scram", "cryptosign"])
@pytest.mark.parametrize("endpoint", ["tcp:0", "unix:path"])
def test_a_binding_that_is_required_needs_a_channel(faults, load_document, method, endpoint):
    ann = {key: PRINCIPAL[key] for key in ("authid", "role", method)}
    required = {method: {"channel_binding": "required"}, "tls": None}
    (line,) = faults(document(ann, listen={"endpoint": endpoint}, **required))
    assert "listen: expected a listener with TLS, where a realm demands a channel binding, got none" in line
    assert f"realms[0].authentication.{method} has channel_binding required" in line
    assert load_document(document(ann, listen={"endpoint": "ssl:0:privateKey=k:certKey=c"}, **required))


@pytest.mark.parametrize("origin", ["http://app.example.org", "http://192.0.2.1:8080"])
def test_where_there_are_cookies_origins_are_encrypted(faults, load_document, origin):
    (line,) = faults(document(cookie={}) | {"origins": [origin]})
    assert "origins: expected https:// origins, or loopback, where a realm has cookies" in line
    assert f"got {origin}, and realms[0] has cookies" in line
    fine = ["https://app.example.org", "http://localhost:3000", "http://127.0.0.1"]
    assert load_document(document(cookie={}) | {"origins": fine})
    assert load_document(document() | {"origins": [origin]})
