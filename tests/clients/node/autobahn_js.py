"""Stock autobahn-js for these tests: installed once from npm into a folder below the temporary one, run in Node."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import npm

PACKAGES = {"autobahn": "22.11.1", "ws": "8.23.0"}
HERE = Path(__file__).parent


def installed() -> Path:
    """The folder whose node_modules holds the packages; skips, loudly, where they can't be had."""
    return npm.installed("autobahn-js", PACKAGES, "AUTOBAHN-JS WAS NOT TESTED")


def environment(**more: object) -> dict[str, str]:
    """What a script finds in ``process.env``: ``NPM_FOLDER``, and what is given."""
    return {**os.environ, "NPM_FOLDER": f"{installed()}/", **{name: str(value) for name, value in more.items()}}


def run_node_tests(file: str, seconds: float = 120, **environ: object) -> None:
    """Run a file of ``node:test`` tests in this folder; fails with its report."""
    npm.run_node_tests(HERE / file, environment(**environ), seconds)


def start_script(file: str, **environ: object) -> subprocess.Popen[str]:
    """Start a script of this folder that writes a line of JSON for each thing it sees."""
    return subprocess.Popen(
        ["node", str(HERE / file)],
        env=environment(**environ),
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
