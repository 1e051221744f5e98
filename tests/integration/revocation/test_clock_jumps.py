"""The wall clock jumps by a day, forth or back: what the router waits for comes neither sooner nor later.

Only the one process sees another time (libfaketime); the machine's clock stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from conftest import ticket_of
from raw_wamp import Aborted, Peer, WampError
from raw_websocket import RawConnection

from .rights import AT_ONCE, Door, farewell, next_private, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .rights import Rows

DAY: Final = 86_400
TICK: Final = 0.25
"""How late a deadline may be met."""

LIBRARIES: Final = sorted(
    path for folder in ("/usr/lib", "/usr/lib64", "/usr/local/lib") for path in Path(folder).glob("**/libfaketime.so.1")
)
LIFE: Final = 8.0
SWEEP_SECONDS: Final = 2

both_ways = pytest.mark.parametrize("days", [1, -1], ids=["forth", "back"])


class WallClock:
    """The time that one process takes for today's.

    Args:
        path: a file of the test's own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.jump(0)

    @property
    def environ(self) -> dict[str, str]:
        """What makes a process go by it, but for the monotonic clock."""
        return {
            "LD_PRELOAD": str(LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """Let it be so many seconds before or after what it is."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.rename(self._path)


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    if not LIBRARIES:
        pytest.skip("libfaketime is missing: install Debian's package faketime")
    return WallClock(tmp_path / "offset")


Start = Callable[..., Door]


@pytest.fixture
def start(postgres_rows: Callable[[str], Rows], clock: WallClock) -> Iterator[Start]:
    """Starts a router with a clock of its own, on a Postgres whose clock is right."""
    with ExitStack() as stack:

        def start(**limits: float) -> Door:
            authorization = {"sweep_seconds": SWEEP_SECONDS, "cache_seconds": 1}
            door = Door(postgres_rows, authorization=authorization, limits=limits, environ=clock.environ)
            stack.enter_context(door).wait_until_it_hears()
            return door

        yield start


def today_of(door: Door) -> datetime:
    """What the router takes for now, by the last line of its log."""
    with Peer(door.router.port) as stranger, pytest.raises(Aborted):
        stranger.join("a wrong one")
    time.sleep(0.1)
    return datetime.fromisoformat(door.router.log().splitlines()[-1].split(" ")[0].replace("+0000", "+00:00"))


def closed_by_deadline(connection: RawConnection, begun: float) -> None:
    """What hello_seconds of 1 ends, ends after a second, whatever the clock says."""
    assert connection.closed()[0] == 1008
    assert 1 - TICK < time.monotonic() - begun < 1 + 3 * TICK


@both_ways
def test_deadlines_and_pings_go_on(start: Start, clock: WallClock, days: int) -> None:
    door = start(hello_seconds=1, join_seconds=1.5, header_seconds=1, ping_seconds=1)
    with ExitStack() as stack:
        half, before = (stack.enter_context(RawConnection(door.router.port)) for _ in range(2))
        half.send_bytes(b"GET /ws HTTP/1.1\r\nHost: local")
        before.upgrade()
        begun = time.monotonic()

        clock.jump(days * DAY)

        # Deadlines that ran when it jumped, and one that begins after it.
        closed_by_deadline(before, begun)
        half.ended(3)
        assert time.monotonic() - begun < 1 + 3 * TICK
        assert abs(today_of(door) - datetime.now(UTC) - timedelta(days=days)) < timedelta(minutes=5)
        after = stack.enter_context(RawConnection(door.router.port))
        after.upgrade()
        closed_by_deadline(after, time.monotonic())

        # Who answers pings stays, who doesn't goes; also when the clock is put right again.
        bert, backend, silent = door.join("bert"), door.backend(), door.join("cleo")
        bert.subscribe("organization.7")
        for jump in (2 * days * DAY, 0):
            clock.jump(jump)
            until = time.monotonic() + 2.5
            while time.monotonic() < until:
                backend.publish("organization.7", ["news"])
                assert bert.event()[4] == ["news"]
                time.sleep(0.1)
        assert silent.ended(1) < 1
    used, since = door.router.cpu_seconds(), time.monotonic()
    time.sleep(0.5)
    assert door.router.cpu_seconds() - used < (time.monotonic() - since) / 2


@both_ways
def test_tokens_live_by_the_clock_of_their_store(start: Start, clock: WallClock, days: int) -> None:
    door = start()
    door.rows.add_token(token_of("anna", 1), "anna", LIFE)
    begun = time.monotonic()
    short, bert = door.member("anna", number=1), door.member("bert", "organization.7")
    clock.jump(days * DAY)
    # Some sweeps later nobody has gone who may stay, and nobody comes who may not.
    time.sleep(2 * SWEEP_SECONDS)
    door.rows.add_token(token_of("bert", 1), "bert", 3600)
    door.rows.add_token(token_of("bert", 2), "bert", -1)
    door.join("bert", 1)
    with pytest.raises(Aborted):
        door.join("bert", 2)
    assert farewell(short, LIFE) == "wampgate.close.token_expired"
    assert LIFE - 1 < time.monotonic() - begun < LIFE + 1
    door.backend().publish("organization.7", ["news"])
    assert bert.event()[4] == ["news"]


@both_ways
def test_what_ends_in_the_store_ends_here_as_soon_as_ever(start: Start, clock: WallClock, days: int) -> None:
    door = start()
    member = door.member("anna", "organization.7", "organization.8")
    clock.jump(days * DAY)
    door.rows.drop_member("7", "anna")
    assert next_private(member)[5]["topic"] == "organization.7"
    with pytest.raises(WampError):
        member.subscribe("organization.7")
    # And by the sweep alone, when no notification comes.
    door.rows.execute(
        "ALTER TABLE organization_members DISABLE TRIGGER ALL",
        "DELETE FROM organization_members WHERE organization_id = '8' AND user_id = 'anna'",
    )
    while (event := next_private(member, SWEEP_SECONDS + AT_ONCE))[5].get("topic") != "organization.8":
        pass
    assert event[5]["reason"] == "wamp.error.not_authorized"
    door.rows.drop_token(token_of("anna"))
    assert farewell(member) == "wampgate.close.token_revoked"


@both_ways
def test_guesses_are_counted_for_a_minute_of_real_time(start: Start, clock: WallClock, days: int) -> None:
    door = start(failed_logins_per_address_per_minute=3)
    for number in range(3):
        with Peer(door.router.port) as peer, pytest.raises(Aborted):
            peer.join(f"guess {number}")
    clock.jump(days * DAY)
    # A day later, or earlier, the minute is not over.
    with Peer(door.router.port) as peer, pytest.raises(Aborted):
        peer.join(ticket_of("backend"))
    with Peer(door.router.port, source="127.0.0.2").join(ticket_of("backend")) as peer:
        assert peer.welcome["authid"] == "backend"
