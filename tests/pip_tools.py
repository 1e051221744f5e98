"""Programs from PyPI that only tests run: installed once below the temporary folder, in a venv of their own."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALL_SECONDS = 300


def installed(name: str, requirements: Sequence[str], untested: str) -> Path:
    """The folder with the programs of the requirements; skips, loudly, where they can't be had.

    Args:
        name: of the set of programs; each has a venv of its own.
        requirements: as pip takes them.
        untested: what goes without a test then, as ``THE DOCKERFILE WAS NOT TESTED``.

    Raises:
        PermissionError: the folder belongs to someone else, who could put other programs there.
    """
    folder = Path(tempfile.gettempdir()) / f"wampgate-pip-{name}-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to someone else: remove it, or set TMPDIR to another folder")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(folder, requirements, untested)
    return folder / "venv/bin"


def _install(folder: Path, requirements: Sequence[str], untested: str) -> None:
    wanted = "\n".join([sys.version, *requirements])
    done = folder / "installed.txt"
    if done.exists() and done.read_text() == wanted:
        return
    done.unlink(missing_ok=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder / "venv"], check=True, timeout=INSTALL_SECONDS)
    command = [str(folder / "venv/bin/pip"), "--disable-pip-version-check", "install", "--quiet", *requirements]
    made = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    if made.returncode != 0:
        pytest.skip(f"{untested}: pip could not install {', '.join(requirements)}: {made.stderr[-500:]}")
    done.write_text(wanted)
