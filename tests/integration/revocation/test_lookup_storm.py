"""Thousands of clients come back at once: each token is asked for once, in batches; a frozen database lets none in.

``REVOCATION_SESSIONS=10000`` measures at full size; its figures are printed.
"""

from __future__ import annotations

import os
import random
import re
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Self

import pytest
from postgres_server import PostgresServer
from psycopg2.extensions import parse_dsn
from raw_wamp import Aborted

from .crowd import Crowd, allow_descriptors
from .rights import Door, PostgresRows, token_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .crowd import Member

SESSIONS = int(os.environ.get("REVOCATION_SESSIONS", "2000"))
TOKENS = SESSIONS // 5
AT_ONCE = min(SESSIONS, 3000)
"""So many connect at the same time, or the kernel resets some before the router has accepted them."""

POOL_SIZE = 4
JOIN_SECONDS = 10.0
"""The default of ``limits.join_seconds``: nobody waits longer for an answer."""

SLACK = max(1.0, SESSIONS / 5000)
"""Seconds that a machine with other work to do may add; with many clients a turn of the router takes long."""

# All come from one address here, from many elsewhere; all else is as it is by default.
LIMITS = {
    "connections": SESSIONS + 1000,
    "connections_per_address": 0,
    "unauthenticated_connections": SESSIONS + 1000,
    "failed_logins_per_address_per_minute": SESSIONS + 1000,
}


class Storm:
    """A router on a Postgres of its own whose log holds every statement.

    Attributes:
        server: Postgres.
        door: the router.
    """

    def __init__(self, server: PostgresServer, door: Door) -> None:
        self.server = server
        self.door = door
        self._log = server.data.parent / "log"
        self._database = parse_dsn(door.rows.dsn)["dbname"]  # type: ignore[attr-defined] # they are Postgres' rows
        self._begin = self._log.stat().st_size

    def crowd(self) -> Crowd:
        """Five sessions for each token, in no order."""
        users = [f"u{number % TOKENS}" for number in range(SESSIONS)]
        random.Random(7).shuffle(users)
        return Crowd(self.door.router.port, users, "organization.7", at_once=AT_ONCE)

    def refusals(self, crowd: Crowd) -> str:
        """Why clients were refused, counted."""
        told = Counter(member.goodbye for member in crowd.members)
        logged = Counter(re.findall(r"join refused to [\d.:]+: (.*)", self.door.router.log()))
        return f"the clients say {told}, the router {logged}"

    def statements(self, table: str) -> list[set[str]]:
        """What was asked of a table since the start: for each statement the tokens or users in it."""
        with self._log.open("rb") as log:
            log.seek(self._begin)
            logged = log.read().decode()
        asked = [statement for statement in logged.split("statement:") if f"FROM {table}" in statement]
        return [set(re.findall(r"\b[0-9a-f]{64}\b|\bu[0-9]+\b", statement)) for statement in asked]

    def connections(self) -> int:
        """How many connections there are to the router's database; each answers one question at a time."""
        [(count,)] = self.server.execute(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{self._database}'")
        return int(count)


class Watching:
    """Looks again and again, as long as the block takes, and keeps the largest number. A context manager."""

    def __init__(self, look: Callable[[], int]) -> None:
        self._look = look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.most = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self.most = max(self.most, self._look())


@pytest.fixture
def storm() -> Iterator[Storm]:
    allow_descriptors(2 * SESSIONS + 2000)
    with PostgresServer() as server, Door(lambda _folder: prepared(server), limits=LIMITS, members={}) as door:
        door.wait_until_it_hears()
        time.sleep(0.5)  # what the router asks when it starts
        yield Storm(server, door)
        server.thaw()


def prepared(server: PostgresServer) -> PostgresRows:
    """A token for each user, and a membership in 7."""
    rows = PostgresRows(server, timeout=3)
    stored = "encode(sha256(('canary-token-0-of-u' || n)::bytea), 'hex')"
    assert token_of("u0") == "canary-token-0-of-u0"
    rows.execute(
        f"INSERT INTO oauth_access_tokens SELECT {stored}, 'test', 'u' || n, now() + interval '1 hour'"
        f" FROM generate_series(0, {TOKENS - 1}) n",
        f"INSERT INTO organization_members SELECT '7', 'u' || n FROM generate_series(0, {TOKENS - 1}) n",
        f"ALTER DATABASE {parse_dsn(rows.dsn)['dbname']} SET log_statement = 'all'",
    )
    return rows


def report(line: str) -> None:
    """Figures, for whoever runs this with -s."""
    sys.stdout.write(f"\n{line}\n")


def longest_wait(members: list[Member]) -> float:
    """Seconds from a connection's opening until it was welcomed or ended."""
    return max((member.welcomed or member.ended) - member.opened for member in members)


def test_each_token_is_asked_for_once(storm: Storm) -> None:
    """Postgres' own log says what it was asked, and its own list of sessions how much at the same time."""
    begun = time.monotonic()
    with Watching(storm.connections) as connections, storm.crowd() as crowd:
        taken = time.monotonic() - begun
        assert all(member.ready for member in crowd.members), storm.refusals(crowd)
        waited = longest_wait(crowd.members)
    of_tokens, of_members = storm.statements("oauth_access_tokens"), storm.statements("organization_members")
    asked = [token for statement in of_tokens for token in statement]
    report(
        f"{SESSIONS} joins with {TOKENS} tokens in {taken:.1f} s, none waited longer than {waited:.1f} s:"
        f" {len(of_tokens)} statements about {len(asked)} tokens (at most {max(map(len, of_tokens))} in one),"
        f" {len(of_members)} about {sum(map(len, of_members))} users; {connections.most} connections"
    )
    assert len(set(asked)) == TOKENS
    assert len(asked) == TOKENS
    assert len(of_tokens) <= TOKENS / 4
    assert len(of_members) <= TOKENS / 2
    assert 0 < connections.most <= POOL_SIZE + 1  # and the one that listens
    assert waited < JOIN_SECONDS + SLACK


def test_a_token_that_is_revoked_meanwhile_lets_nobody_in_any_more(storm: Storm) -> None:
    """The storm has made the router remember every token; each is as good as the table says."""
    with storm.crowd() as crowd:
        assert all(member.ready for member in crowd.members), storm.refusals(crowd)
        for place in range(20):
            user = f"u{place}"
            storm.door.join(user).close()
            storm.door.rows.drop_token(token_of(user))
            with pytest.raises(Aborted, match="not accepted"):
                storm.door.join(user)


def test_a_frozen_database_lets_nobody_in_and_everyone_gets_an_answer(storm: Storm) -> None:
    storm.server.freeze()
    with storm.crowd() as crowd:
        assert not any(member.welcomed for member in crowd.members)
        assert {member.goodbye for member in crowd.members} == {"closed with 1013"}
        waited = longest_wait(crowd.members)
    report(f"{SESSIONS} clients before a frozen database: the last had its answer after {waited:.1f} s")
    assert waited < JOIN_SECONDS + SLACK


def test_a_database_that_freezes_in_the_storm_lets_nobody_in_from_then_on(storm: Storm) -> None:
    crowd = storm.crowd()
    frozen: list[float] = []

    def freeze_after_some() -> None:
        while sum(bool(member.welcomed) for member in crowd.members) < AT_ONCE / 4:
            time.sleep(0.005)
        storm.server.freeze()
        frozen.append(time.monotonic())

    freezing = threading.Thread(target=freeze_after_some, daemon=True)
    freezing.start()
    with crowd:
        freezing.join(60)
        welcomed = [member.welcomed for member in crowd.members if member.welcomed]
        others = [member for member in crowd.members if not member.welcomed]
        waited = longest_wait(others)
    report(
        f"frozen with {sum(when < frozen[0] for when in welcomed)} of {SESSIONS} welcomed: the last one"
        f" {max(welcomed) - frozen[0]:+.2f} s later, the others had their answer after {waited:.1f} s"
    )
    assert others
    assert {member.goodbye for member in others} == {"closed with 1013"}
    # What Postgres had answered was on its way.
    assert max(welcomed) < frozen[0] + SLACK
    assert waited < JOIN_SECONDS + SLACK
