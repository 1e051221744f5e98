"""Our WAMP client for browsers, in Node: against a peer that breaks every rule, and under the type checker."""

from __future__ import annotations

from pathlib import Path

from clients.browser.npm_packages import check_types, run_node_tests

PAGE = Path(__file__).parents[3] / "wampgate" / "http" / "page"


def test_the_client_against_a_scripted_peer() -> None:
    run_node_tests("wamp_client.test.mjs")


def test_the_scripts_are_typed(tmp_path: Path) -> None:
    check_types(PAGE / "page.js", tmp_path)
