"""Session cookies that are kept in the store: after restarts, on several nodes, in a dump, while the store is away."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration
from postgres_server import PostgresServer
from raw_wamp import ABORT, GOODBYE, Peer
from router_process import RouterProcess

from .cookies import NAME, OTHER, TOKEN, Page, PostgresTables, Router, SqliteTables, fill, realm_of, revoke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .cookies import Tables

AT_ONCE = 1.0
DENIED = "wamp.error.authentication_denied"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Tables:
    if request.param == "sqlite":
        tables: Tables = SqliteTables(tmp_path)
    else:
        tables = PostgresTables(request.getfixturevalue("server"))
    fill(tables)
    return tables


def refusal(peer: Peer) -> str:
    peer.hello(authmethods=["cookie"])
    message = peer.receive()
    assert message[0] == ABORT, message
    return str(message[2])


def farewell(peer: Peer) -> tuple[str, float]:
    begun = time.monotonic()
    while (message := peer.receive())[0] != GOODBYE:
        pass
    return str(message[2]), time.monotonic() - begun


def test_it_outlives_a_restart(tables: Tables) -> None:
    with Router(realm_of(tables, keep="store")) as router:
        page = router.page
        assert page.log_in().status == 201
        router.process.stop()
        router.process.start()
        assert page.join().welcome["authid"] == "anna"
        assert page.log_out().status == 200
        router.process.stop()
        router.process.start()
        assert refusal(page.connect()) == DENIED


def test_one_in_memory_does_not(tables: Tables) -> None:
    with Router(realm_of(tables, keep="memory")) as router:
        page = router.page
        page.log_in()
        page.join()
        router.process.stop()
        router.process.start()
        assert refusal(page.connect()) == DENIED


def test_all_nodes_know_it_and_all_end_it(tables: Tables) -> None:
    """Anna logs in at one node, has sessions at both, and logs out at the other one."""
    realm = realm_of(tables, keep="store")
    with Router(realm) as one, Router(realm) as two:
        for each in (one, two):
            wait_until_it_hears(each, tables)
        here = one.page
        assert here.log_in().status == 201
        there = two.new_page()
        there.cookie = here.cookie
        mine, theirs = here.join(), there.join()
        other = two.new_page("bert")
        other.log_in()
        bystander = other.join()
        assert there.log_out().status == 200
        for peer in (theirs, mine):
            reason, seconds = farewell(peer)
            assert reason == "wampgate.close.token_revoked"
            assert seconds < AT_ONCE
        for page in (here, there):
            page.cookie = here.cookie
            assert refusal(page.connect()) == DENIED
        bystander.subscribe("organization.of-bert")


def wait_until_it_hears(router: Router, tables: Tables) -> None:
    if tables.kind == "postgres":
        router.process.wait_for_log("are heard")


def test_a_revoked_token_ends_it_at_once(tables: Tables) -> None:
    with Router(realm_of(tables, keep="store")) as router:
        wait_until_it_hears(router, tables)
        router.page.log_in()
        peer = router.page.join()
        revoke(tables)
        assert farewell(peer)[1] < AT_ONCE
        assert refusal(router.page.connect()) == DENIED


def test_a_dump_of_the_table_gives_neither_a_cookie_nor_a_token(tables: Tables) -> None:
    with Router(realm_of(tables, keep="store")) as router:
        page = router.page
        page.log_in()
        [(name, login, sealed)] = tables.execute("SELECT cookie, login, sealed FROM wampgate_cookies")
        dump = tables.dump()
        raw = base64.b64decode(sealed)
        for secret in (TOKEN, page.cookie, base64.urlsafe_b64decode(page.cookie + "=").hex()):
            assert secret not in dump
            assert secret.encode() not in raw
        # Nor does what stands there open anything.
        for stolen in (name, login, sealed[:43], base64.urlsafe_b64encode(bytes.fromhex(name)).decode().rstrip("=")):
            thief = router.new_page()
            thief.cookie = stolen
            assert refusal(thief.connect()) == DENIED
        page.join()


def test_a_row_that_was_tampered_with_opens_nothing(tables: Tables) -> None:
    """Whoever can write into the table can't make one user's cookie show another one's token."""
    with Router(realm_of(tables, keep="store")) as router:
        mine, hers = router.page, router.new_page("bert")
        mine.log_in()
        hers.log_in(OTHER)
        rows = dict(tables.execute("SELECT authid, sealed FROM wampgate_cookies"))
        tables.execute(f"UPDATE wampgate_cookies SET sealed = '{rows['bert']}' WHERE authid = 'anna'")
        assert refusal(mine.connect()) == DENIED
        tables.execute(f"UPDATE wampgate_cookies SET sealed = '{rows['anna']}', authid = 'bert' WHERE authid = 'anna'")
        assert mine.join().welcome["authid"] == "anna"


def test_rows_go_when_their_time_is_over(tables: Tables) -> None:
    with Router(realm_of(tables, keep="store", most_seconds=1)) as router:
        router.page.log_in()
        time.sleep(1.2)
        assert refusal(router.page.connect()) == DENIED
        router.new_page("bert").log_in()
        assert tables.execute("SELECT count(*) FROM wampgate_cookies") == [(1,)]


def test_without_the_table_nobody_logs_in_and_tokens_go_on(tables: Tables) -> None:
    tables.execute("DROP TABLE wampgate_cookies")
    with Router(realm_of(tables, keep="store")) as router:
        response = router.page.log_in()
        assert response.status == 503
        assert "set-cookie" not in response.headers
        router.page.connect().join(TOKEN)
        assert "wampgate init" in router.process.log()


def test_while_postgres_does_not_answer_nobody_gets_in_and_nobody_is_sent_away(server: PostgresServer) -> None:
    tables = PostgresTables(server)
    fill(tables)
    with Router(realm_of(tables, keep="store")) as router:
        wait_until_it_hears(router, tables)
        page = router.page
        page.log_in()
        other = router.new_page("bert")
        other.log_in()
        peer = page.join()
        server.freeze()
        try:
            refused = page.connect()
            refused.hello(authmethods=["cookie"])
            assert refused.closed()[0] == 1013
            assert page.log_in().status == 503
            # Postgres may find this question when it goes on, and end the login then.
            assert other.log_out().status == 503
        finally:
            server.thaw()
        peer.subscribe("organization.of-anna")
        page.join()


def test_a_store_is_needed_to_keep_them_there() -> None:
    realm = realm_of(None, keep="store")
    process = RouterProcess(static_configuration(realms=[realm]), alarms_allowed=True)
    with pytest.raises(Exception, match=r"realms\[0\]\.store"), process:
        pass


def test_the_header_of_the_next_request_is_the_next_ones(tables: Tables) -> None:
    """Two pages' requests, one after the other: what one brought is not the other's."""
    with Router(realm_of(tables, keep="store")) as router:
        one, two = router.page, router.new_page("bert")
        one.log_in()
        two.log_in()
        assert one.join().welcome["authid"] == "anna"
        assert two.join().welcome["authid"] == "bert"
        nobody: Any = Page(one.port, one.origin)
        assert refusal(nobody.connect()) == "wamp.error.authentication_required"
        nobody.close()
        assert NAME not in router.process.log()
