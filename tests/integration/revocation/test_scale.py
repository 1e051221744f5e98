"""Thousands of live sessions: how soon a right ends, and how long the reactor stands still meanwhile.

``REVOCATION_SESSIONS=10000`` measures at full size; its figures are printed.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from heartbeat import Heartbeat

from .crowd import Crowd, allow_descriptors
from .rights import AT_ONCE, Door, News, PostgresRows, token_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .rights import Rows

SESSIONS = int(os.environ.get("REVOCATION_SESSIONS", "2000"))
SINGLE = 40
STALL_SECONDS = 0.1

LIMITS = {
    "connections": SESSIONS + 1000,
    "connections_per_address": 0,
    "unauthenticated_connections": SESSIONS + 1000,
    "header_seconds": 60,
    "hello_seconds": 60,
    "join_seconds": 60,
    "failed_logins_per_address_per_minute": 1000,
}
USERS = [f"u{number}" for number in range(SESSIONS)]


@pytest.fixture(scope="module")
def large_door(postgres_rows_for_all: Callable[[str], Rows]) -> Iterator[Door]:
    allow_descriptors(2 * SESSIONS + 2000)
    with Door(postgres_rows_for_all, limits=LIMITS, members={}) as door:
        fill(door)
        door.wait_until_it_hears()
        yield door


@pytest.fixture(scope="module")
def postgres_rows_for_all(postgres: Any) -> Callable[[str], Rows]:
    return lambda _folder: PostgresRows(postgres, timeout=10)


def fill(door: Door) -> None:
    """A token for each user, and a membership in 7."""
    stored = "encode(sha256(('canary-token-0-of-u' || n)::bytea), 'hex')"
    assert token_of("u0") == "canary-token-0-of-u0"
    door.rows.execute(
        "TRUNCATE oauth_access_tokens, organization_members",
        f"INSERT INTO oauth_access_tokens SELECT {stored}, 'test', 'u' || n, now() + interval '1 hour'"
        f" FROM generate_series(0, {SESSIONS - 1}) n",
        f"INSERT INTO organization_members SELECT '7', 'u' || n FROM generate_series(0, {SESSIONS - 1}) n",
    )


def report(line: str) -> None:
    """Figures, for whoever runs this with -s."""
    sys.stdout.write(f"\n{line}\n")


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def test_single_removals(large_door: Door) -> None:
    """While all the others are here, one after the other loses its membership and soon gets nothing more."""
    fill(large_door)
    with Crowd(large_door.router.port, USERS, lambda place: f"organization.7.{place}") as crowd:
        topics = [f"organization.7.{place}" for place in range(SINGLE)]
        last: list[float] = []
        with News(large_door.backend(), *topics):
            crowd.wait(lambda: all(member.last_event for member in crowd.members[:SINGLE]), 10)
            for user, member in zip(USERS, crowd.members[:SINGLE], strict=False):
                large_door.rows.drop_member("7", user)
                committed = time.monotonic()
                crowd.wait(lambda member=member: bool(member.told), 3)  # type: ignore[misc]  # bound early on purpose
                last.append(max(member.told, member.last_event) - committed)
            # What ended has ended.
            told = [member.told for member in crowd.members[:SINGLE]]
            time.sleep(0.3)
        assert all(member.last_event <= when for member, when in zip(crowd.members, told, strict=False))
    p50, p99 = (1e3 * percentile(last, share) for share in (0.5, 0.99))
    report(f"COMMIT to last event, {SESSIONS} sessions: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    assert percentile(last, 0.99) < AT_ONCE


def test_all_in_one_transaction(large_door: Door) -> None:
    """All memberships end with one COMMIT: within a second it is quiet, and nothing has stood still."""
    fill(large_door)
    with Crowd(large_door.router.port, USERS, "organization.7") as crowd:
        assert all(member.ready for member in crowd.members)
        backend = large_door.backend()
        with Heartbeat(large_door.router.pid, large_door.backend()) as heartbeat:
            backend.publish("organization.7", ["before"])
            crowd.wait(lambda: all(member.last_event for member in crowd.members), 10)
            quiet = heartbeat.worst
            large_door.rows.execute("DELETE FROM organization_members")
            committed = time.monotonic()
            crowd.wait(lambda: all(member.told for member in crowd.members), 20)
        backend.publish("organization.7", ["after"])
        time.sleep(0.3)
        taken = [max(member.told, member.last_event) - committed for member in crowd.members]
        assert all(member.last_event < member.told for member in crowd.members)
    p50, p99, worst = (1e3 * percentile(taken, share) for share in (0.5, 0.99, 1))
    report(
        f"COMMIT to the last of {SESSIONS}: p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {worst:.0f} ms;"
        f" stall {heartbeat.worst * 1e3:.0f} ms (delivering to all: {quiet * 1e3:.0f} ms)"
    )
    assert heartbeat.worst < max(STALL_SECONDS, 1.2 * quiet)
    assert percentile(taken, 0.99) < AT_ONCE * max(1.0, SESSIONS / 5000)
