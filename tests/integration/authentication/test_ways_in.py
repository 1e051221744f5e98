"""Ways into the running router beyond AUTHENTICATE: a header and a query string; and that neither is ever logged."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from conftest import principal, rule, static_configuration, ticket_of
from raw_wamp import ABORT, CHALLENGE, WELCOME, Aborted, Peer
from raw_websocket import Ended, RawConnection, Refused, upgrade_request
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_sqlite
from wampgate.stores.questions import stored_form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CANARY = "canary-7b1f+/=~"
WRONG = "canary-wrong-0c5e"


def bearer(token: str, scheme: str = "Bearer") -> list[tuple[str, str]]:
    return [("Authorization", f"{scheme} {token}")]


def store_of(folder: Path) -> dict[str, Any]:
    """A store whose only user is anna, a member of 7."""
    path = folder / "tokens.sqlite3"
    prepare_sqlite(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO oauth_access_tokens VALUES (?, 'app', 'anna', datetime('now', '+1 hour'), NULL)",
            (stored_form(CANARY, "sha256"),),
        )
        connection.execute("INSERT INTO organization_members VALUES ('7', 'anna', '')")
    return {"type": "sqlite", "path": str(path)}


def configuration(folder: Path, **ticket: Any) -> dict[str, Any]:
    realm = {
        "name": "realm1",
        "store": store_of(folder),
        "authentication": {"ticket": ticket, "principals": [principal("backend", "backend")]},
        "authorization": {"rules": [rule("backend", ["publish"], "organization.", "prefix")]},
    }
    guests = realm | {"name": "guests", "authentication": {"ticket": {}, "anonymous": {"role": "guest"}}}
    return static_configuration(realms=[realm, guests])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    with RouterProcess(configuration(tmp_path_factory.mktemp("plain")), arguments=["--debug"]) as process:
        yield process


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    """A router whose realm1 takes tokens in the query string."""
    with RouterProcess(
        configuration(tmp_path_factory.mktemp("lenient"), query_string=True), arguments=["--debug"]
    ) as process:
        yield process


def url(**parameters: str) -> str:
    return "/ws?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())


def connected(process: RouterProcess, path: str = "/ws", headers: list[tuple[str, str]] | None = None) -> Peer:
    return Peer(process.port, path=path, headers=headers or ())


@pytest.fixture
def open_(request: pytest.FixtureRequest) -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def open_(*arguments: Any, **more: Any) -> Peer:
        peers.append(connected(*arguments, **more))
        return peers[-1]

    yield open_
    for peer in peers:
        peer.close()


def answer(peer: Peer, realm: str = "realm1", **details: Any) -> Any:
    peer.hello(realm, **details)
    return peer.receive()


# --- Authorization: Bearer ---


@pytest.mark.parametrize("details", [{}, {"authmethods": ["ticket"]}, {"authmethods": []}, {"authid": "anna"}])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_bearer_joins_without_a_challenge(
    plain: RouterProcess, open_: Callable[..., Peer], details: dict[str, Any], scheme: str
) -> None:
    peer = open_(plain, headers=bearer(CANARY, scheme))
    message = answer(peer, **details)
    assert message[0] == WELCOME
    assert (message[2]["authid"], message[2]["authmethod"]) == ("anna", "ticket")
    assert message[2]["authextra"]["organizations"] == ["7"]
    peer.subscribe("organization.7")


def test_a_static_principals_bearer(plain: RouterProcess, open_: Callable[..., Peer]) -> None:
    message = answer(open_(plain, headers=bearer(ticket_of("backend"))))
    assert (message[2]["authid"], message[2]["authrole"]) == ("backend", "backend")


@pytest.mark.parametrize("realm", ["realm1", "guests"])
def test_a_wrong_bearer_is_denied_and_never_anonymous(
    plain: RouterProcess, open_: Callable[..., Peer], realm: str
) -> None:
    peer = open_(plain, headers=bearer(WRONG))
    peer.hello(realm)
    assert peer.aborted() == ("wamp.error.authentication_denied", 1008)


def test_two_bearers_are_none(plain: RouterProcess, open_: Callable[..., Peer]) -> None:
    peer = open_(plain, headers=[*bearer(CANARY), *bearer(CANARY)])
    peer.hello()
    assert peer.aborted()[0] == "wamp.error.authentication_denied"


def test_other_schemes_are_not_ours(plain: RouterProcess, open_: Callable[..., Peer]) -> None:
    peer = open_(plain, headers=[("Authorization", "Basic Y2FuYXJ5OmNhbmFyeQ==")])
    assert answer(peer, authmethods=["ticket"])[:2] == [CHALLENGE, "ticket"]


def test_who_offers_something_else_is_not_judged_by_the_bearer(
    plain: RouterProcess, open_: Callable[..., Peer]
) -> None:
    message = answer(open_(plain, headers=bearer(CANARY)), "guests", authmethods=["anonymous"])
    assert (message[0], message[2]["authrole"]) == (WELCOME, "guest")


def test_without_a_bearer_all_is_as_it_was(plain: RouterProcess, open_: Callable[..., Peer]) -> None:
    assert answer(open_(plain), authmethods=["ticket"])[:2] == [CHALLENGE, "ticket"]
    assert answer(open_(plain))[::2] == [ABORT, "wamp.error.authentication_required"]
    assert answer(open_(plain), "guests")[2]["authrole"] == "guest"


# --- the query string ---


def test_the_query_string_is_nothing_by_default(plain: RouterProcess, open_: Callable[..., Peer]) -> None:
    path = url(token=CANARY, organizationId="7")
    assert answer(open_(plain, path))[2] == "wamp.error.authentication_required"
    assert answer(open_(plain, path), authmethods=["ticket"])[0] == CHALLENGE
    assert answer(open_(plain, path), "guests")[2]["authrole"] == "guest"


@pytest.mark.parametrize("details", [{}, {"authmethods": ["ticket"]}])
def test_the_query_string_where_it_is_taken(
    lenient: RouterProcess, open_: Callable[..., Peer], details: dict[str, Any]
) -> None:
    message = answer(open_(lenient, url(token=CANARY, organizationId="7", more="1")), **details)
    assert message[0] == WELCOME
    assert message[2]["authextra"]["organization"] == "7"


MISSING = [
    ("/ws", "wamp.error.authentication_required", "token is missing; organizationId is missing"),
    ("/ws?", "wamp.error.authentication_required", "token is missing; organizationId is missing"),
    (url(token="", organizationId=""), "wamp.error.authentication_required", "token is missing; organizationId is"),
    (url(organizationId="7"), "wamp.error.authentication_required", "token is missing"),
    (url(token=CANARY), "wampgate.error.organization_required", "organizationId is missing"),
    (url(Token=CANARY, organizationid="7"), "wamp.error.authentication_required", "token is missing; organizationId"),
    (url(token=WRONG, organizationId="7"), "wamp.error.authentication_denied", "the token is not accepted"),
    (url(token=CANARY, organizationId="8"), "wamp.error.not_authorized", "does not belong to the organization"),
    (url(token=CANARY, organizationId="7 "), "wamp.error.not_authorized", "does not belong to the organization"),
    (url(token=CANARY, organizationId="../7"), "wamp.error.not_authorized", "does not belong to the organization"),
]


@pytest.mark.parametrize(("path", "error", "message"), MISSING)
def test_a_refusal_names_what_is_missing(
    lenient: RouterProcess, open_: Callable[..., Peer], path: str, error: str, message: str
) -> None:
    answered = answer(open_(lenient, path))
    assert (answered[0], answered[2]) == (ABORT, error)
    assert message in answered[1]["message"]
    assert "canary" not in str(answered)


@pytest.mark.parametrize("path", [url(token=CANARY) + f"&token={WRONG}", url(organizationId="7") + "&organizationId=8"])
def test_a_parameter_that_says_two_things(lenient: RouterProcess, path: str) -> None:
    with pytest.raises(Refused) as refused:
        connected(lenient, path)
    assert refused.value.response.status == 400
    assert "appears more than once" in refused.value.response.reason
    assert "canary" not in str(refused.value.response)


def test_another_realm_does_not_take_it(lenient: RouterProcess, open_: Callable[..., Peer]) -> None:
    path = url(token=CANARY, organizationId="7")
    assert answer(open_(lenient, path), "guests", authmethods=["ticket"])[0] == CHALLENGE
    assert answer(open_(lenient, path), "guests")[2] == "wamp.error.authentication_required"
    assert answer(open_(lenient), "guests")[2]["authrole"] == "guest"


def test_a_ticket_in_authenticate_works_as_ever(lenient: RouterProcess, open_: Callable[..., Peer]) -> None:
    assert open_(lenient).join(CANARY).welcome["authid"] == "anna"


# --- what is not told ---


def broken_requests(process: RouterProcess) -> Iterator[bytes]:
    """Upgrades and requests that fail at every stage, each with the token in both places."""
    path = url(token=CANARY, organizationId="7")
    headers = bearer(CANARY)
    good = upgrade_request(process.port, headers=headers, path=path)
    yield good.replace(b"/ws?", b"/elsewhere?")
    yield good.replace(b"Upgrade: websocket\r\n", b"")
    yield good.replace(b"HTTP/1.1", b"HTTP/1.0")
    yield good.replace(b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 7")
    yield good.replace(b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: x")
    yield good.replace(b"wamp.2.json", b"other.protocol")
    yield good.replace(b"Connection: Upgrade", b"Connection: close")
    yield good.replace(b"GET ", b"POST ")
    yield good.replace(b"127.0.0.1:", b"evil.example:")
    yield good.replace(b"?", b"?%ff%zz&", 1)
    yield good.replace(b"?", b"?[&", 1)
    yield good.replace(b" HTTP/1.1", b"#canary-fragment HTTP/1.1", 1)
    # No blank to the port, but one to Autobahn, which then quotes the whole line.
    yield good.replace(b"&", b"\x0b&", 1)
    yield good.replace(b"&", b"\x85&", 1)
    yield good.replace(b"&", b'"\t&', 1)
    yield good[: len(good) // 2]
    yield good + b"\x81\x85canary"
    yield good.replace(b"\r\n\r\n", b"\r\nX: " + b"x" * 9000 + b"\r\n\r\n")


def test_no_token_reaches_the_log_but_each_refusal_does(tmp_path: Path) -> None:
    with RouterProcess(configuration(tmp_path, query_string=True), arguments=["--debug"]) as process:
        for path, headers in (
            (url(token=WRONG, organizationId="7"), []),
            (url(token=CANARY, organizationId="8"), []),
            (url(token=CANARY), []),
            ("/ws", bearer(WRONG)),
            ("/ws", bearer(f"{CANARY} {CANARY}")),
        ):
            with connected(process, path, headers) as peer:
                peer.hello()
                assert peer.receive()[0] == ABORT
        with connected(process, "/ws") as peer, pytest.raises(Aborted):
            peer.join(WRONG)
        with connected(process, url(token=CANARY, organizationId="7"), bearer(CANARY)) as peer:
            assert answer(peer)[0] == WELCOME
        for data in broken_requests(process):
            with RawConnection(process.port, timeout=2) as connection:
                connection.send_bytes(data)
                # How each of them ends is other tests' business.
                with suppress(Ended, TimeoutError):
                    assert "canary" not in str(connection.response())
        log = process.wait_for_log("join refused", count=6)
        assert "unknown token" in log
        assert "organizationId is missing" in log
        assert "is not a member of '8'" in log
        log += "".join(path.read_text(errors="replace") for path in process.folder.glob("*.log"))
    for secret in ("canary", quote(CANARY, safe=""), stored_form(CANARY, "sha256")):
        assert secret not in log
