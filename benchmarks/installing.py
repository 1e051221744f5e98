"""Installs peers from their lock files below ``peers/``, each by its own package manager into a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import native

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCES: Final = Path(__file__).parent / "peers"
"""A folder for each peer, by name: its lock file and, where the peer is a library, the program around it."""

_MARK: Final = "installed"
_SHOWN_LINES: Final = 20
_MOST_SECONDS: Final = 1800.0


class InstallFailed(Exception):
    """A peer can't be installed; the text says what failed and what to do."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How a package manager installs: what it needs on PATH, and its commands in order."""

    program: str
    hint: str
    commands: tuple[tuple[str, ...], ...]
    folder: Path


def folder(name: str) -> Path:
    """Where a peer is installed, or would be."""
    return native.BUILD / "peers" / name


def lacks(name: str) -> str | None:
    """What is missing to run a peer, in words; None if it is installed as its lock file says."""
    mark = folder(name) / _MARK
    if not mark.exists():
        return f"{name}, which --install (make bench PEERS={name}) would install"
    if mark.read_text(encoding="utf-8") != _digest(SOURCES / name):
        return f"the {name} of its lock file, which has changed since: --install (make bench PEERS={name}) renews it"
    return None


def install(name: str) -> None:
    """Install a peer, or renew it.

    Raises:
        InstallFailed: its package manager is missing or did not succeed.
    """
    way = _way(name)
    program = way.program if "/" in way.program else shutil.which(way.program)
    if program is None:
        raise InstallFailed(f"{name} can't be installed without {way.program}: {way.hint}")
    target = folder(name)
    # The mark goes first and comes last: what was left half-done is not taken for installed.
    (target / _MARK).unlink(missing_ok=True)
    target.mkdir(parents=True, exist_ok=True)
    if way.folder == target:
        shutil.copytree(SOURCES / name, target, dirs_exist_ok=True)
    for command in way.commands:
        _run(name, command, way.folder)
    (target / _MARK).write_text(_digest(SOURCES / name), encoding="utf-8")


def _way(name: str) -> _Way:
    """By the lock file that the peer's folder holds."""
    source, target = SOURCES / name, folder(name)
    if (source / "requirements.txt").exists():
        return _pip(source, target)
    if (source / "go.mod").exists():
        return _go(source, target)
    if (source / "package-lock.json").exists():
        return _npm(target)
    raise InstallFailed(f"{name} can't be installed: {source} has no requirements.txt, go.mod or package-lock.json")


def _pip(source: Path, target: Path) -> _Way:
    python = str(target / "bin" / "python")
    environment = (sys.executable, "-m", "venv", "--clear", str(target))
    packages = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")
    # The lock file names every package, so none is looked for beyond it.
    commands = (environment, (*packages, "--no-deps", "-r", "requirements.txt"))
    return _Way(sys.executable, "install Python's venv (on Debian: python3-venv)", commands, source)


def _go(source: Path, target: Path) -> _Way:
    """The program beside go.mod, or else the tools that go.mod names."""
    package = "." if (source / "main.go").exists() else "tool"
    # What go.sum does not know is refused. No version control stamp: the tree is not the peer's.
    command = ("go", "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-o", f"{target}/", package)
    return _Way("go", "install Go 1.24 or newer", (command,), source)


def _npm(target: Path) -> _Way:
    """In the target, where modules are found from the program's own folder; no script of a package is run."""
    command = ("npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund")
    return _Way("npm", "install Node.js 20 or newer with npm", (command,), target)


def _run(name: str, command: Sequence[str], where: Path) -> None:
    shown = " ".join((Path(command[0]).name, *command[1:]))
    try:
        ended = subprocess.run(
            command, check=False, cwd=where, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=_MOST_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise InstallFailed(f"{name} can't be installed: '{shown}' took over {_MOST_SECONDS:.0f} s") from None
    if ended.returncode:
        end = "\n".join(ended.stdout.strip().splitlines()[-_SHOWN_LINES:])
        advice = "Is the package registry reachable? Nothing of it is used until a later run succeeds."
        raise InstallFailed(f"{name} can't be installed: '{shown}' ended with {ended.returncode}:\n{end}\n{advice}")


def _digest(source: Path) -> str:
    """Of all that an installation depends on."""
    found = sha256()
    for path in sorted(path for path in source.iterdir() if path.is_file()):
        found.update(f"{path.name} {path.stat().st_size}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()
