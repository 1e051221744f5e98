"""Compression as a real Chromium does it, on a router that has it switched on."""

from __future__ import annotations

from clients.browser.npm_packages import chromium, run_node_tests
from conftest import static_configuration
from router_process import RouterProcess


def test_in_a_browser() -> None:
    with RouterProcess(static_configuration(compression={})) as process:
        run_node_tests("compressed.test.mjs", timeout=120, PORT=str(process.port), CHROMIUM=chromium())
