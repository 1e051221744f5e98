"""Session cookies on the running router: logging in, joining, whose pages may, ending, and what thieves get."""

from __future__ import annotations

import secrets
import ssl
import time
from contextlib import closing
from http.client import HTTPSConnection
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration, ticket_of
from integration.http.plain_http import ask
from raw_wamp import ABORT, GOODBYE, WELCOME, Peer
from raw_websocket import Refused
from redis_server import write_certificates
from router_process import RouterProcess

from .cookies import NAME, OTHER, TOKEN, Page, Router, SqliteTables, cookie_of, fill, realm_of, revoke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT_ONCE = 1.0
DENIED = "wamp.error.authentication_denied"
REQUIRED = "wamp.error.authentication_required"
REVOKED = "wampgate.close.token_revoked"
ELSEWHERE = "https://app.example.org"
EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    tables = SqliteTables(tmp_path_factory.mktemp("cookies"))
    fill(tables)
    fill(tables, users=[f"user{number}" for number in range(200)])
    limits = {"failed_logins_per_address_per_minute": 1000}
    with Router(realm_of(tables), origins=[ELSEWHERE], hosts=["news.example.org"], limits=limits) as router:
        yield router


@pytest.fixture(scope="module")
def users() -> Iterator[str]:
    """Users who have not logged in yet: nobody may do so often."""
    return (f"user{number}" for number in range(200))


@pytest.fixture
def page(router: Router, users: Iterator[str]) -> Page:
    return router.new_page(next(users))


def refusal(peer: Peer, **details: Any) -> str:
    peer.hello(**({"authmethods": ["cookie"]} | details))
    message = peer.receive()
    assert message[0] == ABORT, message
    return str(message[2])


def farewell(peer: Peer) -> str:
    """The reason of the GOODBYE that comes at once."""
    begun = time.monotonic()
    while (message := peer.receive())[0] != GOODBYE:
        pass
    assert time.monotonic() - begun < AT_ONCE
    return str(message[2])


# --- logging in and joining ---


def test_a_login_sets_a_cookie_that_no_script_and_no_other_site_gets(page: Page) -> None:
    response = page.log_in()
    assert response.status == 201
    attributes = response.headers["set-cookie"].split("; ")[1:]
    assert attributes[:4] == ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"]
    name, _, seconds = attributes[4].partition("=")
    assert name == "Max-Age"
    assert 3500 < int(seconds) <= 3600
    assert response.json == {"realm": "realm1", "authid": page.user, "expires_in": int(seconds)}
    assert response.headers["cache-control"] == "no-store"
    assert "canary" not in str(response)
    assert len(page.cookie) == 43


def test_who_has_it_joins_as_the_token_says(page: Page) -> None:
    page.log_in()
    peer = page.join()
    welcome = peer.welcome
    assert (welcome["authid"], welcome["authmethod"], welcome["authrole"]) == (page.user, "cookie", "member")
    assert welcome["authextra"]["organizations"] == [f"of-{page.user}"]
    peer.subscribe(f"organization.of-{page.user}")


@pytest.mark.parametrize("details", [{}, {"authmethods": ["cookie", "ticket"]}, {"authmethods": ["wampcra", "cookie"]}])
def test_it_counts_however_it_is_offered(page: Page, details: dict[str, Any]) -> None:
    page.log_in()
    peer = page.connect()
    peer.hello(**details)
    assert peer.receive()[2]["authmethod"] == "cookie"


def test_without_one_the_other_methods_are_there(page: Page) -> None:
    peer = page.connect().join(TOKEN, authmethods=["cookie", "ticket"])
    assert peer.welcome["authmethod"] == "ticket"


def test_who_did_not_offer_it_is_not_judged_by_it(page: Page) -> None:
    page.log_in()
    peer = page.connect().join(OTHER)
    assert peer.welcome["authid"] == "bert"


def test_each_login_makes_a_new_one_and_the_one_before_is_nothing_any_more(page: Page) -> None:
    page.log_in()
    first = page.cookie
    page.log_in()
    assert page.cookie != first
    page.join()
    page.cookie = first
    assert refusal(page.connect()) == DENIED


def test_a_static_principals_ticket_makes_one_too(page: Page) -> None:
    response = page.log_in(ticket_of("backend"))
    assert response.json == {"realm": "realm1", "authid": "backend", "expires_in": 43200}
    peer = page.join()
    assert peer.welcome["authrole"] == "backend"


# --- refused logins ---


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {"Authorization": ""}, 401),
        (b"", {"Authorization": "Basic Y2FuYXJ5OmNhbmFyeQ=="}, 401),
        (b"", {"Authorization": "Bearer wrong-canary"}, 401),
        (b"{", {}, 400),
        (b"[]", {}, 422),
        ({"realm": 7}, {}, 422),
        ({"realm": "realm1", "x": 1}, {}, 422),
        ({"realm": "elsewhere"}, {}, 404),
        ({"realm": "x" * 2000}, {}, 413),
        ({"realm": "realm1"}, {"Content_Type": "text/plain"}, 415),
        ({"realm": "realm1"}, {"Content_Encoding": "gzip"}, 415),
        (b"", {"Origin": EVIL}, 403),
        (b"", {"Origin": "null"}, 403),
        (b"", {"Origin": "http://127.0.0.1.evil.example"}, 403),
        (b"", {"Cookie": f"{NAME}=a; {NAME}=b"}, 400),
    ],
)
def test_what_is_refused_gets_no_cookie(page: Page, body: Any, headers: dict[str, str], status: int) -> None:
    response = page.log_in(None, body, **headers)
    assert response.status == status
    assert "set-cookie" not in response.headers
    assert response.problem["detail"]
    assert "canary" not in str(response)


@pytest.mark.parametrize("body", [b"", b"  ", {}, {"realm": "realm1"}, {"realm": None}])
def test_the_body_may_name_the_realm(page: Page, body: Any) -> None:
    assert page.log_in(None, body).status == 201


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_other_methods(page: Page, method: str) -> None:
    response = page.ask(method)
    assert response.status == 405
    assert response.headers["allow"] == "POST, DELETE, OPTIONS"


@pytest.mark.parametrize("path", ["/session/", "/session/x", "/sessions"])
def test_other_paths(page: Page, path: str) -> None:
    host = page.origin.partition("://")[2]
    answer = ask(page.port, path, b"", TOKEN, headers={"Origin": page.origin, "Content-Type": ""}, host=host)
    assert answer.status in (404, 405)
    assert "set-cookie" not in answer.headers


def test_a_token_without_a_page_makes_one_as_well(page: Page) -> None:
    """A backend may log in for its page; there is no ambient authority in a bearer token."""
    assert page.log_in(Origin="").status == 201


# --- whose pages ---


@pytest.mark.parametrize("origin", ["", EVIL, "null", "http://127.0.0.1", "https://app.example.org.evil.example"])
def test_a_stolen_or_ambient_cookie_without_an_allowed_origin_opens_nothing(page: Page, origin: str) -> None:
    """What a page elsewhere, or a program, can do with it."""
    page.log_in()
    if origin:
        with pytest.raises(Refused) as refused:
            page.connect(Origin=origin)
        assert refused.value.response.status == 403
    else:
        assert refusal(page.connect(Origin="")) == REQUIRED


def test_a_page_of_a_listed_origin_may_use_it(page: Page) -> None:
    assert page.log_in(Origin=ELSEWHERE).status == 201
    peer = page.connect(Origin=ELSEWHERE).join(authmethods=["cookie"])
    assert peer.welcome["authid"] == page.user


def test_pages_of_listed_origins_may_read_the_answer_and_no_others(page: Page) -> None:
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization"}
    allowed = page.ask("OPTIONS", Origin=ELSEWHERE, Cookie="", **asked)
    assert allowed.status == 200
    assert allowed.headers["access-control-allow-origin"] == ELSEWHERE
    assert allowed.headers["access-control-allow-credentials"] == "true"
    assert allowed.headers["access-control-allow-headers"] == "authorization, content-type"
    assert allowed.headers["vary"] == "Origin"
    answer = page.log_in(Origin=ELSEWHERE)
    assert answer.headers["access-control-allow-origin"] == ELSEWHERE
    for origin in (EVIL, "null", "*"):
        refused = page.ask("OPTIONS", Origin=origin, **asked)
        assert refused.status == 403
        assert not any(name.startswith("access-control") for name in refused.headers)


def test_all_origins_at_once_are_refused_together_with_cookies(tmp_path: Path) -> None:
    tables = SqliteTables(tmp_path)
    configuration = static_configuration(realms=[realm_of(tables)], origins=["*"])
    with RouterProcessThatFails(configuration) as said:
        assert "origins[0]" in said


class RouterProcessThatFails:
    """Starts a router that does not start; what it said."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self._process = RouterProcess(configuration, alarms_allowed=True)

    def __enter__(self) -> str:
        self._process.launch()
        self._process.wait()
        return self._process.log()

    def __exit__(self, *error: Any) -> None:
        self._process.__exit__(None, None, None)


@pytest.mark.parametrize(
    "value", ["{0}; {1}={0}", "x; {1}={0}", "{0}x", "{0}{0}", "", '"{0}"', "{0},{0}", "%", "x" * 4000]
)
def test_cookies_that_say_two_things_or_nothing(page: Page, value: str) -> None:
    page.log_in()
    header = f"{NAME}=" + value.format(page.cookie, NAME)
    if header.count(NAME) > 1:
        with pytest.raises(Refused) as refused:
            page.connect(Cookie=header)
        assert refused.value.response.status == 400
        assert "more than once" in refused.value.response.reason
    else:
        assert refusal(page.connect(Cookie=header)) in (DENIED, REQUIRED)


@pytest.mark.parametrize("name", ["wampgate", "__Secure-wampgate", "__host-wampgate", " wampgate", "__Host-wampgatex"])
def test_cookies_of_other_names_are_not_ours(page: Page, name: str) -> None:
    page.log_in()
    assert refusal(page.connect(Cookie=f"{name}={page.cookie}")) == REQUIRED


# --- ends ---


def test_logging_out_ends_the_cookie_and_the_sessions_that_joined_by_it(page: Page, router: Router) -> None:
    page.log_in()
    stolen = page.cookie
    peers = [page.join(), page.join()]
    other = router.new_page(page.user)
    other.log_in()
    bystander = other.join()
    response = page.log_out()
    assert response.status == 200
    assert response.headers["set-cookie"] == f"{NAME}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"
    for peer in peers:
        assert farewell(peer) == REVOKED
    page.cookie = stolen
    assert refusal(page.connect()) == DENIED
    bystander.subscribe(f"organization.of-{page.user}")


def test_logging_out_ends_those_of_the_cookie_before_as_well(page: Page) -> None:
    page.log_in()
    peer = page.join()
    page.log_in()
    page.log_out()
    assert farewell(peer) == REVOKED


@pytest.mark.parametrize("headers", [{"Origin": ""}, {"Origin": EVIL}])
def test_nobody_is_logged_out_from_elsewhere(page: Page, headers: dict[str, str]) -> None:
    page.log_in()
    peer = page.join()
    assert page.log_out(**headers).status == 403
    peer.subscribe(f"organization.of-{page.user}")


@pytest.mark.parametrize("cookie", ["", "unknown", "A" * 43])
def test_whoever_was_not_logged_in_is_told_the_same(page: Page, cookie: str) -> None:
    page.cookie = cookie
    assert (page.log_out().status, page.log_out().json) == (200, {})


def test_a_cookie_that_was_planted_before_the_login_stays_nobodys(page: Page) -> None:
    planted = secrets.token_urlsafe(32)
    page.cookie = planted
    page.log_in()
    assert page.cookie != planted
    mine, page.cookie = page.cookie, planted
    assert refusal(page.connect()) == DENIED
    page.cookie = mine
    page.join()


def test_a_planted_cookie_of_the_attackers_does_not_follow_the_victim(page: Page, router: Router) -> None:
    attacker = router.new_page()
    attacker.log_in(OTHER)
    spy = attacker.join()
    page.cookie = attacker.cookie
    page.log_in()
    assert page.cookie != attacker.cookie
    assert refusal(attacker.connect()) == DENIED
    victim = page.join()
    assert victim.welcome["authid"] == page.user
    page.log_out()
    assert farewell(victim) == REVOKED
    spy.subscribe("organization.of-bert")


@pytest.fixture
def private(tmp_path: Path) -> Iterator[tuple[Router, SqliteTables]]:
    """A router of its own, for what changes the store or counts."""
    tables = SqliteTables(tmp_path)
    fill(tables)
    with Router(realm_of(tables), limits={"failed_logins_per_address_per_minute": 5}) as router:
        yield router, tables


def test_a_revoked_token_ends_its_cookie_and_its_sessions_within_a_second(
    private: tuple[Router, SqliteTables],
) -> None:
    router, tables = private
    router.page.log_in()
    peer = router.page.join()
    revoke(tables)
    assert farewell(peer) == REVOKED
    assert refusal(router.page.connect()) == DENIED


def test_an_expired_one_opens_nothing_and_its_sessions_end(private: tuple[Router, SqliteTables]) -> None:
    router, tables = private
    revoke(tables)
    tables.execute("DELETE FROM organization_members")
    fill_short(tables)
    assert int(router.page.log_in().headers["set-cookie"].rpartition("=")[2]) in (1, 2)
    peer = router.page.join()
    while (message := peer.receive())[0] != GOODBYE:
        pass
    assert message[2] == "wampgate.close.token_expired"
    assert refusal(router.page.connect()) == DENIED


def fill_short(tables: SqliteTables) -> None:
    revoke(tables, OTHER)
    fill(tables, 3)


def test_guesses_count_with_those_of_logins(private: tuple[Router, SqliteTables]) -> None:
    router, _ = private
    page = router.page
    page.log_in()
    good = page.cookie
    assert page.log_in("wrong").status == 401
    for _ in range(2):
        page.cookie = secrets.token_urlsafe(32)
        assert refusal(page.connect()) == DENIED
    for _ in range(2):
        page.cookie = secrets.token_urlsafe(32)
        assert page.log_out().status == 200
    page.cookie = good
    assert refusal(page.connect()) == DENIED
    assert page.log_in().status == 401
    assert page.log_out().status == 429
    with Peer(page.port) as peer, pytest.raises(Exception, match=DENIED):
        peer.join(TOKEN)


def test_who_logs_in_again_and_again_is_told_to_wait(private: tuple[Router, SqliteTables]) -> None:
    router, _ = private
    statuses = [router.new_page().log_in().status for _ in range(25)]
    assert statuses[:20] == [201] * 20
    assert statuses[-1] == 429
    assert router.new_page().log_in(OTHER).status == 201


def test_one_authid_has_no_more_than_it_may(tmp_path: Path) -> None:
    tables = SqliteTables(tmp_path)
    fill(tables)
    with Router(realm_of(tables, per_authid=2, most_seconds=60)) as router:
        pages = [router.new_page() for _ in range(3)]
        for each in pages:
            assert each.log_in().headers["set-cookie"].endswith("Max-Age=60")
        assert refusal(pages[0].connect()) == DENIED
        for each in pages[1:]:
            each.join()


# --- realms ---


def test_a_cookie_opens_its_own_realm_alone(tmp_path: Path) -> None:
    tables = SqliteTables(tmp_path)
    fill(tables)
    realms = [realm_of(tables, name, keep="store") for name in ("one", "two")]
    with Router(*realms, realm_of(tables, "three") | {"authentication": {"anonymous": {"role": "guest"}}}) as router:
        page = router.page
        assert page.log_in().status == 422
        assert page.log_in(TOKEN, {"realm": "three"}).status == 404
        assert page.log_in(TOKEN, {"realm": "one"}).status == 201
        page.join(realm="one")
        peer = page.connect()
        assert refusal(peer, realm="two") == DENIED
        guest = page.connect()
        guest.hello("three")
        assert guest.receive()[2]["authrole"] == "guest"
        assert page.log_out().status == 200
        assert refusal(page.connect(), realm="one") == DENIED


def test_where_no_realm_takes_cookies_there_is_no_such_route() -> None:
    with RouterProcess(static_configuration()) as process:
        page = Page(process.port, f"http://127.0.0.1:{process.port}", secrets.token_urlsafe(32))
        assert page.log_in(ticket_of("alice")).status in (404, 405)
        assert page.ask("DELETE").status in (404, 405)
        assert refusal(page.connect()) == "wamp.error.no_matching_auth_method"
        page.close()


@pytest.mark.parametrize(
    ("serves", "status"),
    [
        (["wamp"], 201),
        (["page"], 201),
        (["backend"], 404),
        (["wamp", "page", "backend"], 201),
        (["page", "backend"], 201),
    ],
)
def test_it_is_where_pages_or_websockets_are(tmp_path: Path, serves: list[str], status: int) -> None:
    tables = SqliteTables(tmp_path)
    fill(tables)
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": serves}]
    with Router(realm_of(tables), listen=listen) as router:
        statuses = (201,) if status == 201 else (404, 405)
        assert router.page.log_in().status in statuses
        assert router.page.log_in(TOKEN, {"realm": "realm1"}).status in statuses
        if "backend" in serves:
            assert ask(router.page.port, "/publish", {"topic": "organization.x"}, ticket_of("backend")).status == 200


# --- over what connections ---


def test_over_an_open_connection_none_is_made(page: Page) -> None:
    """The browser says by Host that it is not on this machine."""
    page.origin = "http://news.example.org"
    response = page.log_in()
    assert response.status == 403
    assert "trusted_proxies" in response.problem["detail"]
    assert "set-cookie" not in response.headers
    # Who says of himself that he came by TLS is not believed.
    assert page.log_in(X_Forwarded_Proto="https").status == 403


@pytest.mark.parametrize(("told", "status"), [("https", 201), ("http", 403), ("https, http", 403)])
def test_a_trusted_proxy_is_believed_that_it_ends_tls(tmp_path: Path, told: str, status: int) -> None:
    tables = SqliteTables(tmp_path)
    fill(tables)
    with Router(realm_of(tables), hosts=["news.example.org"], trusted_proxies=["127.0.0.1"]) as router:
        page = router.page
        page.origin = "https://news.example.org"
        forwarded = {"X_Forwarded_Proto": told, "X_Forwarded_For": "192.0.2.7"}
        assert page.log_in(**forwarded).status == status
        if status == 201:
            headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
            page.connect(**headers).join(authmethods=["cookie"])
            # What came to the proxy in the clear is taken from nobody.
            assert refusal(page.connect(**(headers | {"X-Forwarded-Proto": "http"}))) == REQUIRED


def test_over_tls(tmp_path: Path) -> None:
    tables = SqliteTables(tmp_path)
    fill(tables)
    write_certificates(tmp_path, ["news.example.org"])
    endpoint = f"ssl:0:interface=127.0.0.1:privateKey={tmp_path / 'server.key'}:certKey={tmp_path / 'server.pem'}"
    with RouterProcess(
        static_configuration(
            realms=[realm_of(tables)], listen=[{"endpoint": endpoint}], hosts=["localhost", "news.example.org"]
        )
    ) as process:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        context.check_hostname = False
        with closing(HTTPSConnection("127.0.0.1", process.port, context=context, timeout=5)) as connection:
            headers = {"Authorization": f"Bearer {TOKEN}", "Host": "news.example.org"}
            connection.request("POST", "/session", b"", headers)
            response = connection.getresponse()
            assert response.status == 201
            assert f"{NAME}=" in str(response.getheader("Set-Cookie"))


def test_a_page_that_came_unencrypted_is_no_page_of_ours_over_tls(tmp_path: Path) -> None:
    """Whoever is on the way can write such a page, and some browsers take it for one of the same site."""
    tables = SqliteTables(tmp_path)
    fill(tables)
    forwarded = {"X_Forwarded_Proto": "https", "X_Forwarded_For": "192.0.2.7"}
    headers = {name.replace("_", "-"): value for name, value in forwarded.items()}
    with Router(realm_of(tables), hosts=["news.example.org"], trusted_proxies=["127.0.0.1"]) as router:
        page = router.page
        page.origin = "https://news.example.org"
        assert page.log_in(**forwarded).status == 201
        page.origin = "http://news.example.org"
        with pytest.raises(Refused) as refused:
            page.connect(**headers)
        assert refused.value.response.status == 403
        assert page.log_out(**forwarded).status == 403
        page.origin = "https://news.example.org"
        page.connect(**headers).join(authmethods=["cookie"])


# --- what comes out ---


def test_neither_cookie_nor_token_comes_out(private: tuple[Router, SqliteTables]) -> None:
    router, tables = private
    page = router.page
    page.log_in()
    cookie = page.cookie
    peer = page.join()
    page.cookie = "canary-wrong-cookie"
    assert refusal(page.connect()) == DENIED
    page.log_in("canary-wrong-token", Cookie=f"{NAME}={cookie}")
    page.cookie = cookie
    page.log_out()
    farewell(peer)
    log = router.process.wait_for_log("join refused", count=2)
    for secret in (cookie, TOKEN, "canary-wrong"):
        assert secret not in log
        assert secret not in tables.dump()


def test_welcome_is_all_there_is_to_see_of_it(page: Page) -> None:
    page.log_in()
    peer = page.connect()
    peer.hello(authmethods=["cookie"])
    message = peer.receive()
    assert message[0] == WELCOME
    assert page.cookie not in str(message)
    assert "canary" not in str(message)


def test_cookie_of_reads_what_is_set(page: Page) -> None:
    assert cookie_of(page.log_in()) == page.cookie
