"""The npm packages that these tests drive, installed once below the temporary folder, never into the tree."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

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
    """The folder that holds the packages' node_modules; skips, loudly, where node or npm is missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("NO JAVASCRIPT TEST WAS RUN: node and npm are not on PATH")
    folder = Path(tempfile.gettempdir()) / f"wampgate-npm-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to someone else: remove it, or set TMPDIR to another folder")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(folder)
    return folder


def _install(folder: Path) -> None:
    wanted = json.dumps({"private": True, "dependencies": PACKAGES}, indent=2)
    manifest, done = folder / "package.json", folder / "installed.json"
    if done.exists() and done.read_text() == wanted:
        return
    manifest.write_text(wanted)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if made.returncode != 0:
        pytest.skip(f"NO JAVASCRIPT TEST WAS RUN: npm could not install {', '.join(PACKAGES)}: {made.stderr[-500:]}")
    done.write_text(wanted)


def run_node_tests(file: str, timeout: float = 120, **environ: str) -> None:
    """Run one file of node tests; fails with its report.

    Args:
        file: its name in this folder.
        timeout: in seconds.
        environ: what the file finds in ``process.env`` beside ``NPM_FOLDER``.
    """
    command = ["node", "--test", "--test-reporter=spec", str(HERE / file)]
    environment = {**os.environ, "NPM_FOLDER": f"{installed()}/", **environ}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, check=False)
    report = run.stdout + run.stderr
    assert run.returncode == 0, report
    assert "pass 0\n" not in report, f"no test ran:\n{report}"
