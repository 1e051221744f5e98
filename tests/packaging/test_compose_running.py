"""What compose.yaml puts together, without its containers: its scripts, commands and router.json on real servers."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg2
import pytest
from postgres_server import PostgresServer
from proxy_programs import free_port, replaced
from raw_wamp import Peer
from raw_websocket import RawConnection
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator


DOCKER: Final = Path(__file__).parents[2] / "examples/deploy/docker"
WAMPGATE: Final = str(Path(sys.executable).parent / "wampgate")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with what make-secrets.sh makes; stands for /run/secrets of most containers."""
    folder = tmp_path_factory.mktemp("compose")
    shutil.copy(DOCKER / "make-secrets.sh", folder)
    subprocess.run(["sh", folder / "make-secrets.sh"], check=True, capture_output=True, timeout=30)
    return folder / "secrets"


@pytest.fixture(scope="module")
def postgres(secrets: Path) -> Iterator[PostgresServer]:
    """Postgres with the database and the role that a new container would have."""
    if shutil.which("psql") is None:
        pytest.skip("THE COMPOSE FILE'S POSTGRES WAS NOT TESTED: psql is not installed (Debian: postgresql-client)")
    with PostgresServer() as server:
        server.execute("CREATE DATABASE app")
        owner = (secrets / "postgres-owner-password").read_text()
        server.execute(f"ALTER ROLE postgres PASSWORD '{owner}'")
        server.password = owner
        done = subprocess.run(
            ["sh", DOCKER / "postgres-role.sh"],
            env={
                "PATH": os.environ["PATH"],
                "PGHOST": "127.0.0.1",
                "PGPORT": str(server.port),
                "PGPASSWORD": owner,
                "POSTGRES_DB": "app",
                "WAMPGATE_PASSWORD_FILE": str(secrets / "postgres-password"),
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        yield server


@pytest.fixture(scope="module")
def redis(secrets: Path) -> Iterator[int]:
    """The port of a Redis that was started by the compose file's command."""
    if shutil.which("redis-server") is None or shutil.which("redis-cli") is None:
        pytest.skip("THE COMPOSE FILE'S REDIS WAS NOT TESTED: redis-server is not installed")
    text = (DOCKER / "compose.yaml").read_text()
    (command,) = re.findall(r"^ +- '(\{ printf .*)'$", text, re.MULTILINE)
    port = free_port()
    values = {
        "/run/secrets": str(secrets),
        "redis-server - ": f"redis-server - --port {port} --bind 127.0.0.1 --dir {secrets.parent} ",
    }
    process = subprocess.Popen(["sh", "-c", replaced(command, values)], stdout=subprocess.DEVNULL)
    try:
        # By the compose file's own check, which says itself when Redis is up.
        (check,) = re.findall(r"\[CMD-SHELL, '(.*)'\]", text)
        said = replaced(check, {"$$": "$", "/run/secrets": str(secrets), "redis-cli": f"redis-cli -p {port}"})
        deadline = time.monotonic() + 20
        while subprocess.run(["sh", "-c", said], capture_output=True, timeout=10, check=False).returncode:
            assert process.poll() is None, "Redis has ended"
            assert time.monotonic() < deadline, "the check of Redis fails"
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


@pytest.fixture(scope="module")
def configuration(postgres: PostgresServer, redis: int, secrets: Path) -> dict[str, Any]:
    """The container's router.json, with the addresses of this machine."""
    values = {
        '"tcp:8080"': '"tcp:0:interface=127.0.0.1"',
        '"tcp:8081", "public": true': f'"tcp:{free_port()}:interface=127.0.0.1"',
        "host=postgres ": f"host=127.0.0.1 port={postgres.port} ",
        "@redis:6379": f"@127.0.0.1:{redis}",
        "/run/secrets/": f"{secrets}/",
    }
    found: dict[str, Any] = json.loads(replaced((DOCKER / "router.json").read_text(), values))
    return found


@pytest.fixture(scope="module")
def as_owner(configuration: dict[str, Any], secrets: Path) -> Path:
    """A folder in which commands run as the service ``prepare`` runs: the same file, with the owner's password."""
    folder = secrets.parent / "prepare"
    shutil.copytree(secrets, folder / "secrets")
    shutil.copy(secrets / "postgres-owner-password", folder / "secrets/postgres-password")
    text = json.dumps(configuration).replace(f"{secrets}/", f"{folder}/secrets/")
    (folder / "router.json").write_text(text)
    return folder


def command(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [WAMPGATE, *arguments],
        cwd=folder,
        env={**os.environ, "WAMPGATE_POSTGRES_USER": "postgres"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def router(configuration: dict[str, Any], as_owner: Path) -> Iterator[RouterProcess]:
    """The router, once its tables were made; making them again changes nothing."""
    for _ in range(2):
        command(as_owner, "init", "--yes", "--config", "router.json")
    with RouterProcess(configuration, environ={"WAMPGATE_POSTGRES_USER": "wampgate"}) as process:
        yield process


def test_news_from_redis_reach_a_member_with_a_token(
    router: RouterProcess, as_owner: Path, redis: int, secrets: Path
) -> None:
    token = command(as_owner, "token", "create", "--user", "joe").strip()
    command(as_owner, "member", "add", "--user", "joe", "--organization", "7")
    with Peer(router.port) as joe:
        joe.join(token).subscribe("organization.7")
        publish = ["redis-cli", "-p", str(redis), "PUBLISH", "channel.7", '{"text":"hi"}']
        environ = {**os.environ, "REDISCLI_AUTH": (secrets / "redis-password").read_text()}
        done = subprocess.run(publish, env=environ, capture_output=True, text=True, timeout=10, check=True)
        assert done.stdout.strip() == "1"
        assert '"text": "hi"' in json.dumps(joe.event())


def test_the_backend_publishes_with_its_ticket(router: RouterProcess, secrets: Path) -> None:
    with Peer(router.port) as backend:
        backend.join((secrets / "backend-ticket").read_text())
        backend.publish("organization.7", ["hello"])


def test_the_operator_sees_the_router(router: RouterProcess, secrets: Path) -> None:
    with Peer(router.port) as operator:
        operator.join((secrets / "operator-ticket").read_text())
        assert operator.call("wamp.session.count") >= 1


def test_it_says_that_it_is_ready(router: RouterProcess, configuration: dict[str, Any]) -> None:
    port = int(configuration["admin"]["endpoint"].split(":")[1])
    deadline = time.monotonic() + 10
    while True:
        with RawConnection(port) as connection:
            answer = connection.request("/health/ready", headers=[("Connection", "close")])
        if answer.status == 200:
            break
        assert time.monotonic() < deadline, answer.body
        time.sleep(0.1)


def test_the_routers_role_may_read_and_nothing_else(
    router: RouterProcess, postgres: PostgresServer, secrets: Path
) -> None:
    dsn = postgres.dsn_of("app", user="wampgate", password=(secrets / "postgres-password").read_text())
    postgres.execute("SELECT count(*) FROM oauth_access_tokens", dsn=dsn)
    for statement in ("DELETE FROM organization_members", "CREATE TABLE mine (x int)"):
        with pytest.raises(psycopg2.Error):
            postgres.execute(statement, dsn=dsn)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            postgres.execute("SET default_transaction_read_only = off", statement, dsn=dsn)


def test_the_owner_can_run_what_init_shows_instead(as_owner: Path, postgres: PostgresServer, tmp_path: Path) -> None:
    """As on a machine where only the database's owner gets to the database."""
    (tmp_path / "tables.sql").write_text(command(as_owner, "init", "--show", "--config", "router.json"))
    dsn = postgres.create_database()
    run = ["psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={tmp_path}/tables.sql", dsn]
    done = subprocess.run(run, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    made = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    assert sorted(postgres.execute(made, dsn=dsn)) == sorted(postgres.execute(made, dsn=postgres.dsn_of("app")))


def test_no_secret_is_in_the_log(router: RouterProcess, secrets: Path) -> None:
    log = router.log()
    assert not [path.name for path in secrets.iterdir() if path.read_text() in log]
