"""The router whose clients keep their habits: one realm with every authmethod, and its meta API for some roles."""

from __future__ import annotations

from typing import Any

from conftest import CLIENTS, principal, rule
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wampgate.authentication.derivation import scram_secret, wampcra_secret

SEED = bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw().hex()
PRINCIPALS: list[dict[str, Any]] = [
    *(principal(name, "client") for name in CLIENTS),
    principal("gone", "passing"),
    {"authid": "ann", "role": "client", "wampcra": {"secret": "the secret"}, "cryptosign": {"public_keys": [PUBLIC]}},
    {"authid": "salty", "role": "client", "wampcra": wampcra_secret("password", iterations=100)},
    {"authid": "bahn", "role": "client", "scram": scram_secret("pencil", kdf="argon2id-13", iterations=2, memory=512)},
]
EVERY = ("subscribe", "publish", "call", "register")


def habits_configuration() -> dict[str, Any]:
    """router.json: clients may do everything below ``com.example.`` and use the meta API.

    Who publishes or calls below ``com.example.open.`` is disclosed. ``gone`` is for sessions that are ended from
    outside; sessions without a name (``guest``) may call and subscribe below ``com.example.open.``.
    """
    methods: dict[str, Any] = {
        "ticket": {},
        "wampcra": {},
        "scram": {},
        "cryptosign": {},
        "anonymous": {"role": "guest"},
    }
    rules = [
        rule("client", EVERY, "com.example.", "prefix"),
        rule("client", ["publish", "call"], "com.example.open.", "prefix", disclose="always"),
        rule("client", ["call", "subscribe"], "wamp.", "prefix"),
        rule("passing", EVERY, "com.example.", "prefix"),
        rule("guest", ["call", "subscribe"], "com.example.open.", "prefix"),
    ]
    realm = {
        "name": "realm1",
        "authentication": methods | {"principals": PRINCIPALS},
        "authorization": {"rules": rules},
        "topics": [{"uri": "com.example.kept.", "match": "prefix", "history": {}}],
    }
    return {"listen": [{"endpoint": "tcp:0:interface=127.0.0.1"}], "realms": [realm]}
