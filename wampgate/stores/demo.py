"""The demo's data: a SQLite database of its own with two users, and the file that holds their tokens."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Final

from wampgate.stores.demo_mark import APPLICATION_ID, is_demo
from wampgate.stores.preparing import (
    PreparationFailed,
    create_private_file,
    create_sqlite_tables,
    use_write_ahead_log,
)
from wampgate.stores.questions import stored_form

if TYPE_CHECKING:
    from pathlib import Path

DATABASE: Final = "var/wampgate.sqlite3"
TOKENS: Final = "var/demo-tokens.json"

LIFETIME: Final = "+30 days"
CLIENT: Final = "wampgate-demo"
MEMBERS: Final = (("7", "alice", "owner"), ("8", "alice", ""), ("8", "bob", ""))
LOCK_SECONDS: Final = 10


@dataclass(frozen=True, slots=True, repr=False)
class DemoTokens:
    """The demo's tokens: alice is in organizations 7 and 8, bob in 8; ``expired`` was alice's.

    ``backend`` and ``operator`` are no users and not in the database: they are for static principals,
    of whom one may publish and one may look at the router and call its procedures.
    """

    alice: str
    bob: str
    expired: str
    backend: str
    operator: str


def prepare_demo(folder: Path) -> DemoTokens:
    """Make or renew the demo below a folder: ``var/wampgate.sqlite3``, ``var/demo-tokens.json``, both private.

    A second time the tokens stay the same and are good for 30 days again. The
    database holds only their SHA-256. Blocks for a moment.

    Raises:
        PreparationFailed: the database there is not a demo's (it is left as it is), or
            the folder can't be written to.
    """
    database = folder / DATABASE
    try:
        fresh = _is_empty(database)
        if not fresh and not is_demo(database):
            raise PreparationFailed(
                f"{database} is not a demo database and is left as it is: start without --demo, or in another folder"
            )
        create_private_file(database)
        with closing(sqlite3.connect(database, timeout=LOCK_SECONDS, isolation_level=None)) as connection:
            create_sqlite_tables(connection, f"PRAGMA application_id = {APPLICATION_ID}")
            use_write_ahead_log(connection)
            return _renew(connection, folder / TOKENS, fresh=fresh)
    except (sqlite3.Error, OSError) as error:
        raise PreparationFailed(f"the demo could not be prepared in {folder}: {error}") from None


def _is_empty(path: Path) -> bool:
    return not path.exists() or path.stat().st_size == 0


def _renew(connection: sqlite3.Connection, tokens_file: Path, *, fresh: bool) -> DemoTokens:
    """Put the tokens into the database, those of the file unless the database is new.

    The lock is held meanwhile, so two that start at once end with the same tokens.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have filled the new database while this one waited for the lock.
        fresh = fresh and not connection.execute("SELECT count(*) FROM oauth_access_tokens").fetchone()[0]
        tokens = (None if fresh else _read(tokens_file)) or _random_tokens()
        _insert(connection, tokens)
        _write(tokens_file, tokens)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return tokens


def _random_tokens() -> DemoTokens:
    return DemoTokens(**{field.name: secrets.token_urlsafe(32) for field in fields(DemoTokens)})


def _insert(connection: sqlite3.Connection, tokens: DemoTokens) -> None:
    connection.execute("DELETE FROM oauth_access_tokens WHERE client_id = ?", (CLIENT,))
    rows = [(tokens.alice, "alice", LIFETIME), (tokens.bob, "bob", LIFETIME), (tokens.expired, "alice", "-1 hour")]
    connection.executemany(
        "INSERT INTO oauth_access_tokens (access_token, client_id, user_id, expires, scope)"
        " VALUES (?, ?, ?, datetime('now', ?), NULL)",
        [(stored_form(token, "sha256"), CLIENT, user, life) for token, user, life in rows],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO organization_members (organization_id, user_id, role) VALUES (?, ?, ?)", MEMBERS
    )


def _read(path: Path) -> DemoTokens | None:
    """The tokens that a file holds; None if it is missing or is not as it was written."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    names = {field.name for field in fields(DemoTokens)}
    if not isinstance(found, dict) or set(found) != names:
        return None
    if not all(isinstance(token, str) and len(token) >= 32 for token in found.values()):
        return None
    return DemoTokens(**found) if len(set(found.values())) == len(names) else None


def _write(path: Path, tokens: DemoTokens) -> None:
    """Replace the file as a whole: nobody ever reads half of it, nor anyone else any of it."""
    beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(tokens), file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
