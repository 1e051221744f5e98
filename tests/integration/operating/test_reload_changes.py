"""What a reload changes, and for whom: each session keeps what it still may, and feels nothing else."""

from __future__ import annotations

import json
import socket
import sqlite3
import ssl
import time
from contextlib import ExitStack
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from conftest import ticket_of
from raw_wamp import Aborted, Peer, WampError
from raw_websocket import Ended, RawConnection
from redis_server import RedisServer, write_certificates
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_sqlite

from .reloading import CHANGED, operated, reload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REVOKED = "wampgate.close.token_revoked"


@pytest.fixture
def process() -> Iterator[RouterProcess]:
    with RouterProcess(operated()) as running:
        yield running


def realm_of(configuration: dict[str, Any]) -> Any:
    return configuration["realms"][0]


def principal_of(configuration: dict[str, Any], authid: str) -> Any:
    return next(each for each in realm_of(configuration)["authentication"]["principals"] if each["authid"] == authid)


def joined(process: RouterProcess, authid: str | None, **more: Any) -> Peer:
    return Peer(process.port).join(None if authid is None else ticket_of(authid), **more)


# --- who may what ---


def test_a_rule_that_is_gone_takes_the_subscription_and_what_waits(process: RouterProcess) -> None:
    with joined(process, "alice") as alice, joined(process, "bob") as bob:
        alice.subscribe("com.example.news")
        alice.subscribe("wampgate.revoked")
        after = operated()
        realm_of(after)["authorization"]["rules"].append(
            {"role": "client", "actions": ["subscribe"], "uri": "com.example.news", "allow": False}
        )
        assert reload(process, after).endswith("realms[realm1].authorization")
        told = alice.event()
        assert (told[5]["topic"], told[5]["reason"]) == ("com.example.news", "wamp.error.not_authorized")
        bob.publish("com.example.news", ["too late"])
        assert alice.events() == []
        with pytest.raises(WampError):
            alice.subscribe("com.example.news")
        # What others hold, and what it may still do, is as it was.
        alice.subscribe("com.example.other")
        bob.publish("com.example.other", ["here"])
        assert alice.event()[4] == ["here"]


def test_a_registration_that_is_no_longer_allowed_is_taken(process: RouterProcess) -> None:
    with joined(process, "alice") as alice, joined(process, "bob") as bob:
        alice.register("com.example.add")
        after = operated()
        realm_of(after)["authorization"]["rules"].append(
            {"role": "client", "actions": ["register"], "uri": "com.example.add", "allow": False}
        )
        reload(process, after)
        with pytest.raises(WampError) as gone:
            bob.call("com.example.add")
        assert gone.value.uri == "wamp.error.no_such_procedure"


def test_a_role_counts_at_once_for_who_is_here(process: RouterProcess) -> None:
    with joined(process, "alice") as alice, joined(process, "bob") as bob, joined(process, "carol") as operator:
        alice.subscribe("com.example.a")
        bob.subscribe("com.example.a")
        after = operated()
        principal_of(after, "alice")["role"] = "backend"
        reload(process, after)
        with pytest.raises(WampError):
            alice.subscribe("com.example.a")
        alice.publish("organization.7", ["as a backend"])
        assert operator.call("wamp.session.get", [alice.session])["authrole"] == "backend"
        with joined(process, "bob") as another:
            another.publish("com.example.a", [1])
        assert bob.event()[4] == [1]
        assert alice.events() == []


def test_a_principal_that_is_gone_is_sent_away_for_good(process: RouterProcess) -> None:
    with joined(process, "alice") as alice, joined(process, "bob") as bob:
        after = operated()
        realm_of(after)["authentication"]["principals"].remove(principal_of(after, "alice"))
        reload(process, after)
        message = alice.receive()
        assert (message[0], message[2]) == (6, REVOKED)
        with Peer(process.port) as again, pytest.raises(Aborted):
            again.join(ticket_of("alice"))
        bob.subscribe("com.example.b")


def test_another_ticket_ends_who_came_by_the_old_one(process: RouterProcess) -> None:
    with joined(process, "alice") as alice:
        after = operated()
        principal_of(after, "alice")["ticket_sha256"] = sha256(b"another").hexdigest()
        reload(process, after)
        assert alice.receive()[2] == REVOKED
        with Peer(process.port) as again:
            again.join("another")
            assert again.welcome["authid"] == "alice"


def test_nobody_is_let_in_without_a_name_any_more(process: RouterProcess) -> None:
    with joined(process, None) as guest:
        after = operated()
        realm_of(after)["authentication"]["anonymous"] = None
        reload(process, after)
        assert guest.receive()[2] == REVOKED
        with Peer(process.port) as again, pytest.raises(Aborted):
            again.join()


def test_who_is_joining_meanwhile_joins_by_what_holds_then(process: RouterProcess) -> None:
    with Peer(process.port) as alice:
        alice.hello(authmethods=["ticket"])
        assert alice.receive()[0] == 2 + 2
        after = operated()
        realm_of(after)["authentication"]["principals"].remove(principal_of(after, "alice"))
        reload(process, after)
        # Its authenticator is that of before; what it says is judged by what holds now.
        alice.send(5, ticket_of("alice"), {})
        assert alice.receive()[0] == 2
        assert alice.receive()[2] == REVOKED


def test_there_and_back_again_is_as_ever(process: RouterProcess) -> None:
    with joined(process, "alice") as alice, joined(process, "bob") as bob:
        subscription = alice.subscribe("com.example.same")
        other = operated(limits={"calls_per_session": 1}, goodbye="always")
        realm_of(other)["topics"] = [{"uri": "com.example.", "match": "prefix", "history": {"count": 5}}]
        for configuration in (other, operated(), other, operated()):
            assert CHANGED in reload(process, configuration)
        publication = bob.publish("com.example.same", [1])
        assert alice.event()[1:3] == [subscription, publication]
        assert alice.subscribe("com.example.same") == subscription


# --- realms ---


def test_realms_come_and_go(process: RouterProcess) -> None:
    more = operated()
    more["realms"].append(
        {
            "name": "realm2",
            "authentication": {"anonymous": {}},
            "authorization": {"rules": [{"role": "anonymous", "actions": ["subscribe", "publish"], "uri": "a.b"}]},
        }
    )
    with joined(process, "alice") as alice:
        alice.subscribe("com.example.c")
        assert "realms[realm2] added" in reload(process, more)
        with joined(process, None, realm="realm2") as second, joined(process, None, realm="realm2") as third:
            second.subscribe("a.b")
            third.publish("a.b", [1])
            assert second.event()[4] == [1]
            assert "realms[realm2] removed" in reload(process, operated())
            assert [peer.receive()[2] for peer in (second, third)] == ["wamp.close.close_realm"] * 2
        with Peer(process.port) as late:
            late.hello("realm2")
            assert late.aborted()[0] == "wamp.error.no_such_realm"
        assert "realms[realm2] added" in reload(process, more)
        with joined(process, None, realm="realm2") as again:
            again.subscribe("a.b")
        with joined(process, "bob") as bob:
            bob.publish("com.example.c", [2])
        assert alice.event()[4] == [2]


# --- what is kept ---


def test_a_history_stays_as_far_as_its_topics_still_have_one(process: RouterProcess) -> None:
    first, second = operated(), operated()
    kept = {"uri": "com.example.kept", "history": {"count": 10}}
    realm_of(first)["topics"] = [kept, {"uri": "com.example.other", "history": {"count": 10}}]
    realm_of(second)["topics"] = [{"uri": "com.example.kept", "history": {"count": 2}}]
    with joined(process, "alice") as alice:
        reload(process, first)
        for number in range(4):
            alice.publish("com.example.kept", [number])
            alice.publish("com.example.other", [number])
        assert _kept(alice, "com.example.kept") == [0, 1, 2, 3]
        position = _recovered(alice, "com.example.kept")["events"][-1]["publication"]
        reload(process, second)
        alice.publish("com.example.kept", [4])
        recovered = _recovered(alice, "com.example.kept", after_publication=position)
        assert recovered["recovered"] is True
        assert [event["args"][0] for event in recovered["events"]] == [4]
        assert _kept(alice, "com.example.kept") == [3, 4]
        reload(process, operated())
        with pytest.raises(WampError):
            _kept(alice, "com.example.kept")


def _kept(peer: Peer, topic: str) -> list[int]:
    return [event["args"][0] for event in _recovered(peer, topic, limit=10)["events"]]


def _recovered(peer: Peer, topic: str, **more: Any) -> Any:
    request = peer.start_call("wampgate.history.recover", [], {"topic": topic, **more})
    return peer.result(request)[4]


# --- listeners ---


def test_listeners_come_and_go_and_others_keep_their_socket(process: RouterProcess) -> None:
    second = free_port()
    more = operated()
    more["listen"].append({"endpoint": f"tcp:{second}:interface=127.0.0.1"})
    with joined(process, "alice") as alice:
        reload(process, more)
        inode = _listening(process.port)
        with Peer(second) as bob:
            bob.join(ticket_of("bob"))
            bob.subscribe("com.example.d")
            reload(process, operated())
            assert _listening(process.port) == inode
            # Who came by it stays.
            alice.publish("com.example.d", [1])
            assert bob.event()[4] == [1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", second), 5)


def test_what_a_listener_serves_changes_on_the_same_socket(process: RouterProcess) -> None:
    inode = _listening(process.port)
    assert _status(process.port, "/publish") == 404
    after = operated()
    after["listen"][0]["serves"] = ["wamp", "backend"]
    with joined(process, "alice") as alice:
        reload(process, after)
        assert _status(process.port, "/publish") in (400, 401, 405)
        assert _status(process.port, "/index.html") == 404
        alice.subscribe("com.example.e")
    reload(process, operated())
    assert _status(process.port, "/index.html") == 200
    assert _listening(process.port) == inode


def test_a_certificate_is_renewed_for_who_comes_then(tmp_path: Path) -> None:
    write_certificates(tmp_path, ["localhost", "127.0.0.1"])
    key, certificate = tmp_path / "server.key", tmp_path / "server.pem"
    configuration = operated()
    configuration["listen"] = [{"endpoint": f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"}]
    with RouterProcess(configuration) as process:
        before = _shown(process.port)
        with Peer(process.port, tls=_trusting(tmp_path)) as alice:
            alice.join(ticket_of("alice"))
            assert "nothing is different" in reload(process, configuration)
            write_certificates(tmp_path, ["localhost", "127.0.0.1"])
            assert "the certificate of ssl:0" in reload(process, configuration)
            after = _shown(process.port)
            assert before != after
            assert after == ssl.PEM_cert_to_DER_cert(certificate.read_text())
            # The one that was there goes on by what it was shown.
            alice.subscribe("com.example.f")
            with Peer(process.port, tls=_trusting(tmp_path)) as bob:
                bob.join(ticket_of("bob")).publish("com.example.f", [1])
            assert alice.event()[4] == [1]
            key.write_text("no key")
            assert "listen[0].endpoint" in reload(process, configuration)
            assert _shown(process.port) == after


def test_hosts_and_limits_are_those_of_the_file(process: RouterProcess) -> None:
    assert _status(process.port, "/", host="router.example") == 421
    reload(process, operated(hosts=["router.example"], limits={"subscriptions_per_session": 1}))
    assert _status(process.port, "/", host="router.example") == 200
    with joined(process, "alice") as alice:
        alice.subscribe("com.example.g")
        with pytest.raises(WampError) as refused:
            alice.subscribe("com.example.h")
        assert refused.value.uri == "wampgate.error.limit_exceeded"


# --- stores ---


def test_sessions_stay_that_the_other_store_knows_as_well(tmp_path: Path) -> None:
    stores = [_store(tmp_path / name, users) for name, users in (("one", ("anna", "bert")), ("two", ("anna",)))]
    configurations = [operated() for _ in stores]
    for configuration, path in zip(configurations, stores, strict=True):
        realm_of(configuration)["store"] = {"type": "sqlite", "path": str(path)}
        realm_of(configuration)["authentication"]["ticket"] = {"role": "member"}
    with RouterProcess(configurations[0]) as process, ExitStack() as stack:
        backend = stack.enter_context(joined(process, "backend"))
        anna, bert = (stack.enter_context(Peer(process.port)) for _ in range(2))
        for peer, user in ((anna, "anna"), (bert, "bert")):
            peer.join(f"token-of-{user}")
            peer.subscribe("organization.7")
        reload(process, configurations[1])
        assert bert.receive()[2] == REVOKED
        backend.publish("organization.7", ["still"])
        assert anna.event()[4] == ["still"]
        # From here on the other store is listened to, and this one alone.
        with sqlite3.connect(stores[1]) as database:
            database.execute("DELETE FROM oauth_access_tokens")
        anna.socket.settimeout(15)
        assert anna.receive()[2] == REVOKED


def _store(path: Path, users: tuple[str, ...]) -> Path:
    prepare_sqlite(path)
    with sqlite3.connect(path) as database:
        for user in users:
            database.execute(
                "INSERT INTO oauth_access_tokens (access_token, client_id, user_id, expires) VALUES (?, 'x', ?, ?)",
                (sha256(f"token-of-{user}".encode()).hexdigest(), user, time.time() + 3600),
            )
            database.execute("INSERT INTO organization_members (organization_id, user_id) VALUES ('7', ?)", (user,))
    return path


# --- bridges ---


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def bridge(redis: RedisServer, name: str, channel: str, topic: str) -> dict[str, Any]:
    rules = [{"dialect": "plain", "channel": channel, "topic": topic}]
    return {"type": "redis", "name": name, "url": redis.url, "rules": rules}


def test_a_bridge_that_is_the_same_is_left_alone_and_another_is_replaced(redis: RedisServer) -> None:
    first, second, none = operated(), operated(), operated()
    same = bridge(redis, "same", "same.{id}", "same.{id}")
    realm_of(first)["bridges"] = [same, bridge(redis, "other", "old.{id}", "com.example.{id}")]
    realm_of(second)["bridges"] = [same, bridge(redis, "other", "new.{id}", "com.example.{id}")]
    for configuration in (first, second):
        realm_of(configuration)["authorization"]["rules"].append(
            {"role": "client", "actions": ["subscribe"], "uri": "same.", "match": "prefix"}
        )
    with RouterProcess(first) as process, joined(process, "alice") as alice:
        process.wait_for_log("bridge other")
        process.wait_for_log("bridge same")
        alice.subscribe("same.1")
        alice.subscribe("com.example.1")
        alice.subscribe("wampgate.gap")
        _publish_until(redis, "old.1", alice, ["old"])
        _publish_until(redis, "same.1", alice, ["same"])
        clients = _subscribed(redis)
        reload(process, second)
        gaps: list[Any] = []
        _publish_until(redis, "new.1", alice, ["new"], gaps=gaps)
        _publish_until(redis, "same.1", alice, ["same"], gaps=gaps)
        # What may be lost in between is told, and of that bridge's topics alone.
        gaps += [event[5] for event in alice.events()]
        assert [gap["topic"] for gap in gaps] == ["com.example.1"]
        assert len(clients & _subscribed(redis)) == 1, "the connection of the bridge that is the same is the same"
        assert redis_publish(redis, "old.1", ["nobody"]) == 0
        reload(process, none)
        deadline = time.monotonic() + 10
        while _subscribed(redis) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _subscribed(redis) == set()


def redis_publish(redis: RedisServer, channel: str, args: list[Any]) -> int:
    return int(_redis(redis, "PUBLISH", channel, json.dumps(args)).strip().removeprefix(":"))


def _publish_until(
    redis: RedisServer, channel: str, peer: Peer, args: list[Any], gaps: list[Any] | None = None
) -> None:
    """Publish until somebody reads the channel, and see that it comes."""
    deadline = time.monotonic() + 10
    while redis_publish(redis, channel, args) == 0:
        assert time.monotonic() < deadline, f"nobody reads {channel}"
        time.sleep(0.02)
    while (event := peer.event())[4] != args:
        assert event[5]["why"] == "bridge_interrupted"
        if gaps is not None:
            gaps.append(event[5])


def _subscribed(redis: RedisServer) -> set[str]:
    """The connections that read channels, by their ids in Redis."""
    lines = _redis(redis, "CLIENT", "LIST", "TYPE", "pubsub").splitlines()
    return {line.split()[0] for line in lines if line.startswith("id=")}


def _redis(redis: RedisServer, *words: str) -> str:
    """What Redis answers to a command, as it stands on the wire."""
    with socket.create_connection(("127.0.0.1", redis.port), 5) as connection:
        parts = [word.encode() for word in words]
        connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


# --- on the wire ---


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def _listening(port: int) -> str:
    """What the operating system knows the socket by that listens on a port."""
    wanted = f"0100007F:{port:04X}"
    with open("/proc/net/tcp") as table:
        (line,) = (fields for fields in map(str.split, table) if fields[1] == wanted and fields[3] == "0A")
    return line[9]


def _status(port: int, path: str, host: str = "127.0.0.1") -> int:
    with RawConnection(port) as connection:
        connection.send_bytes(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        data = b""
        try:
            while chunk := connection.socket.recv(65536):
                data += chunk
        except (ConnectionError, Ended):
            pass
    return int(data.split()[1])


def _trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(folder / "ca.pem"))


def _shown(port: int) -> bytes:
    """The certificate that a new connection is shown."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 5) as plain, context.wrap_socket(plain) as secured:
        shown = secured.getpeercert(binary_form=True)
    assert shown is not None
    return shown
