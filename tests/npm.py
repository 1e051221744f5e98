"""npm packages for tests: installed once below the temporary folder, never into the tree, shared by processes."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTALL_SECONDS = 300


def installed(name: str, packages: Mapping[str, str], untested: str) -> Path:
    """The folder whose node_modules holds the packages; skips, loudly, where node, npm or the packages can't be had.

    Args:
        name: of the set of packages; each has a folder of its own.
        packages: versions (or ``npm:other@version``) by name, as in a package.json.
        untested: what goes without a test then, as ``AUTOBAHN-JS WAS NOT TESTED``.

    Raises:
        PermissionError: the folder belongs to someone else, who could put other code there.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip(f"{untested}: node and npm are not on PATH")
    folder = Path(tempfile.gettempdir()) / f"wampgate-npm-{name}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to someone else: remove it, or set TMPDIR to another folder")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(folder, packages, untested)
    return folder


def _install(folder: Path, packages: Mapping[str, str], untested: str) -> None:
    wanted = json.dumps({"private": True, "dependencies": dict(packages)}, indent=2)
    done = folder / "installed.json"
    if done.exists() and done.read_text() == wanted:
        return
    (folder / "package.json").write_text(wanted)
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "--no-package-lock"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if made.returncode != 0:
        pytest.skip(f"{untested}: npm could not install {', '.join(packages)}: {made.stderr[-500:]}")
    done.write_text(wanted)


def run_node_tests(file: Path, environment: Mapping[str, str], seconds: float = 120) -> None:
    """Run a file of ``node:test`` tests; fails with its report.

    Args:
        file: the file.
        environment: what it finds in ``process.env``, all of it.
        seconds: how long it may take.
    """
    run = subprocess.run(
        ["node", "--test", "--test-reporter=spec", str(file)],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    report = run.stdout + run.stderr
    assert run.returncode == 0, report
    assert "pass 0\n" not in report, f"no test ran:\n{report}"
