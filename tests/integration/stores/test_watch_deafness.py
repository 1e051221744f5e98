"""Who does not hear of changes in Postgres knows it and says why: outages, poolers, replicas, missing triggers."""

from __future__ import annotations

import gc
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
import pytest_twisted
from postgres_server import PostgresServer
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from wampgate.core.errors import StoreUnavailable
from wampgate.stores.postgres import PostgresTokenStore
from wampgate.stores.postgres_connection import PostgresConnection
from wampgate.stores.preparing import prepare_postgres, removal_of_triggers, statements

from .conftest import fill, sleep, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .conftest import StallWatch, Watched

TIMEOUT = 1.0
AT_ONCE = 1.0
STALL = 0.1


async def comes_back(store: PostgresTokenStore, watch: Watched, server: PostgresServer) -> None:
    """It hears again, says that anything may have happened, and then hears what does."""
    watch.heard.changes.clear()
    await until(lambda: store.hears, 4)
    await until(lambda: watch.heard.everything == 1, AT_ONCE)
    server.execute("UPDATE organization_members SET role = role WHERE user_id = '7'")
    await until(lambda: watch.heard.users == {"7"}, AT_ONCE)


@pytest_twisted.ensureDeferred
async def test_killed_it_is_deaf_at_once_and_afterwards_hears_again(
    server: PostgresServer, watch: Watched, log_lines: list[str], stall_watch: StallWatch
) -> None:
    store = await watch(server.dsn)
    stall_watch.start()
    await deferToThread(server.kill)
    await until(lambda: not store.hears, 0.5)
    assert not watch.heard.changes
    await sleep(1.0)
    await deferToThread(server.start)
    await comes_back(store, watch, server)
    stall_watch.stop()
    assert stall_watch.worst() < STALL
    assert [line for line in log_lines if "only found by asking again" in line]
    assert server.password not in "".join(log_lines)


@pytest.mark.usefixtures("quick_heartbeats")
@pytest_twisted.ensureDeferred
async def test_frozen_it_notices_by_its_heartbeat_and_afterwards_hears_again(
    server: PostgresServer, watch: Watched, stall_watch: StallWatch
) -> None:
    store = await watch(server.dsn)
    stall_watch.start()
    await sleep(1.2)
    assert not watch.heard.changes  # heartbeats are nobody's business
    await deferToThread(server.freeze)
    await until(lambda: not store.hears, 0.5 + TIMEOUT + 0.5)
    await sleep(1.5)
    await deferToThread(server.thaw)
    await comes_back(store, watch, server)
    stall_watch.stop()
    assert stall_watch.worst() < STALL


@pytest_twisted.ensureDeferred
async def test_what_changed_while_the_connection_was_broken_is_not_missed(
    server: PostgresServer, watch: Watched
) -> None:
    store = await watch(server.dsn)
    await deferToThread(
        server.execute,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE query LIKE '%pg_trigger%' AND pid <> pg_backend_pid()",
    )
    await until(lambda: not store.hears, 0.5)
    await comes_back(store, watch, server)
    assert len(watch.heard.changes) == 2


@pytest.mark.usefixtures("quick_heartbeats")
@pytest_twisted.ensureDeferred
async def test_a_connection_that_stops_bringing_notifications_is_replaced(
    server: PostgresServer, watch: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a pooler begins to share it: questions are answered, notifications get lost."""
    listening: list[PostgresConnection] = []
    command = PostgresConnection.command

    async def commanded(self: PostgresConnection, statement: str, seconds: float) -> None:
        listening.append(self)
        await command(self, statement, seconds)

    monkeypatch.setattr(PostgresConnection, "command", commanded)
    store = await watch(server.dsn)
    await command(listening[0], "UNLISTEN wampgate", TIMEOUT)
    await until(lambda: not store.hears, 0.5 + TIMEOUT + 0.5)
    await comes_back(store, watch, server)


@pytest.mark.usefixtures("quick_heartbeats")
@pytest_twisted.ensureDeferred
async def test_without_triggers_it_is_deaf_until_somebody_installs_them(
    postgres_server: PostgresServer, dsn: str, watch: Watched, log_lines: list[str]
) -> None:
    postgres_server.execute(removal_of_triggers(), dsn=dsn)
    store = await watch(dsn, hears=False)
    await until(lambda: any("has the triggers" in line for line in log_lines), 2)
    await sleep(1.2)
    assert not store.hears
    assert len([line for line in log_lines if "has the triggers" in line]) == 1
    # An application may tell by itself: it is heard all the same.
    postgres_server.execute("""NOTIFY wampgate, '{"users": ["7"]}'""", dsn=dsn)
    await until(lambda: watch.heard.users == {"7"}, AT_ONCE)
    ours = [one.sql for one in statements("postgres") if one.what in ("FUNCTION", "TRIGGER")]
    postgres_server.execute(*ours, dsn=dsn)
    await until(lambda: store.hears and watch.heard.everything == 1, 2)
    postgres_server.execute("ALTER TABLE oauth_access_tokens DISABLE TRIGGER USER", dsn=dsn)
    postgres_server.execute("ALTER TABLE organization_members DISABLE TRIGGER USER", dsn=dsn)
    await until(lambda: not store.hears, 2)


@pytest_twisted.ensureDeferred
async def test_another_database_than_the_questions_is_found_out(
    postgres_server: PostgresServer, dsn: str, watch: Watched, log_lines: list[str]
) -> None:
    other = postgres_server.create_database()
    prepare_postgres(other)
    store = await watch(dsn, listen_dsn=other, hears=False)
    await until(lambda: any("another database than the dsn's" in line for line in log_lines), 2 * TIMEOUT + 1)
    assert not store.hears
    assert (await store.look_up("token-7")).user == "7"


@pytest_twisted.ensureDeferred
async def test_a_replica_is_found_out(server: PostgresServer, watch: Watched, log_lines: list[str]) -> None:
    """Whether it is what is listened to or what is asked."""
    replica = PostgresServer()
    await deferToThread(replica.__enter__)
    try:
        fill(replica, replica.dsn)
        await deferToThread(replica.stop)
        (replica.data / "standby.signal").touch()
        await deferToThread(replica.start)
        deaf = await watch(replica.dsn, hears=False)
        await until(lambda: any("it is a replica, where nobody can listen" in line for line in log_lines), 3)
        lagging = await watch(replica.dsn, listen_dsn=server.dsn, hears=False)
        await until(lambda: any("the dsn leads to a replica" in line for line in log_lines), 3)
        assert not deaf.hears
        assert not lagging.hears
        assert (await deaf.look_up("token-7")).user == "7"
    finally:
        await deferToThread(replica.__exit__, None, None, None)


# --- PgBouncer ---


def find_pgbouncer() -> str | None:
    return shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


class PgBouncer:
    """A PgBouncer of the test's own before a server."""

    def __init__(self, program: str, server: PostgresServer, mode: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="wampgate-pgbouncer-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.dsn = f"host=127.0.0.1 port={port} user=postgres password={server.password} dbname=postgres"
        users, config = self._folder / "users.txt", self._folder / "pgbouncer.ini"
        users.write_text(f'"postgres" "{server.password}"\n')
        config.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {users}\n"
            f"pool_mode = {mode}\n"
        )
        user: dict[str, Any] = {}
        if os.geteuid() == 0:  # PgBouncer refuses to run as root, too
            entry = pwd.getpwnam("nobody")
            user = {"user": "nobody", "group": entry.pw_gid, "extra_groups": []}
            for path in (self._folder, users, config):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        with (self._folder / "log").open("wb") as output:
            self._process = subprocess.Popen([program, "-q", str(config)], stdout=output, stderr=output, **user)

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                psycopg2.connect(self.dsn, connect_timeout=2).close()
                return
            except psycopg2.OperationalError:
                time.sleep(0.05)
        raise RuntimeError(f"PgBouncer did not start: {(self._folder / 'log').read_text()}")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)
        shutil.rmtree(self._folder)


@pytest.fixture
def bouncer(server: PostgresServer) -> Iterator[Callable[[str], str]]:
    """Makes PgBouncers before the server; the DSN of each."""
    program = find_pgbouncer()
    if program is None:
        pytest.skip("no PgBouncer here: install the package pgbouncer")
    bouncers: list[PgBouncer] = []

    def make(mode: str) -> str:
        bouncers.append(PgBouncer(program, server, mode))
        bouncers[-1].wait()
        return bouncers[-1].dsn

    yield make
    for one in bouncers:
        one.stop()


@pytest_twisted.ensureDeferred
async def test_a_pgbouncer_in_transaction_mode_is_found_out(
    server: PostgresServer, bouncer: Callable[[str], str], watch: Watched, log_lines: list[str]
) -> None:
    through = bouncer("transaction")
    store = await watch(through, hears=False)
    await until(lambda: any("PgBouncer in transaction mode" in line for line in log_lines), 2 * TIMEOUT + 1)
    assert not store.hears
    assert (await store.look_up("token-7")).user == "7"
    assert set(await store.look_up_all(["token-7", "token-8"])) == {"token-7", "token-8"}
    assert server.password not in "".join(log_lines)


@pytest_twisted.ensureDeferred
async def test_beside_a_pgbouncer_a_direct_connection_hears(
    server: PostgresServer, bouncer: Callable[[str], str], watch: Watched
) -> None:
    await watch(bouncer("transaction"), listen_dsn=server.dsn)
    server.execute("DELETE FROM organization_members WHERE user_id = '7'")
    await until(lambda: watch.heard.users == {"7"}, AT_ONCE)


@pytest.mark.usefixtures("quick_heartbeats")
@pytest_twisted.ensureDeferred
async def test_through_a_pgbouncer_in_session_mode_it_hears(
    server: PostgresServer, bouncer: Callable[[str], str], watch: Watched
) -> None:
    store = await watch(bouncer("session"))
    server.execute("DELETE FROM organization_members WHERE user_id = '7'")
    await until(lambda: watch.heard.users == {"7"}, AT_ONCE)
    await sleep(1.5)
    assert store.hears


# --- what is left ---


def held(*, besides: Sequence[object] = ()) -> tuple[set[str], int, int, int]:
    """What this process and its reactor hold: descriptors, readers, writers, and how many timers besides these."""
    gc.collect()
    descriptors = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            descriptors.add(f"{name}:{os.readlink(f'/proc/self/fd/{name}')}")
        except FileNotFoundError:  # the one that lists the folder
            continue
    # Timers of earlier tests may run out meanwhile; none of this one's may be left.
    timers = [timer for timer in reactor.getDelayedCalls() if timer not in besides]
    return descriptors, len(reactor.getReaders()), len(reactor.getWriters()), len(timers)


@pytest.mark.parametrize("state", ["hearing", "heard", "beginning", "frozen", "killed", "refused", "unfit", "silent"])
@pytest_twisted.ensureDeferred
async def test_nothing_is_left_after_stop(server: PostgresServer, watch: Watched, state: str) -> None:
    await deferToThread(int)  # the reactor's thread is there from now on
    earlier = reactor.getDelayedCalls()
    before = held(besides=earlier)
    options = {"refused": {"listen_dsn": "host=127.0.0.1 port=1 user=u dbname=d"}}.get(state, {})
    if state == "unfit":
        server.execute("CREATE DATABASE other")
        options = {"listen_dsn": server.dsn_of("other")}
    store = await watch(server.dsn, hears=state in ("hearing", "heard", "frozen", "killed"), **options)
    if state == "heard":
        server.execute("DELETE FROM organization_members WHERE user_id = '7'", "TRUNCATE organization_members")
        await until(lambda: watch.heard.everything, AT_ONCE)
        server.execute("""NOTIFY wampgate, '{"everything": true}'""")
        await sleep(0.02)
    if state == "frozen":
        server.freeze()
        await sleep(0.1)
    if state == "killed":
        server.kill()
        await sleep(0.3)
    if state in ("refused", "unfit"):
        await sleep(0.5)
    if state == "silent":
        server.freeze()
        await sleep(2.0)
    told = len(watch.heard.changes)
    await store.stop()
    await sleep(0.05)
    assert held(besides=earlier) == before
    assert not store.hears
    assert len(watch.heard.changes) == told


@pytest_twisted.ensureDeferred
async def test_who_does_not_watch_does_not_listen(postgres_server: PostgresServer, dsn: str, watch: Watched) -> None:
    store = PostgresTokenStore(reactor, dsn=dsn, pool_size=2)
    await store.start()
    await sleep(0.2)
    sessions = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'wampgate'"
    assert len(postgres_server.execute(sessions, dsn=dsn)) == 2
    assert not store.hears
    await store.stop()
    with pytest.raises(StoreUnavailable):
        await store.memberships_of(["7"])
