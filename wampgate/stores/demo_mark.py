"""Tells a demo's database from all others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID: Final = 0x77616D70
"""Stands in the header of a demo database ("wamp"), and in no other of ours."""


def is_demo(path: Path) -> bool:
    """Whether a file is a demo's database; False if there is none or it is no database at all."""
    if not path.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID)
    except sqlite3.Error:
        return False
