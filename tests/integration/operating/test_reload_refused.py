"""A configuration that can't be used changes nothing, and the log says why in one line for each fault."""

from __future__ import annotations

import json
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import ticket_of
from raw_wamp import Peer, WampError
from redis_server import write_certificates
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_sqlite

from .reloading import REFUSED, operated, reload, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Configuration = dict[str, Any]


@pytest.fixture(scope="module")
def process() -> Iterator[RouterProcess]:
    """A router that all these tests find, and leave, as it was started."""
    with RouterProcess(operated()) as running:
        yield running


def changed(**more: Any) -> Configuration:
    """A configuration in which much is another: alice may do nothing, bob is gone, and there is one more realm."""
    configuration = operated(**more)
    realm = configuration["realms"][0]
    realm["authorization"]["rules"] = [each for each in realm["authorization"]["rules"] if each["role"] != "client"]
    realm["authentication"]["principals"] = [
        each for each in realm["authentication"]["principals"] if each["authid"] != "bob"
    ]
    configuration["realms"].append({"name": "realm2", "authentication": {"anonymous": {}}})
    configuration["limits"] = {"message_bytes": 2000}
    return configuration


def unknown_key(_: int, __: Path) -> Configuration:
    return changed(limitz={})


def store_that_is_not_there(free: int, _: Path) -> Configuration:
    configuration = changed()
    dsn = f"host=127.0.0.1 port={free} dbname=x user=x password=kept-to-itself"
    configuration["realms"][0]["store"] = {"type": "postgres", "dsn": dsn, "timeout_seconds": 1}
    return configuration


def store_of_a_new_realm(free: int, _: Path) -> Configuration:
    configuration = changed()
    dsn = f"host=127.0.0.1 port={free} dbname=x user=x"
    configuration["realms"][1] |= {"store": {"type": "postgres", "dsn": dsn, "timeout_seconds": 1}}
    return configuration


def port_in_use(_: int, __: Path) -> Configuration:
    configuration = changed()
    # The test listens there.
    configuration["listen"].append({"endpoint": "tcp:{taken}:interface=127.0.0.1"})
    return configuration


def port_in_use_beside_what_is_fine(free: int, folder: Path) -> Configuration:
    """What could be opened before the fault was found has to be closed again."""
    configuration = port_in_use(free, folder)
    prepare_sqlite(folder / "tokens.sqlite3")
    configuration["realms"][0]["store"] = {"type": "sqlite", "path": str(folder / "tokens.sqlite3")}
    configuration["listen"].insert(1, {"endpoint": "tcp:0:interface=127.0.0.1:backlog=7"})
    return configuration


def certificate_that_is_not_there(_: int, __: Path) -> Configuration:
    configuration = changed()
    configuration["listen"].append({"endpoint": "ssl:0:interface=127.0.0.1:privateKey=/nowhere/key.pem"})
    return configuration


def key_of_another_certificate(_: int, folder: Path) -> Configuration:
    """What a renewal leaves for a moment that writes one file after the other."""
    for name in ("old", "new"):
        (folder / name).mkdir()
        write_certificates(folder / name, ["localhost"])
    configuration = changed()
    files = f"privateKey={folder / 'new' / 'server.key'}:certKey={folder / 'old' / 'server.pem'}"
    configuration["listen"].append({"endpoint": f"ssl:0:interface=127.0.0.1:{files}"})
    return configuration


def authorities_that_are_not_there(free: int, _: Path) -> Configuration:
    configuration = changed()
    rule = {"dialect": "plain", "channel": "org.{id}", "topic": "organization.{id}"}
    configuration["realms"][0]["bridges"] = [
        {"type": "redis", "url": f"rediss://127.0.0.1:{free}", "ca_file": "nowhere.pem", "rules": [rule]}
    ]
    return configuration


def history_in_a_store(free: int, _: Path) -> Configuration:
    configuration = changed()
    realm = configuration["realms"][0]
    realm["history"] = {"stores": [{"type": "redis", "name": "kept", "url": f"redis://127.0.0.1:{free}"}]}
    realm["topics"] = [{"uri": "com.example.", "match": "prefix", "history": {"store": "kept"}}]
    return configuration


def log_that_cant_be_written(_: int, __: Path) -> Configuration:
    return changed(audit={"file": "/nowhere/at/all/audit.log"})


FAULTS: dict[str, tuple[Callable[[int, Path], Configuration], str]] = {
    "unknown key": (unknown_key, "limitz"),
    "store": (store_that_is_not_there, "realms[0].store: expected a store that answers"),
    "store of a new realm": (store_of_a_new_realm, "realms[1].store: expected a store that answers"),
    "port in use": (port_in_use, "listen[1].endpoint: Couldn't listen on 127.0.0.1"),
    "port in use beside what is fine": (port_in_use_beside_what_is_fine, "listen[2].endpoint: Couldn't listen"),
    "certificate": (certificate_that_is_not_there, "/nowhere/key.pem: No such file or directory"),
    "key of another certificate": (key_of_another_certificate, "is not the key of the certificate"),
    "authorities of a bridge": (authorities_that_are_not_there, "nowhere.pem"),
    "history in a store": (history_in_a_store, "realms[0].topics: expected no change while the router runs"),
    "audit log": (log_that_cant_be_written, "/nowhere/at/all"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_configuration_that_cant_be_used_changes_nothing(process: RouterProcess, fault: str, tmp_path: Path) -> None:
    make, why = FAULTS[fault]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Unchanged(process), socket.create_server(("127.0.0.1", 0)) as taken:
        line = reload(process, json.dumps(make(port, tmp_path)).replace("{taken}", str(taken.getsockname()[1])))
        assert REFUSED in line
        assert why in line
        assert "kept-to-itself" not in process.log()


@pytest.mark.parametrize("text", ["{", "[]", '{"realms": []}', "\ufffe", ""])
def test_what_is_no_configuration_changes_nothing(process: RouterProcess, text: str) -> None:
    with Unchanged(process):
        line = reload(process, text)
        assert REFUSED in line
        assert "router.json" in line


def test_each_fault_has_its_line(process: RouterProcess) -> None:
    with Unchanged(process):
        before = process.log().count(REFUSED)
        write(process, changed() | {"limits": {"connections": 0, "calls_per_session": -1}})
        process.signal(signal.SIGHUP)
        process.wait_for_log(REFUSED, count=before + 2)
        tail = process.log().splitlines()[-2:]
        assert "limits.connections" in tail[0]
        assert "limits.calls_per_session" in tail[1]


def test_an_operator_is_told_why(process: RouterProcess) -> None:
    with Unchanged(process), Peer(process.port) as operator:
        operator.join(ticket_of("carol"))
        write(process, json.dumps(changed(limitz={}, zzz=1)))
        with pytest.raises(WampError) as refused:
            operator.call("wampgate.configuration.reload")
        assert refused.value.uri == "wampgate.error.invalid_configuration"
        said = refused.value.args[1].splitlines()
        assert ["limitz" in said[0], "zzz" in said[1]] == [True, True]


def test_whom_no_rule_allows_it_may_not_reload(process: RouterProcess) -> None:
    with Peer(process.port) as client:
        client.join(ticket_of("alice"))
        with pytest.raises(WampError) as refused:
            client.call("wampgate.configuration.reload")
        assert refused.value.uri == "wamp.error.not_authorized"


class Unchanged:
    """Sees that within it nothing of a router changes that anybody could notice. A context manager."""

    def __init__(self, process: RouterProcess) -> None:
        self._process = process
        self._peers: list[Peer] = []

    def __enter__(self) -> None:
        alice, bob = (Peer(self._process.port).join(ticket_of(name)) for name in ("alice", "bob"))
        self._peers = [alice, bob]
        alice.subscribe("com.example.lives")
        self._descriptors = self._process.descriptors()

    def __exit__(self, kind: object, *_: object) -> None:
        alice, bob = self._peers
        try:
            if kind is not None:
                return
            publication = bob.publish("com.example.lives", ["x" * 3000])
            assert alice.event()[2] == publication
            with Peer(self._process.port) as other:
                other.join(ticket_of("bob"))
                other.subscribe("com.example.more")
            with Peer(self._process.port) as stranger:
                stranger.hello("realm2")
                assert stranger.aborted()[0] == "wamp.error.no_such_realm"
            _settle(self._process, self._descriptors)
        finally:
            for peer in self._peers:
                peer.close()


def _settle(process: RouterProcess, descriptors: int) -> None:
    """What was opened on the way is closed again."""
    for _ in range(200):
        if process.descriptors() <= descriptors:
            return
        time.sleep(0.05)
    assert process.descriptors() <= descriptors
