"""The status page in a real Chromium, on the real router: its views, hostile texts, accessibility, and its types."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import npm
from clients.browser.npm_packages import check_types, chromium, run_node_tests

from wampgate.http.status import read_files

if TYPE_CHECKING:
    from pathlib import Path

AXE = {"axe-core": "4.14.1"}


def _run(file: str) -> None:
    axe = (
        npm.installed("axe", AXE, "THE STATUS PAGE'S ACCESSIBILITY WAS NOT TESTED") / "node_modules/axe-core/axe.min.js"
    )
    run_node_tests(
        file,
        timeout=400,
        PYTHON=sys.executable,
        CHROMIUM=chromium(),
        AXE=str(axe),
        SCREENSHOTS=os.environ.get("SCREENSHOTS", ""),
    )


def test_the_views_in_a_browser() -> None:
    _run("status.test.mjs")


def test_hostile_texts_in_a_browser() -> None:
    _run("status_hostile.test.mjs")


def test_the_scripts_are_typed(tmp_path: Path) -> None:
    for name, (content, _) in read_files().items():
        (tmp_path / name).write_bytes(content)
    check_types(tmp_path / "status.js", tmp_path)
