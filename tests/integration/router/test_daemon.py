"""``twistd wampgate`` as its operator meets it: foreground, daemon, signals, and errors that say what to do."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration, ticket_of
from raw_wamp import Peer, random_name
from raw_websocket import Ended, RawConnection
from router_process import TWISTD, RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def run(folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run ``twistd -n wampgate`` to its end."""
    return subprocess.run(
        [*TWISTD, "-n", "wampgate", *arguments],
        cwd=folder,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def write(folder: Path, configuration: Any, name: str = "router.json") -> Path:
    path = folder / name
    path.write_text(configuration if isinstance(configuration, str) else json.dumps(configuration))
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- errors before it runs ---


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", ["router.json", "line 1", "expected JSON"]),
        ("[]", ["router.json"]),
        ('{"realms": [], "relams": []}', ["realms", "relams"]),
        ('{"realms": [{"name": "a b"}]}', ["realms[0].name", "a realm's name"]),
        (
            {
                "listen": [{"endpoint": "tcp:x"}],
                "realms": [{"name": "r", "authentication": {"anonymous": {"rol": "x"}}}],
            },
            ["listen[0].endpoint", "rol"],
        ),
        (
            {"realms": [{"name": "r", "store": {"type": "postgres", "dsn": "${NOT_SET_ANYWHERE}"}}]},
            ["NOT_SET_ANYWHERE"],
        ),
        ({"realms": [{"name": "realm1"}]}, ["no way to join"]),
    ],
)
def test_a_broken_configuration_is_told_in_readable_lines(tmp_path: Path, document: Any, said: list[str]) -> None:
    write(tmp_path, document)
    done = run(tmp_path)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Traceback" not in output
    for text in said:
        assert text in output, output
    assert not list(tmp_path.glob("*.pid"))


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    write(tmp_path, {"limits": {"connections": 0, "messag_bytes": 1}, "realms": [{"name": ""}], "hosts": "x"})
    output = run(tmp_path).stderr
    for key in ("limits.connections", "messag_bytes", "realms[0].name", "hosts"):
        assert key in output


def test_a_missing_configuration_says_which_and_what_to_do(tmp_path: Path) -> None:
    for arguments, name in (((), "router.json"), (("--config", "elsewhere.json"), "elsewhere.json")):
        done = run(tmp_path, *arguments)
        assert done.returncode == 1
        assert f"{name}" in done.stderr
        assert "--config" in done.stderr
        assert "Traceback" not in done.stderr + done.stdout


def test_a_secret_in_a_broken_configuration_is_not_shown(tmp_path: Path) -> None:
    store = {"type": "postgres", "dsn": "postgresql://u:${SECRET_OF_MINE}@h/d", "pool_size": "many"}
    write(tmp_path, {"realms": [{"name": "realm1", "store": store}]})
    done = run(tmp_path, environ={"SECRET_OF_MINE": "canary-77f1"})
    assert done.returncode == 1
    assert "pool_size" in done.stderr
    assert "canary-77f1" not in done.stderr + done.stdout


def test_an_unknown_option_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, "--nonsense")
    assert done.returncode == 1
    assert "--nonsense" in done.stderr + done.stdout


def test_help_names_the_options(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    for option in ("--config", "--demo", "--port", "--redis"):
        assert option in done.stdout


# --- errors while it starts ---


def test_a_port_in_use_is_told_and_ends_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write(tmp_path, static_configuration(listen=[{"endpoint": f"tcp:{port}:interface=127.0.0.1"}]))
        done = run(tmp_path)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert f"{port}" in output
    assert "in use" in output
    assert "Traceback" not in output


def test_a_missing_certificate_is_told_and_ends_it(tmp_path: Path) -> None:
    write(tmp_path, static_configuration(listen=[{"endpoint": "ssl:0:privateKey=/nonexistent/key.pem"}]))
    done = run(tmp_path)
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert "/nonexistent/key.pem" in output
    assert "Traceback" not in output


# --- the foreground ---


def test_another_configuration_file_and_its_own_folder(tmp_path: Path) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "ticket").write_text("from-a-file\n")
    configuration = static_configuration()
    configuration["realms"][0]["authentication"]["principals"] = [
        {"authid": "filed", "role": "client", "ticket": "${file:ticket}"},
        {"authid": "environed", "role": "client", "ticket": "${TICKET_OF_A_TEST}"},
    ]
    write(folder, configuration, "other.json")
    with RouterProcess(
        static_configuration(),
        arguments=["--config", str(folder / "other.json")],
        environ={"TICKET_OF_A_TEST": "from-the-environment"},
    ) as process:
        for ticket, authid in (("from-a-file", "filed"), ("from-the-environment", "environed")):
            with Peer(process.port).join(ticket) as peer:
                assert peer.welcome["authid"] == authid


def test_sigterm_closes_clients_so_that_they_come_back_and_ends_with_status_0() -> None:
    with RouterProcess(static_configuration()) as process:
        joined, opening, silent, page = (
            Peer(process.port).join(ticket_of("alice")),
            Peer(process.port),
            RawConnection(process.port),
            RawConnection(process.port),
        )
        page.send_bytes(b"GET / HTTP/1.1\r\n")
        process.signal(signal.SIGTERM)
        start = time.monotonic()
        for peer in (joined, opening):
            assert peer.closed() == (1012, "wamp.close.system_shutdown")
            peer.send_frame(8, b"\x03\xf4")
        assert process.wait(10) == 0
        assert time.monotonic() - start < 2
        for connection in (joined, opening, silent, page):
            connection.close()


def test_a_client_that_does_not_answer_does_not_hold_it_up() -> None:
    with (
        RouterProcess(static_configuration()) as process,
        Peer(process.port, receive_buffer=4096).join(ticket_of("alice")) as stuck,
        Peer(process.port).join(ticket_of("bob")) as bob,
    ):
        topic = random_name()
        stuck.subscribe(topic)
        for number in range(250):
            bob.publish(topic, [number, "x" * 16_000])
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGTERM)
        start = time.monotonic()
        assert process.wait(10) == 0
        assert time.monotonic() - start < 5


def test_what_was_under_way_is_delivered_before_the_end() -> None:
    with (
        RouterProcess(static_configuration()) as process,
        Peer(process.port).join(ticket_of("alice")) as alice,
        Peer(process.port).join(ticket_of("bob")) as bob,
    ):
        topic = random_name()
        bob.subscribe(topic)
        for number in range(200):
            alice.send(16, alice.next_request(), {}, topic, [number])
        alice.publish(topic, ["last"])
        process.signal(signal.SIGTERM)
        assert [bob.event()[4][0] for _ in range(201)] == [*range(200), "last"]
        assert bob.closed()[0] == 1012


def test_ctrl_c_ends_it_as_well() -> None:
    with RouterProcess(static_configuration()) as process:
        with Peer(process.port).join(ticket_of("alice")) as alice:
            process.signal(signal.SIGINT)
            assert alice.closed()[0] == 1012
            alice.send_frame(8, b"\x03\xf4")
        assert process.wait(10) in (0, -signal.SIGINT)


def test_kill_9_and_a_new_start_on_the_same_port() -> None:
    with RouterProcess(static_configuration()) as process:
        with Peer(process.port).join(ticket_of("alice")) as alice:
            process.signal(signal.SIGKILL)
            with pytest.raises(Ended):
                alice.closed()
        process.wait()
        port = process.port
        process.start()
        assert process.port == port
        with Peer(port).join(ticket_of("alice")) as alice:
            assert alice.publish(random_name()) > 0


# --- the daemon ---


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A daemon in the background, started as twistd does by default."""
    port = free_port()
    write(tmp_path, static_configuration(listen=[{"endpoint": f"tcp:{port}:interface=127.0.0.1"}]))
    done = subprocess.run([*TWISTD, "wampgate"], cwd=tmp_path, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    pid = 0
    try:
        wait_until(
            lambda: (tmp_path / "twistd.pid").exists() and "listening on" in (tmp_path / "twistd.log").read_text()
        )
        pid = int((tmp_path / "twistd.pid").read_text())
        yield tmp_path, port
    finally:
        with suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGKILL)


def wait_until(true: Any, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OSError):
            if true():
                return
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_daemon_has_a_pid_file_and_a_log_file(daemon: tuple[Path, int]) -> None:
    folder, port = daemon
    pid = int((folder / "twistd.pid").read_text())
    assert os.getsid(pid) != os.getsid(0)
    with Peer(port).join(ticket_of("alice")) as alice:
        assert alice.publish(random_name()) > 0
        os.kill(pid, signal.SIGTERM)
        assert alice.closed()[0] == 1012
    wait_until(lambda: not (folder / "twistd.pid").exists())
    log = (folder / "twistd.log").read_text()
    assert "wampgate has stopped" in log
    assert "Traceback" not in log


def test_a_second_daemon_says_that_one_runs(daemon: tuple[Path, int]) -> None:
    folder, _ = daemon
    second = subprocess.run([*TWISTD, "wampgate"], cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode != 0
    assert "Another twistd server is running" in second.stdout + second.stderr


# --- the demo ---


def test_the_demos_files_are_its_owners_alone(demo: RouterProcess) -> None:
    for name in ("demo-tokens.json", "wampgate.sqlite3"):
        mode = stat.S_IMODE((demo.folder / "var" / name).stat().st_mode)
        assert mode == 0o600, name
    assert set(demo.tokens()) == {"alice", "bob", "expired", "backend", "operator"}
    assert all(len(token) >= 32 for token in demo.tokens().values())


def test_the_demo_prints_where_to_look(demo: RouterProcess) -> None:
    log = demo.wait_for_log("#token=", count=2)
    tokens = demo.tokens()
    assert f"http://127.0.0.1:{demo.port}/#token={tokens['alice']}" in log
    assert f"http://127.0.0.1:{demo.port}/#token={tokens['bob']}" in log


def test_a_second_start_keeps_the_tokens_and_another_folder_has_others() -> None:
    with RouterProcess() as process, RouterProcess() as other:
        tokens = process.tokens()
        assert not set(tokens.values()) & set(other.tokens().values())
        process.stop()
        process.start()
        assert process.tokens() == tokens
        with Peer(process.port).join(tokens["alice"]) as alice:
            assert alice.welcome["authid"] == "alice"


def test_the_demos_tokens_stand_in_no_database(demo: RouterProcess) -> None:
    stored = b"".join(path.read_bytes() for path in (demo.folder / "var").glob("wampgate.sqlite3*"))
    for token in demo.tokens().values():
        assert token.encode() not in stored


def test_a_demo_database_is_refused_without_the_flag(demo: RouterProcess, tmp_path: Path) -> None:
    path = demo.folder / "var" / "wampgate.sqlite3"
    write(tmp_path, {"realms": [{"name": "realm1", "store": {"type": "sqlite", "path": str(path)}}]})
    done = run(tmp_path)
    assert done.returncode == 1
    assert "--demo" in done.stderr
    assert "wampgate.sqlite3" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_leaves_a_database_alone_that_is_not_its_own(tmp_path: Path) -> None:
    from wampgate.stores.preparing import prepare_sqlite

    database = tmp_path / "var" / "wampgate.sqlite3"
    prepare_sqlite(database)
    before = database.read_bytes()
    done = run(tmp_path, "--demo", "--port", "0")
    assert done.returncode == 1
    assert "is not a demo database" in done.stderr
    assert "Traceback" not in done.stderr
    assert database.read_bytes() == before


def test_the_demo_says_when_its_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where a folder should be")
    done = run(tmp_path, "--demo", "--port", "0")
    assert done.returncode == 1
    assert "var" in done.stderr
    assert "Traceback" not in done.stderr
