"""Installs the Autobahn WebSocket test suite, which is written in Python 2, into a folder of its own below build/."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "build" / "websocket_suite"
REQUIREMENTS: Final = Path(__file__).with_name("requirements-python2.txt")

ACCELERATOR: Final = "wsaccel==0.6.2"
"""Masks and validates in C, where there is a compiler: the largest messages take seconds less."""

INSTALL_SECONDS: Final = 300.0

_IS_2_7: Final = "import sys, pip, zlib; sys.exit(sys.version_info[:2] != (2, 7))"


class NotInstalled(Exception):
    """The suite can't be had on this machine; the text says what is missing."""


def python2() -> Path:
    """A Python 2.7 that has pip: $PYTHON2, or one on the path, or one of pyenv's.

    Raises:
        NotInstalled: there is none.
    """
    named = [os.environ.get("PYTHON2"), shutil.which("python2.7"), shutil.which("python2")]
    versions = sorted(Path.home().glob(".pyenv/versions/2.7.*/bin/python2.7"))
    for path in [*(Path(name) for name in named if name), *versions]:
        # One of pyenv's shims may be there for a version that is not chosen.
        if path.exists() and subprocess.run([path, "-c", _IS_2_7], capture_output=True, check=False).returncode == 0:
            return path
    raise NotInstalled("there is no Python 2.7 with pip: install one, or name it in $PYTHON2")


def install() -> tuple[Path, Path]:
    """The suite, installed if it is not yet.

    Returns:
        The Python 2.7, and the folder that it has to be shown.

    Raises:
        NotInstalled: there is no Python 2.7, or its pip could not install everything.
    """
    python = python2()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        packages = FOLDER / "packages"
        done = FOLDER / "installed.txt"
        wanted = f"{python}\n{ACCELERATOR}\n{REQUIREMENTS.read_text()}"
        if not done.exists() or done.read_text() != wanted:
            _install_into(packages, python)
            done.write_text(wanted)
    return python, packages


def _install_into(packages: Path, python: Path) -> None:
    shutil.rmtree(packages, ignore_errors=True)
    made = _pip_install(python, packages, "--requirement", str(REQUIREMENTS))
    if made.returncode != 0:
        raise NotInstalled(f"pip of Python 2.7 could not install the suite: {made.stderr[-500:]}")
    # To Python 2 a folder without it is no package, and what would make it one is left out by --target.
    (packages / "zope" / "__init__.py").touch()
    # Needs a compiler; without it the suite only takes longer.
    _pip_install(python, packages, ACCELERATOR)


def _pip_install(python: Path, packages: Path, *what: str) -> subprocess.CompletedProcess[str]:
    quietly = ("--disable-pip-version-check", "--quiet", "--no-deps", "--target", str(packages))
    return subprocess.run(
        [python, "-m", "pip", "install", *quietly, *what],
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
