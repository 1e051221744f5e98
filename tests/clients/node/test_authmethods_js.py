"""Stock autobahn-js in Node proves who it is by wampcra, salted or not, and by cryptosign."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from router_process import RouterProcess

from wampgate.authentication.derivation import wampcra_secret

from .autobahn_js import run_node_tests

PUBLIC = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw().hex()


def test_who_proves_it_is_in() -> None:
    ann: dict[str, Any] = {"wampcra": {"secret": "the secret"}, "cryptosign": {"public_keys": [PUBLIC]}}
    principals = [
        {"authid": "ann", "role": "client"} | ann,
        {"authid": "salty", "role": "client", "wampcra": wampcra_secret("password", iterations=100)},
    ]
    realm = {"name": "realm1", "authentication": {"wampcra": {}, "cryptosign": {}, "principals": principals}}
    with RouterProcess({"listen": [{"endpoint": "tcp:0:interface=127.0.0.1"}], "realms": [realm]}) as process:
        run_node_tests("authmethods.test.mjs", PORT=process.port)
