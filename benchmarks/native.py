"""Builds the load generator and the limit server, which are written in C, when they are needed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).parent / "native"
BUILD = Path(__file__).parent / "build"
PROGRAMS: Final = ("load", "limit")
_FLAGS: Final = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow")


class BuildFailed(Exception):
    """A C program can't be built; the text says what is missing or what the compiler said."""


def compiler() -> str | None:
    """The C compiler: ``$CC``, or gcc, or cc; None if there is none."""
    return shutil.which(os.environ.get("CC") or "gcc") or shutil.which("cc")


def program(name: str, *, flags: tuple[str, ...] = ()) -> Path:
    """The executable of a program, built first if it is missing or older than its sources.

    Args:
        name: ``load`` or ``limit``.
        flags: for the compiler, beside the usual ones.

    Raises:
        BuildFailed: there is no compiler, or it reports an error.
    """
    binary = BUILD / name
    newest = max(path.stat().st_mtime for path in SOURCES.rglob("*.[ch]"))
    if not binary.exists() or binary.stat().st_mtime < newest:
        _build(name, binary, flags)
    return binary


def _build(name: str, binary: Path, flags: tuple[str, ...]) -> None:
    cc = compiler()
    if cc is None:
        raise BuildFailed("no C compiler was found: install gcc, or name one in CC")
    sources = sorted(str(path) for part in (name, "wire") for path in (SOURCES / part).glob("*.c"))
    binary.parent.mkdir(parents=True, exist_ok=True)
    unfinished = binary.with_suffix(".new")
    command = [cc, *_FLAGS, *flags, "-o", str(unfinished), *sources]
    built = subprocess.run(command, check=False, capture_output=True, text=True)
    if built.returncode:
        raise BuildFailed(f"{cc} can't build {name}:\n{built.stderr.strip()}")
    unfinished.replace(binary)
