"""Stock autobahn-js in a real Chromium: a page that calls with progress, asks the meta API and ends a session."""

from __future__ import annotations

from clients.browser.npm_packages import chromium, run_node_tests
from clients.habits_router import habits_configuration
from router_process import RouterProcess


def test_in_a_browser() -> None:
    with RouterProcess(habits_configuration()) as process:
        run_node_tests("habits.test.mjs", timeout=120, PORT=str(process.port), CHROMIUM=chromium())
