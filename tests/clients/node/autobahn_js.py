"""Stock autobahn-js for these tests: installed once from npm into a folder below the temporary one, run in Node."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PACKAGES = {"autobahn": "22.11.1", "ws": "8.23.0"}
HERE = Path(__file__).parent
INSTALL_SECONDS = 300


def installed() -> Path:
    """The folder whose node_modules holds the packages; skips, loudly, where node, npm or the registry is missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("AUTOBAHN-JS WAS NOT TESTED: node and npm are not on PATH")
    folder = Path(tempfile.gettempdir()) / f"wampgate-autobahn-js-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to someone else: remove it, or set TMPDIR to another folder")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(folder)
    return folder


def _install(folder: Path) -> None:
    wanted = json.dumps({"private": True, "dependencies": PACKAGES}, indent=2)
    done = folder / "installed.json"
    if done.exists() and done.read_text() == wanted:
        return
    (folder / "package.json").write_text(wanted)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "--no-package-lock"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if made.returncode != 0:
        pytest.skip(f"AUTOBAHN-JS WAS NOT TESTED: npm could not install it: {made.stderr[-500:]}")
    done.write_text(wanted)


def environment(**more: object) -> dict[str, str]:
    """What a script finds in ``process.env``: ``NPM_FOLDER``, and what is given."""
    return {**os.environ, "NPM_FOLDER": f"{installed()}/", **{name: str(value) for name, value in more.items()}}


def run_node_tests(file: str, seconds: float = 120, **environ: object) -> None:
    """Run a file of ``node:test`` tests in this folder; fails with its report."""
    run = subprocess.run(
        ["node", "--test", "--test-reporter=spec", str(HERE / file)],
        env=environment(**environ),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    report = run.stdout + run.stderr
    assert run.returncode == 0, report
    assert "pass 0\n" not in report, f"no test ran:\n{report}"


def start_script(file: str, **environ: object) -> subprocess.Popen[str]:
    """Start a script of this folder that writes a line of JSON for each thing it sees."""
    return subprocess.Popen(
        ["node", str(HERE / file)],
        env=environment(**environ),
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
