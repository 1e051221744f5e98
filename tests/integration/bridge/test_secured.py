"""Redis with ACL users and TLS: who is let in, what is said when not, and that no secret is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from redis_server import RedisServer, write_certificates

from wampgate.bridge.dialects.plain import PlainRule
from wampgate.bridge.dialects.socketio_emitter import SocketIoEmitterRule

SECRET = "c4nary-p@ss/w#rd?%"
# Patterns are granted letter by letter: the rules' own stand here.
CHANNELS = ("channel.*", "socket.io#emitter", "socket.io#/#", "socket.io#/#organization.*#")
QUOTED = "c4nary-p%40ss%2Fw%23rd%3F%25"


def silent_about_secrets(harness: Any) -> bool:
    return not any("c4nary" in line for line in harness.log.lines)


async def refused(harness: Any, bridge: Any, said: str) -> None:
    """It keeps trying, is never ready, and says once why."""
    await bridge.start()
    await harness.eventually(lambda: bridge.counters["connect_failed"] >= 2)
    assert not bridge.ready
    assert bridge.counters["connected"] == 0
    assert len(harness.log.with_text(said)) == 1, harness.log.lines
    assert silent_about_secrets(harness)
    await bridge.stop()


@pytest_twisted.ensureDeferred
async def test_acl_user(harness: Any) -> None:
    server = harness.server(user="bridge", password=SECRET, channels=CHANNELS)
    await harness.reading(
        server.url, PlainRule("channel.{organization}", "organization.{organization}"), SocketIoEmitterRule()
    )
    server.publish("channel.7", '{"text":"hi"}')
    assert await harness.published() == [("organization.7", [], {"text": "hi"})]
    assert silent_about_secrets(harness)


@pytest_twisted.ensureDeferred
async def test_wrong_password(harness: Any) -> None:
    server = harness.server(user="bridge", password=SECRET)
    bridge = harness.bridge(f"redis://bridge:c4nary-wrong@127.0.0.1:{server.port}")
    await refused(harness, bridge, "user or password is wrong")


@pytest_twisted.ensureDeferred
async def test_channels_that_the_user_may_not_read(harness: Any) -> None:
    server = harness.server(user="bridge", password=SECRET, channels=("other.*",))
    rules = (PlainRule("channel.{organization}", "organization.{organization}"), SocketIoEmitterRule())
    await refused(harness, harness.bridge(server.url, *rules), "&channel.*")


@pytest_twisted.ensureDeferred
async def test_password_of_the_default_user(harness: Any) -> None:
    server = harness.server(options=("--requirepass", SECRET))
    await harness.reading(f"redis://:{QUOTED}@127.0.0.1:{server.port}")
    await refused(harness, harness.bridge(server.url), "it wants a password")


@pytest_twisted.ensureDeferred
async def test_password_changed_meanwhile(harness: Any) -> None:
    """Redis throws the user out; when the old password holds again, the bridge is back."""
    server = harness.server(user="bridge", password="old")
    bridge = await harness.reading(server.url)
    server.command("ACL", "SETUSER", "bridge", "off")
    server.command("CLIENT", "KILL", "USER", "bridge")
    await harness.eventually(lambda: not bridge.ready)
    await harness.eventually(lambda: harness.log.with_text("user or password is wrong"))
    server.command("ACL", "SETUSER", "bridge", "on")
    assert await harness.eventually(lambda: bridge.ready) < 2


@pytest_twisted.ensureDeferred
async def test_server_that_repeats_the_password(harness: Any) -> None:
    """Where AUTH is unknown, Redis quotes the arguments in its error."""
    server = harness.server(options=("--rename-command", "AUTH", ""))
    answer = server.command("AUTH", "bridge", SECRET)
    assert SECRET.encode() in answer, "this Redis doesn't quote: the test shows nothing"
    bridge = harness.bridge(f"redis://bridge:{QUOTED}@127.0.0.1:{server.port}")
    await refused(harness, bridge, "it accepts no AUTH")


@pytest_twisted.ensureDeferred
async def test_tls(harness: Any) -> None:
    server = harness.server(tls=True, user="bridge", password=SECRET)
    bridge = await harness.reading(server.url, ca_file=server.ca_file)
    server.publish("channel.7", '{"text":"hi"}')
    assert await harness.published() == [("organization.7", [], {"text": "hi"})]
    await harness.in_thread(server.kill)
    await harness.eventually(lambda: not bridge.ready)
    await harness.in_thread(server.start)
    assert await harness.eventually(lambda: bridge.ready) < 2
    server.freeze()
    await harness.eventually(lambda: not bridge.ready, 2)
    server.thaw()
    assert await harness.eventually(lambda: bridge.ready) < 2
    assert silent_about_secrets(harness)


@pytest_twisted.ensureDeferred
async def test_tls_by_address(harness: Any) -> None:
    server = harness.server(tls=True)
    await harness.reading(f"rediss://127.0.0.1:{server.port}", ca_file=server.ca_file)


def authenticated(server: RedisServer) -> bool:
    """Whether anyone has ever shown this server a password."""
    return b"cmdstat_auth" in server.command("INFO", "commandstats")


@pytest.mark.parametrize("names", [["other.example"], ["localhost.example"], ["127.0.0.1"]])
@pytest_twisted.ensureDeferred
async def test_certificate_for_another_host(names: list[str], harness: Any) -> None:
    server = harness.server(tls=True, user="bridge", password=SECRET, host_names=names)
    bridge = harness.bridge(server.url, ca_file=server.ca_file)
    await refused(harness, bridge, "its certificate is not for the host in the URL")
    assert not authenticated(server)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest_twisted.ensureDeferred
async def test_certificate_that_names_no_host(host: str, harness: Any) -> None:
    """Twisted logs such a certificate and takes it; the bridge doesn't, before it shows its password."""
    server = harness.server(tls=True, user="bridge", password=SECRET, host_names=())
    bridge = harness.bridge(f"rediss://bridge:{QUOTED}@{host}:{server.port}", ca_file=server.ca_file)
    await refused(harness, bridge, "its certificate is not for the host in the URL")
    assert not authenticated(server)
    harness.log.lines[:] = [line for line in harness.log.lines if "while verifying certificate" not in line]


@pytest_twisted.ensureDeferred
async def test_certificate_of_another_authority(harness: Any, tmp_path: Path) -> None:
    write_certificates(tmp_path, ["localhost"])
    server = harness.server(tls=True, user="bridge", password=SECRET)
    await refused(harness, harness.bridge(server.url, ca_file=str(tmp_path / "ca.pem")), "TLS failed")
    assert not authenticated(server)


@pytest_twisted.ensureDeferred
async def test_certificate_that_the_platform_does_not_know(harness: Any) -> None:
    server = harness.server(tls=True, user="bridge", password=SECRET)
    await refused(harness, harness.bridge(server.url), "TLS failed")
    assert not authenticated(server)


@pytest_twisted.ensureDeferred
async def test_several_authorities_in_one_file(harness: Any, tmp_path: Path) -> None:
    write_certificates(tmp_path, ["localhost"])
    server = harness.server(tls=True)
    both = tmp_path / "both.pem"
    ours = Path(server.ca_file)
    both.write_bytes((tmp_path / "ca.pem").read_bytes() + b"# ours\n" + ours.read_bytes())  # noqa: ASYNC240 - two small files
    await harness.reading(server.url, ca_file=str(both))


@pytest_twisted.ensureDeferred
async def test_tls_to_a_plain_port_and_the_reverse(harness: Any) -> None:
    plain, secured = harness.server(), harness.server(tls=True)
    for url in (f"rediss://localhost:{plain.port}", f"redis://localhost:{secured.port}"):
        bridge = harness.bridge(url, ca_file=secured.ca_file)
        await bridge.start()
        await harness.eventually(lambda bridge=bridge: bridge.counters["connect_failed"] >= 1)
        assert bridge.counters["connected"] == 0
        await bridge.stop()
    assert len(harness.log.with_text("no connection")) == 2


def test_certificate_file_that_is_none(harness: Any, tmp_path: Path) -> None:
    for name, content in (
        ("empty.pem", b""),
        ("text.pem", b"hello"),
        ("broken.pem", b"-----BEGIN CERTIFICATE-----\nx"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=name):
            harness.bridge("rediss://localhost", ca_file=str(tmp_path / name))
    with pytest.raises(ValueError, match="can't be read"):
        harness.bridge("rediss://localhost", ca_file=str(tmp_path / "absent.pem"))


@pytest.mark.parametrize("host", ["redis_cache", "a..b"])
def test_host_that_no_certificate_can_be_for(host: str, harness: Any) -> None:
    with pytest.raises(ValueError, match="no certificate can be for this host") as caught:
        harness.bridge(f"rediss://u:{QUOTED}@{host}")
    assert "c4nary" not in str(caught.value)


@pytest_twisted.ensureDeferred
async def test_unknown_host_is_survived(harness: Any) -> None:
    bridge = harness.bridge("redis://redis.invalid")
    started = time.monotonic()
    await bridge.start()
    await harness.eventually(lambda: bridge.counters["connect_failed"] >= 1, 10)
    await bridge.stop()
    assert time.monotonic() - started < 10
    assert len(harness.log.lines) == 1
