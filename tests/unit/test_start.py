"""The start loads what the configuration uses, and nothing else: each driver and each way in has its price."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

UNUSED: Final = (
    "psycopg2",
    "txpostgres",
    "txredisapi",
    "jwt",
    "prometheus_client",
    "wampgate.authentication.cookie",
    "wampgate.authentication.cryptosign",
    "wampgate.authentication.deny_list",
    "wampgate.authentication.dynamic",
    "wampgate.authentication.scram",
    "wampgate.authorization.dynamic",
    "wampgate.bridge.rules",
    "wampgate.composition.admin",
    "wampgate.composition.dialects",
    "wampgate.history.redis_history",
    "wampgate.http.backend.exchange",
    "wampgate.http.login.exchange",
    "wampgate.stores.preparing",
    "wampgate.tls",
)

STORE: Final = {"type": "sqlite", "path": "tokens.sqlite3"}
USES: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "wampgate.bridge.rules": ({}, {"bridges": [{"type": "redis", "url": "redis://127.0.0.1:1", "rules": [
        {"dialect": "plain", "channel": "organization.{organization}", "topic": "organization.{organization}"}]}]}),
    "wampgate.authentication.scram": ({}, {"authentication": {"ticket": {"role": "member"}, "scram": {}}}),
    "prometheus_client": ({"admin": {"endpoint": "tcp:0:interface=127.0.0.1"}}, {}),
    "wampgate.http.backend.exchange": (
        {"listen": [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": ["wamp", "page", "backend"]}]}, {}
    ),
}  # fmt: skip

PROGRAM: Final = """
import json, sys
from wampgate.twistd import Options, makeService
options = Options()
options.parseOptions(["--config", "router.json"])
service = makeService(options)
from twisted.internet import reactor

def look():
    if not service.ports:
        reactor.callLater(0.01, look)
        return
    print(json.dumps(sorted(sys.modules)), flush=True)
    service.stopService().addBoth(lambda _: reactor.stop())

service.startService()
reactor.callWhenRunning(look)
reactor.run()
"""


def loaded(folder: Path, more: dict[str, Any], realm: dict[str, Any]) -> set[str]:
    """The modules of a process that has started with a configuration, and stopped."""
    configuration: dict[str, Any] = {
        "listen": [{"endpoint": "tcp:0:interface=127.0.0.1"}],
        "realms": [{"name": "realm1", "store": STORE, "authentication": {"ticket": {"role": "member"}}, **realm}],
        **more,
    }
    (folder / "router.json").write_text(json.dumps(configuration))
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return set(json.loads(found.stdout.splitlines()[-1]))


def test_a_plain_configuration_loads_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    modules = loaded(tmp_path, {}, {})
    assert "wampgate.stores.sqlite" in modules
    assert modules.isdisjoint(UNUSED)


@pytest.mark.parametrize("module", USES)
def test_what_is_used_is_there(module: str, tmp_path: Path) -> None:
    # So that the names above are those of modules that exist, and the parts are still made.
    assert module in UNUSED
    assert module in loaded(tmp_path, *USES[module])
