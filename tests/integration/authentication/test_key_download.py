"""Downloading keys from real servers: who is trusted, what is taken, and that nobody waits for ever."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest
import pytest_twisted
from key_server import KeyServer
from signed_tokens import key_set, signing_key
from twisted.internet import reactor
from twisted.internet.task import LoopingCall

from wampgate.authentication.key_download import MAX_BYTES, KeyDownload
from wampgate.authentication.key_source import FRESH_SECONDS, REFETCH_SECONDS, DownloadFailed, UrlKeys
from wampgate.core.errors import StoreUnavailable
from wampgate.tls import trust_root_of


def download(url: str, ca_file: str | None = None, **more: Any) -> KeyDownload:
    return KeyDownload(reactor, url, trust_root_of(ca_file), **more)  # type: ignore[arg-type]  # the reactor is a module to mypy


async def reason(fetch: KeyDownload) -> str:
    with pytest.raises(DownloadFailed) as failed:
        await fetch()
    return str(failed.value)


@pytest_twisted.ensureDeferred
async def test_over_http_on_this_machine() -> None:
    with KeyServer(b"keys") as server:
        assert await download(server.url())() == b"keys"
        assert await download(server.url("localhost"))() == b"keys"
        assert server.asked == ["/keys", "/keys"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest_twisted.ensureDeferred
async def test_over_tls(host: str) -> None:
    with KeyServer(b"keys", names=["localhost", "127.0.0.1"]) as server:
        assert await download(server.url(host), server.ca_file)() == b"keys"


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (["other.example"], "localhost"),
        (["other.example"], "127.0.0.1"),
        (["localhost"], "127.0.0.1"),
        (["127.0.0.1"], "localhost"),
        # Twisted alone would take this one: its certificate names nobody.
        ([], "localhost"),
        ([], "127.0.0.1"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_a_certificate_for_another_host_is_refused(names: list[str], host: str) -> None:
    with KeyServer(b"keys", names=names) as server:
        assert "not for the host in the URL" in await reason(download(server.url(host), server.ca_file))
        assert server.asked == []


@pytest_twisted.ensureDeferred
async def test_a_certificate_of_another_authority_is_refused() -> None:
    with KeyServer(b"keys", names=["localhost"]) as server, KeyServer(names=["localhost"]) as other:
        assert "TLS failed" in await reason(download(server.url("localhost"), other.ca_file))
        assert "TLS failed" in await reason(download(server.url("localhost")))
        assert server.asked == []


@pytest_twisted.ensureDeferred
async def test_a_server_without_tls_is_no_https() -> None:
    with KeyServer(b"keys") as server:
        assert "TLS failed" in await reason(download(server.url("localhost").replace("http:", "https:")))
        assert server.asked == []


@pytest_twisted.ensureDeferred
async def test_redirections_are_not_followed() -> None:
    with KeyServer(b"keys") as elsewhere, KeyServer() as server:
        for server.status in (301, 302, 303, 307, 308):
            server.headers = {"Location": elsewhere.url()}
            assert f"answered {server.status}" in await reason(download(server.url()))
        assert elsewhere.asked == []


@pytest.mark.parametrize("status", [204, 206, 400, 401, 404, 500, 503])
@pytest_twisted.ensureDeferred
async def test_other_answers_are_none(status: int) -> None:
    with KeyServer(b"keys") as server:
        server.status = status
        assert f"answered {status}" in await reason(download(server.url()))


@pytest_twisted.ensureDeferred
async def test_an_answer_is_bounded() -> None:
    with KeyServer(b"x" * MAX_BYTES) as server:
        assert len(await download(server.url())()) == MAX_BYTES
        server.content += b"x"
        assert "more than" in await reason(download(server.url()))
        # Also where the server does not say how long it is.
        server.headers = {"Content-Length": "", "Connection": "close", "Transfer-Encoding": "identity"}
        assert await reason(download(server.url()))


@pytest_twisted.ensureDeferred
async def test_an_answer_that_is_cut_short() -> None:
    with KeyServer(b"half of the keys") as server:
        server.headers = {"Content-Length": "1000"}
        assert await reason(download(server.url(), seconds=2))


@pytest_twisted.ensureDeferred
async def test_no_answer_is_waited_for_for_ever_and_nothing_stands_still() -> None:
    late = 0.0
    last = time.monotonic()

    def watch() -> None:
        nonlocal late, last
        late, last = max(late, time.monotonic() - last - 0.01), time.monotonic()

    watching = LoopingCall(watch)
    with KeyServer(b"keys") as server:
        server.delay = threading.Event()
        watching.start(0.01)
        begin = time.monotonic()
        assert "no answer within 0.5 s" in await reason(download(server.url(), seconds=0.5))
        watching.stop()
        assert time.monotonic() - begin < 2
        # Bounded by what the issue asks of a router whose neighbours are down.
        assert late < 0.1


@pytest_twisted.ensureDeferred
async def test_a_server_that_never_answers_tls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/keys"
        assert "no answer within 0.5 s" in await reason(download(url, seconds=0.5))


@pytest_twisted.ensureDeferred
async def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "refused" in await reason(download(f"http://127.0.0.1:{port}/keys"))
    assert await reason(download("https://no-such-host.invalid/keys", seconds=3))


@pytest.mark.parametrize("names", [None, ["127.0.0.1"]], ids=["http", "https"])
@pytest_twisted.ensureDeferred
async def test_keys_rotate_on_a_real_server(names: list[str] | None) -> None:
    old, new = signing_key("ES256", "old"), signing_key("RS256", "new")
    now = [0.0]
    with KeyServer(key_set(old), names=names) as server:
        fetch = download(server.url(), None if names is None else server.ca_file)
        keys = UrlKeys(server.url(), fetch, lambda: now[0])
        await keys.start()
        assert await keys.find("old", "ES256") is not None
        server.content = key_set(old, new)
        # Not at once: whoever makes names up must not make us ask.
        assert await keys.find("new", "RS256") is None
        now[0] += REFETCH_SECONDS
        assert await keys.find("new", "RS256") is not None
        server.content = key_set(new)
        now[0] += FRESH_SECONDS
        assert await keys.find("old", "ES256") is None
        assert len(server.asked) == 3
    now[0] += FRESH_SECONDS
    assert await keys.find("new", "RS256") is not None
    with pytest.raises(StoreUnavailable):
        await keys.find("unknown", "RS256")


def test_a_host_that_no_certificate_can_be_for() -> None:
    with pytest.raises(ValueError, match="no certificate can be for this host"):
        download(f"https://{'a' * 64}.example/keys")
