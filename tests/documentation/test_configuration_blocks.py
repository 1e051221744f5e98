"""What the pages show of router.json loads: whole files as they are, parts in the place where they belong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from documentation.elsewhere import left

from wampgate.config import load
from wampgate.config.bridges import RedisBridge
from wampgate.config.model import Configuration
from wampgate.config.realm import Realm
from wampgate.config.stores import PostgresStore

if TYPE_CHECKING:
    from pathlib import Path

    from documentation.blocks import Block

PARTS = {
    "docs/redis.md": ({"topic", "match", "since", "why", "dropped"}, "tests/integration/bridge/test_gaps.py"),
    "docs/authentication.md": ({"denied"}, "wampgate.authentication.deny_list"),
}
"""JSON that is no part of router.json: its keys, and where it is tested."""
STORE = {"type": "sqlite", "path": "tokens.sqlite3"}
CERTIFICATES = {"endpoint": "ssl:8443:privateKey=a:certKey=b", "client_certificates": {"ca_file": "ca.pem"}}
FILES = ("keys_file", "ca_file", "denied_file")


def keys(section: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(section)}


def document_of(text: str) -> dict[str, Any]:
    """A block as a whole router.json.

    Raises:
        AssertionError: it belongs nowhere.
    """
    shown = json.loads(text if text.lstrip().startswith("{") else f"{{{text}}}")
    for place, (fits, wrapped) in {
        "top": (shown.keys() <= keys(Configuration), shown),
        "realm": (shown.keys() <= keys(Realm), {"realms": [shown]}),
        "store": (shown.keys() <= keys(PostgresStore), _stored(shown)),
        "rule": ({"role", "actions"} <= shown.keys(), {"realms": [{"authorization": {"rules": [shown]}}]}),
        "stream": ({"dialect", "stream"} <= shown.keys(), _bridged("redis-streams", shown, state_folder="var")),
        "dialect": ("dialect" in shown, _bridged("redis", shown)),
        "bridge": (shown.keys() <= keys(RedisBridge), {"realms": [{"bridges": [_bridge("redis") | shown]}]}),
    }.items():
        if fits:
            return _filled(wrapped, place)
    raise AssertionError(f"this is no part of router.json: {sorted(shown)}")


def _stored(shown: dict[str, Any]) -> dict[str, Any]:
    store = {"type": "postgres", "dsn": "dbname=x"} | shown
    # By a query for credentials one joins with a method that asks for them.
    methods: dict[str, Any] = {"wampcra": {}} if "credentials_query" in shown else {}
    return {"realms": [{"store": store, "authentication": methods}]}


def _bridge(kind: str) -> dict[str, Any]:
    rule = {"dialect": "plain", "channel": "channel.{organization}", "topic": "organization.{organization}"}
    return {"type": kind, "url": "redis://127.0.0.1", "rules": [rule]}


def _bridged(kind: str, rule: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"realms": [{"bridges": [_bridge(kind) | {"rules": [rule]} | more]}]}


def _filled(document: dict[str, Any], place: str) -> dict[str, Any]:
    """The same with what it needs beside it."""
    realms = [{"name": "realm1"} | realm for realm in document.get("realms", [{}])]
    for realm in realms:
        shown = realm.get("authentication", {})
        tickets = shown.get("ticket", {}) is not None and not {"principals", "anonymous"} & shown.keys()
        if tickets and "jwt" not in (shown.get("ticket") or {}) and "store" not in realm:
            realm["store"] = STORE
    if place != "top" and any("tls" in realm.get("authentication", {}) for realm in realms):
        document = document | {"listen": [CERTIFICATES]}
    return document | {"realms": realms}


def environment_of(text: str) -> dict[str, str]:
    """A value for each variable that a text names."""
    return {name: _value(name) for name in re.findall(r"\$\{(\w+)\}", text)}


def _value(name: str) -> str:
    for part, value in {
        "DSN": "dbname=x",
        "REDIS_URL": "redis://127.0.0.1",
        "SHA256": "ab" * 32,
        "PORT": "8082",
        "STATE": "var",
        "SOCKET": "router.sock",
    }.items():
        if part in name:
            return value
    return f"the value of {name}, which is long enough"


def with_files(document: Any, file: str) -> Any:
    """The same with a file that is there in place of each that the page names."""
    if isinstance(document, dict):
        return {key: file if key in FILES and value else with_files(value, file) for key, value in document.items()}
    return [with_files(each, file) for each in document] if isinstance(document, list) else document


@pytest.mark.parametrize("block", left("json"), ids=lambda block: block.where)
def test_it_loads(block: Block, tmp_path: Path) -> None:
    shown = json.loads(block.text if block.text.lstrip().startswith(("{", "[")) else f"{{{block.text}}}")
    if block.page in PARTS and shown.keys() == PARTS[block.page][0]:
        return
    (tmp_path / "some.pem").write_text("")
    document = with_files(document_of(block.text), "some.pem")
    (tmp_path / "router.json").write_text(json.dumps(document))
    assert load(tmp_path / "router.json", environment_of(block.text)).realms
