"""The page and the examples in a real Chromium, on the real router in demo mode."""

from __future__ import annotations

import os
import sys

import pytest
from clients.browser.npm_packages import chromium, run_node_tests


@pytest.mark.parametrize("file", ["page.test.mjs", "examples.test.mjs"])
def test_in_a_browser(file: str) -> None:
    run_node_tests(
        file, timeout=300, PYTHON=sys.executable, CHROMIUM=chromium(), SCREENSHOTS=os.environ.get("SCREENSHOTS", "")
    )
