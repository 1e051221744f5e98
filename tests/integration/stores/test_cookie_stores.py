"""What every place for session cookies keeps, finds, ends and forgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock

from wampgate.core.errors import StoreUnavailable
from wampgate.core.logins import CookieStore, KeptCookie
from wampgate.stores.cookies_memory import MemoryCookieStore

from .conftest import SqlShelf, sleep, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Heard, Opener

PER_AUTHID = 3
READ_ONLY = " options='-c default_transaction_read_only=on'"


class Advance(Protocol):
    """Lets so many seconds pass for a store."""

    def __call__(self, seconds: float) -> None: ...


@dataclass
class Place:
    """A place for cookies, and how its time passes."""

    cookies: CookieStore
    advance: Advance
    rows: Callable[[], int]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def place(request: pytest.FixtureRequest, shelf_of_kind: Callable[[str], Any], opened: Opener) -> Place:
    if request.param == "memory":
        clock = Clock()
        store = MemoryCookieStore(clock.seconds, per_authid=PER_AUTHID)
        return Place(store, clock.advance, store.__len__)
    shelf: SqlShelf = shelf_of_kind(request.param)
    tokens: Any = shelf.open()
    cookies = tokens.cookies(realm="realm1", per_authid=PER_AUTHID)
    opened.opened.append(tokens)
    pytest_twisted.blockon(Deferred.fromCoroutine(tokens.start()))

    def advance(seconds: float) -> None:
        earlier = {
            "postgres": f"expires - interval '{seconds} seconds'",
            "sqlite": f"expires - {seconds}",
        }[shelf.kind]
        shelf.execute(f"UPDATE wampgate_cookies SET expires = {earlier}")

    return Place(cookies, advance, lambda: len(shelf.execute("SELECT 1 FROM wampgate_cookies")))


def kept(name: str, login: str = "", authid: str = "joe") -> KeptCookie:
    return KeptCookie(name, login or f"login of {name}", authid, f"sealed {name} ' \\ \x7f")


@pytest_twisted.ensureDeferred
async def test_what_is_kept_is_found_and_nothing_else(place: Place) -> None:
    await place.cookies.keep(kept("one"), 60, None)
    assert await place.cookies.find("one") == kept("one")
    for other in ("ONE", "two", "", "' OR 1=1 --", "%s", ":realm"):
        assert await place.cookies.find(other) is None
    assert await place.cookies.end("two") is None
    assert "sealed" not in repr(kept("one"))


@pytest_twisted.ensureDeferred
async def test_it_is_good_for_its_seconds(place: Place) -> None:
    await place.cookies.keep(kept("one"), 60, None)
    place.advance(50)
    assert await place.cookies.find("one") is not None
    place.advance(11)
    assert await place.cookies.find("one") is None
    assert await place.cookies.end("one") is None


@pytest_twisted.ensureDeferred
async def test_what_is_over_is_cleared_as_others_come(place: Place) -> None:
    for number in range(6):
        await place.cookies.keep(kept(f"old {number}", authid=f"user {number}"), 1, None)
    place.advance(5)
    for number in range(6):
        await place.cookies.keep(kept(f"new {number}", authid=f"user {number}"), 60, None)
    assert place.rows() == 6


@pytest_twisted.ensureDeferred
async def test_the_one_that_was_there_before_is_forgotten(place: Place) -> None:
    await place.cookies.keep(kept("before", "the login"), 60, None)
    await place.cookies.keep(kept("after", "the login"), 60, "before")
    assert await place.cookies.find("before") is None
    assert await place.cookies.find("after") == kept("after", "the login")
    # It was replaced, not ended: who joined by it goes on.
    assert list(await place.cookies.ended(["the login"])) == []


@pytest_twisted.ensureDeferred
async def test_nobody_has_more_than_he_may(place: Place) -> None:
    for number in range(5):
        await place.cookies.keep(kept(f"joe {number}"), 60 + number, None)
    await place.cookies.keep(kept("ann", authid="ann"), 60, None)
    found = [await place.cookies.find(f"joe {number}") is not None for number in range(5)]
    assert found == [False, False, True, True, True]
    assert await place.cookies.find("ann") is not None


@pytest_twisted.ensureDeferred
async def test_a_login_ends_once_and_that_is_known(place: Place) -> None:
    for name in ("one", "two"):
        await place.cookies.keep(kept(name), 60, None)
    ended = await place.cookies.end("one")
    assert ended is not None
    assert (ended.login, ended.authid) == ("login of one", "joe")
    assert await place.cookies.end("one") is None
    assert await place.cookies.find("one") is None
    assert await place.cookies.find("two") is not None
    logins = ["login of one", "login of two", "unknown", "' OR 1=1 --", '{"'] + [f"login {n}" for n in range(500)]
    assert list(await place.cookies.ended(logins)) == ["login of one"]
    assert list(await place.cookies.ended([])) == []


@pytest_twisted.ensureDeferred
async def test_many_at_once(place: Place) -> None:
    names = [f"cookie {number}" for number in range(60)]
    await gatherResults(
        [Deferred.fromCoroutine(place.cookies.keep(kept(name, authid=name), 60, None)) for name in names]
    )
    found = await gatherResults([Deferred.fromCoroutine(place.cookies.find(name)) for name in names])
    assert found == [kept(name, authid=name) for name in names]


# --- tables ---


@pytest_twisted.ensureDeferred
async def test_realms_share_a_table_and_no_cookie(sql_shelf: SqlShelf, opened: Opener) -> None:
    tokens: Any = sql_shelf.open()
    opened.opened.append(tokens)
    one, two = (tokens.cookies(realm=realm, per_authid=1) for realm in ("one", "two"))
    await tokens.start()
    await one.keep(kept("in one"), 60, None)
    await two.keep(kept("in two"), 60, "in one")
    assert await one.find("in one") is not None
    assert await two.find("in one") is None
    assert await two.end("in one") is None
    assert await one.find("in one") is not None


@pytest_twisted.ensureDeferred
async def test_each_question_is_timed_under_its_name(sql_shelf: SqlShelf, opened: Opener) -> None:
    tokens: Any = sql_shelf.open()
    opened.opened.append(tokens)
    cookies = tokens.cookies(realm="realm1", per_authid=PER_AUTHID)
    await tokens.start()
    await cookies.keep(kept("one"), 60, None)
    await cookies.find("one")
    await cookies.find("two")
    await cookies.end("one")
    await cookies.ended(["the login"])
    numbers = {name: len(seconds) for name, seconds in tokens.query_seconds.items() if name.startswith("cookie")}
    assert numbers == {"cookie_keep": 1, "cookie_find": 2, "cookie_end": 1, "cookies_ended": 1}


@pytest_twisted.ensureDeferred
async def test_another_process_finds_ends_and_is_told(sql_shelf: SqlShelf, opened: Opener, heard: Heard) -> None:
    """Two stores on one table are two nodes, or one before and after its restart."""
    here, there = sql_shelf.open(), sql_shelf.open()
    cookies_here, cookies_there = (store.cookies(realm="realm1", per_authid=9) for store in (here, there))  # type: ignore[attr-defined]  # SQL's
    there.watch(heard)
    for store in (here, there):
        opened.opened.append(store)
        await store.start()
    await until(lambda: there.hears, 5)
    await cookies_here.keep(kept("one"), 60, None)
    assert await cookies_there.find("one") == kept("one")
    await sleep(0.7)
    heard.changes.clear()
    assert await cookies_here.end("one") is not None
    assert await until(lambda: heard.of("joe"), 1.0) < 1.0
    assert list(await cookies_there.ended(["login of one"])) == ["login of one"]
    assert await cookies_there.find("one") is None


@pytest_twisted.ensureDeferred
async def test_making_one_is_no_change_that_postgres_tells(
    shelf_of_kind: Callable[[str], Any], opened: Opener, heard: Heard
) -> None:
    shelf = shelf_of_kind("postgres")
    store = shelf.open()
    cookies = store.cookies(realm="realm1", per_authid=9)
    store.watch(heard)
    opened.opened.append(store)
    await store.start()
    await until(lambda: store.hears, 5)
    await sleep(0.7)
    heard.changes.clear()
    await cookies.keep(kept("one"), 60, None)
    await cookies.keep(kept("two"), 60, "one")
    await sleep(0.4)
    assert heard.changes == []


@pytest_twisted.ensureDeferred
async def test_without_a_table_nothing_is_kept_and_the_log_says_so(
    sql_shelf: SqlShelf, opened: Opener, log_lines: list[str]
) -> None:
    sql_shelf.execute("ALTER TABLE wampgate_cookies RENAME TO elsewhere")
    try:
        tokens: Any = sql_shelf.open()
        opened.opened.append(tokens)
        cookies = tokens.cookies(realm="realm1", per_authid=1)
        await tokens.start()
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await cookies.keep(kept("one"), 60, None)
            with pytest.raises(StoreUnavailable):
                await cookies.find("one")
    finally:
        sql_shelf.execute("ALTER TABLE elsewhere RENAME TO wampgate_cookies")
    assert len([line for line in log_lines if "wampgate init" in line and "wampgate_cookies" in line]) == 1
    assert not any("sealed" in line for line in log_lines)


@pytest_twisted.ensureDeferred
async def test_a_role_that_may_only_read_keeps_nothing(
    shelf_of_kind: Callable[[str], Any], opened: Opener, log_lines: list[str]
) -> None:
    shelf = shelf_of_kind("postgres")
    tokens: Any = SqlShelf("postgres", f"{shelf.place}{READ_ONLY}", "sha256").open()
    opened.opened.append(tokens)
    cookies = tokens.cookies(realm="realm1", per_authid=1)
    await tokens.start()
    with pytest.raises(StoreUnavailable):
        await cookies.keep(kept("one"), 60, None)
    assert await cookies.find("one") is None
    assert any("read_only" in line and "INSERT" in line for line in log_lines)


@pytest_twisted.ensureDeferred
async def test_memory_is_bounded(opened: Opener) -> None:
    store = MemoryCookieStore(Clock().seconds, per_authid=5, most=10)
    for number in range(30):
        await store.keep(kept(f"cookie {number}", authid=f"user {number}"), 60, None)
    assert len(store) == 10
    assert await store.find("cookie 29") is not None
    assert await store.find("cookie 19") is None
