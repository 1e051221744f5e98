"""The npm packages that these tests drive, and the browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import npm
import pytest

PACKAGES = {"autobahn-browser": "22.11.1", "playwright-core": "1.65.1", "typescript": "5.9.3", "ws": "8.23.0"}
HERE = Path(__file__).parent


def chromium() -> str:
    """The path of an installed Chromium; skips, loudly, where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return pytest.skip("NO BROWSER TEST WAS RUN: there is no chromium on PATH")


def installed() -> Path:
    """The folder that holds the packages' node_modules; skips, loudly, where they can't be had."""
    return npm.installed("browser", PACKAGES, "NO JAVASCRIPT TEST WAS RUN")


def run_node_tests(file: str, timeout: float = 120, **environ: str) -> None:
    """Run one file of node tests; fails with its report.

    Args:
        file: its name in this folder.
        timeout: in seconds.
        environ: what the file finds in ``process.env`` beside ``NPM_FOLDER``.
    """
    npm.run_node_tests(HERE / file, {**os.environ, "NPM_FOLDER": f"{installed()}/", **environ}, timeout)


def check_types(script: Path, project: Path) -> None:
    """Have TypeScript check the annotations of a script and of what it imports; fails with its report.

    Args:
        script: with JSDoc types.
        project: where the project's file is to be written.
    """
    options = {
        "allowJs": True,
        "checkJs": True,
        "strict": True,
        "noEmit": True,
        "target": "es2022",
        "module": "es2022",
        "moduleResolution": "bundler",
        "lib": ["es2023", "dom", "dom.iterable"],
        "types": [],
    }
    file = project / "tsconfig.json"
    file.write_text(json.dumps({"compilerOptions": options, "files": [str(script)]}))
    command = ["node", str(installed() / "node_modules/typescript/bin/tsc"), "--project", str(file)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout
