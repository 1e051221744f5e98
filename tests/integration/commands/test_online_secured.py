"""The commands over TLS, which is always checked, and with the demo as a newcomer runs it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from integration.commands.online_router import COMMAND, Lines, environment, online_configuration, wampgate
from redis_server import write_certificates
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RouterProcess, Path]]:
    """A router on an ssl: endpoint with a certificate for localhost, and the folder of its certificates."""
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder, ["localhost"])
    key, certificate = (str(folder / name).replace(":", "\\:") for name in ("server.key", "server.pem"))
    endpoint = f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
    with RouterProcess(online_configuration() | {"listen": [{"endpoint": endpoint}]}) as router:
        yield router, folder


def publish(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return wampgate(None, "publish", "com.example.a", "--url", url, *arguments)


def test_a_certificate_that_is_trusted(secured: tuple[RouterProcess, Path]) -> None:
    router, folder = secured
    done = publish(f"wss://localhost:{router.port}/ws", "--ca-file", str(folder / "ca.pem"))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_certificate_that_nobody_vouches_for(secured: tuple[RouterProcess, Path]) -> None:
    done = publish(f"wss://localhost:{secured[0].port}/ws")
    assert (done.returncode, done.stdout) == (3, "")
    assert "the certificate is not to be trusted" in done.stderr
    assert "--ca-file" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_certificate_for_someone_else(secured: tuple[RouterProcess, Path]) -> None:
    router, folder = secured
    done = publish(f"wss://127.0.0.1:{router.port}/ws", "--ca-file", str(folder / "ca.pem"))
    assert done.returncode == 3
    assert "the certificate is not to be trusted" in done.stderr


def test_the_wrong_scheme(secured: tuple[RouterProcess, Path], online: RouterProcess) -> None:
    done = publish(f"ws://localhost:{secured[0].port}/ws")
    assert done.returncode == 3
    done = publish(f"wss://127.0.0.1:{online.port}/ws")
    assert done.returncode == 3
    assert "is it ws:// instead of wss://?" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def in_the_demo(demo: RouterProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments, "--demo"],
        capture_output=True,
        text=True,
        timeout=20,
        env=environment(demo, None),
        cwd=demo.folder,
        check=False,
    )


def test_the_demo_as_a_newcomer_runs_it(demo: RouterProcess) -> None:
    assert in_the_demo(demo, "publish", "organization.7", "hello").returncode == 0
    assert in_the_demo(demo, "tail", "organization.8", "--for", "0.1").returncode == 0
    assert in_the_demo(demo, "status").returncode == 0
    found = json.loads(in_the_demo(demo, "sessions", "--json").stdout)
    assert "operator" in [row["authid"] for row in found]
    assert in_the_demo(demo, "explain", "bob", "subscribe", "organization.8").returncode == 0
    denied = in_the_demo(demo, "explain", "bob", "subscribe", "organization.7")
    assert (denied.returncode, denied.stdout.splitlines()[0]) == (4, "denied   bob (member): subscribe organization.7")
    assert in_the_demo(demo, "publish", "organization.7", "--as", "alice").returncode == 4


def test_a_subscription_that_is_taken_back() -> None:
    with RouterProcess() as demo:
        tail = subprocess.Popen(
            [*COMMAND, "tail", "organization.8", "--demo", "--as", "bob"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=environment(demo, None),
            cwd=demo.folder,
        )
        try:
            notes = Lines(tail.stderr)
            assert "listening" in notes.next()
            change(demo, "DELETE FROM organization_members WHERE user_id = 'bob'")
            assert notes.next().startswith("organization.8: ")
            assert tail.wait(15) == 4
        finally:
            tail.kill()
            tail.wait()
            if tail.stderr is not None:
                tail.stderr.close()


def test_a_users_name_that_would_draw_on_the_screen() -> None:
    nasty = "mallory\x1b]0;title\x07\x9b2J\u202e[bold]"
    with RouterProcess() as demo:
        change(demo, "UPDATE oauth_access_tokens SET user_id = ? WHERE user_id = 'bob'", nasty)
        change(demo, "UPDATE organization_members SET user_id = ? WHERE user_id = 'bob'", nasty)
        tail = subprocess.Popen(
            [*COMMAND, "tail", "organization.8", "--demo", "--as", "bob"],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=environment(demo, None),
            cwd=demo.folder,
        )
        try:
            note = Lines(tail.stderr).next()
            assert note.isprintable()
            for command in (("sessions",), ("sessions", "--json"), ("top", "--once"), ("audit",), ("refusals",)):
                done = in_the_demo(demo, *command)
                assert done.returncode == 0, done.stderr
                assert all(line.isprintable() for line in done.stdout.split("\n")), done.stdout
                if command[0] != "refusals":
                    assert "mallory" in done.stdout
        finally:
            tail.kill()
            tail.wait()
            if tail.stderr is not None:
                tail.stderr.close()


def change(demo: RouterProcess, statement: str, *values: Any) -> None:
    """Change the demo's database, as its owner would."""
    with closing(sqlite3.connect(demo.folder / "var" / "wampgate.sqlite3", timeout=10)) as connection, connection:
        connection.execute(statement, values)


def test_a_router_at_a_unix_socket_is_found_by_its_router_json(tmp_path: Path) -> None:
    socket = f"unix:{tmp_path}/router.sock"
    file = tmp_path / "router.json"
    with RouterProcess(online_configuration() | {"listen": [{"endpoint": f"{socket}:mode=600"}]}) as router:
        file.write_text((router.folder / "router.json").read_text())
        for found in (["--config", str(file)], ["--url", socket]):
            done = wampgate(None, "status", "--json", *found, who="operator")
            assert (done.returncode, done.stderr) == (0, "")
            assert json.loads(done.stdout)["state"] == "ready"
        done = wampgate(None, "call", "a.b", "--url", "unix:/nowhere/router.sock")
    assert done.returncode == 3
    assert done.stderr.startswith("unix:/nowhere/router.sock: can't connect: the socket")
    assert len(done.stderr.splitlines()) == 1
