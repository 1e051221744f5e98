"""Session cookies in a real Chromium, on a router with a store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from clients.browser.npm_packages import chromium, run_node_tests
from conftest import static_configuration
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_sqlite
from wampgate.stores.questions import stored_form

if TYPE_CHECKING:
    from pathlib import Path

TOKENS = {"anna": "the-token-of-anna", "bert": "the-token-of-bert"}


def test_cookies_in_a_browser(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    prepare_sqlite(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for user, token in TOKENS.items():
            connection.execute(
                "INSERT INTO oauth_access_tokens VALUES (?, 'app', ?, datetime('now', '+1 hour'), NULL)",
                (stored_form(token, "sha256"), user),
            )
            connection.execute("INSERT INTO organization_members VALUES (?, ?, '')", (f"of-{user}", user))
    realm = {
        "name": "realm1",
        "store": {"type": "sqlite", "path": str(path)},
        "authentication": {"ticket": {}, "cookie": {"keep": "store"}},
    }
    with RouterProcess(static_configuration(realms=[realm])) as process:
        run_node_tests(
            "cookie.test.mjs",
            timeout=300,
            CHROMIUM=chromium(),
            PORT=str(process.port),
            TOKEN=TOKENS["anna"],
            OTHER_TOKEN=TOKENS["bert"],
        )
