"""Every secret, through every way in, good and bad: none comes out anywhere, and each refusal is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from conftest import rule, static_configuration
from postgres_server import PostgresServer
from psycopg2.extensions import make_dsn
from raw_wamp import ABORT, WELCOME, Aborted, Peer, WampError
from raw_websocket import Closed, Ended, RawConnection, Refused
from redis_server import RedisServer
from router_process import RouterProcess
from signed_tokens import AUDIENCE, ISSUER, SigningKey

from wampgate.config import redacted
from wampgate.config.loading import load
from wampgate.stores.outbox_rights import grants
from wampgate.stores.preparing import prepare_outbox, prepare_postgres
from wampgate.stores.questions import stored_form

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN, SECOND, EXPIRED, OTHERS, WRONG = (f"canary-{name}-5e1d9c" for name in ("a", "b", "c", "d", "wrong"))
TICKET, PASSWORD, SHARED = "canary-of-the-backend", "canary-of-the-password", "canary-of-the-shared-secret-0123456789"
ROLE = "canary_router"
TOPIC = "organization.7.news"
SIGNED = SigningKey("HS256", None, SHARED.encode())
FORGED = SigningKey("HS256", None, b"another secret of thirty-two bytes or more")


class Heard:
    """All that was sent to clients: messages, close reasons, answers to HTTP requests, what commands printed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, what: object) -> None:
        self.texts.append(repr(what))

    def __str__(self) -> str:
        return "\n".join(self.texts)


class Listener(Peer):
    """A client that keeps what it is sent."""

    def __init__(self, heard: Heard, port: int, **how: Any) -> None:
        self._heard = heard
        super().__init__(port, **how)

    def _next(self) -> list[Any]:
        try:
            message = super()._next()
        except Exception as error:
            self._heard.add(error)
            raise
        self._heard.add(message)
        return message


class Place:
    """A router on a real Postgres and a real Redis, whose secrets are canaries all of them.

    Args:
        token_hash: how tokens stand in the table; plain ones stand in the queries as well.
        log_format: of the log, which tells all that it can.
    """

    def __init__(self, postgres: PostgresServer, redis: RedisServer, token_hash: str, log_format: str) -> None:
        self.log_format = log_format
        self.postgres, self.redis = postgres, redis
        self.heard = Heard()
        self.owner = postgres.create_database()
        prepare_postgres(self.owner)
        prepare_outbox(self.owner)
        for user, token, life in (
            ("anna", TOKEN, "1 hour"),
            ("anna", SECOND, "2 hours"),
            ("anna", EXPIRED, "-1 hour"),
            ("bert", OTHERS, "1 hour"),
        ):
            stored = stored_form(token, token_hash)  # type: ignore[arg-type]  # one of the two
            row = f"'{stored}', 'app', '{user}', now() + interval '{life}', NULL"
            postgres.execute(f"INSERT INTO oauth_access_tokens VALUES ({row})", dsn=self.owner)
        postgres.execute(
            "INSERT INTO organization_members VALUES ('7', 'anna', ''), ('8', 'bert', '')",
            "DO $$ BEGIN"
            f" CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE {ROLE}_backend;"
            " EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            f"GRANT SELECT ON oauth_access_tokens, organization_members TO {ROLE}",
            grants(ROLE, f"{ROLE}_backend"),
            dsn=self.owner,
        )
        redis.command("ACL", "SETUSER", "router", "on", f">{PASSWORD}", "allkeys", "allchannels", "+@all")
        self.environ = {
            "DSN": str(make_dsn(self.owner, user=ROLE, password=PASSWORD)),
            "REDIS": f"redis://router:{PASSWORD}@127.0.0.1:{redis.port}",
            "TICKET": TICKET,
            "SHARED": SHARED,
        }
        self.router = RouterProcess(self._configuration(token_hash), arguments=["--debug"], environ=self.environ)

    def _configuration(self, token_hash: str) -> dict[str, Any]:
        topic = "organization.{organization}"
        realm = {
            "name": "realm1",
            "store": {
                "type": "postgres",
                "dsn": "${DSN}",
                "listen_dsn": "${DSN}",
                "token_hash": token_hash,
                "timeout_seconds": 1,
            },
            "authentication": {
                "ticket": {
                    "query_string": True,
                    "jwt": {"secret": "${SHARED}", "issuer": ISSUER, "audience": [AUDIENCE]},
                },
                "principals": [{"authid": "backend", "role": "backend", "ticket": "${TICKET}"}],
            },
            "authorization": {
                "cache_seconds": 0,
                "rules": [
                    rule("backend", ["publish", "subscribe"], "organization.", "prefix"),
                    rule("backend", ["call"], "wampgate.", "prefix"),
                ],
            },
            "history": {"stores": [{"type": "redis", "name": "redis", "url": "${REDIS}/1"}]},
            "topics": [{"uri": "organization.", "match": "prefix", "history": {"store": "redis"}}],
            "bridges": [
                {
                    "type": "redis",
                    "url": "${REDIS}",
                    "rules": [{"dialect": "plain", "channel": "channel.{organization}", "topic": topic}],
                    "out": [{"topic": "organization.{organization}.news", "channel": "out.{organization}"}],
                },
                {"type": "postgres-outbox", "dsn": "${DSN}", "topics": [{"uri": "organization.", "match": "prefix"}]},
            ],
        }
        listen = [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": ["wamp", "backend"]}]
        log = {"format": self.log_format, "access": True}
        return static_configuration(realms=[realm], listen=listen, log=log, audit={"file": "audit.log"})

    def peer(self, token: str | None = None, *, path: str = "/ws", headers: Any = ()) -> Listener:
        peer = Listener(self.heard, self.router.port, path=path, headers=headers)
        try:
            return peer if token is None else peer.join(token)
        except BaseException:
            peer.close()
            raise

    def shown(self, *, path: str = "/ws", bearer: str | None = None) -> list[Any]:
        """What a client is answered that shows a token in its HTTP request."""
        headers = [] if bearer is None else [("Authorization", f"Bearer {bearer}")]
        with self.peer(path=path, headers=headers) as peer:
            peer.hello()
            return peer.receive()

    def post(self, path: str, body: object, token: str) -> int:
        """A request over HTTP; the status of its answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with RawConnection(self.router.port) as connection:
            connection.send_bytes(
                f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()
                + data
            )
            response = connection.response()
            self.heard.add(response)
            return int(response.status)

    def command(self, *arguments: str) -> int:
        """Run ``wampgate`` in the router's folder; its status."""
        done = subprocess.run(
            [sys.executable, "-m", "wampgate", *arguments],
            cwd=self.router.folder,
            env={**os.environ, **self.environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.heard.add((done.stdout, done.stderr))
        return done.returncode


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PostgresServer, RedisServer]]:
    with PostgresServer() as postgres, RedisServer() as redis:
        yield postgres, redis


def url(**parameters: str) -> str:
    return "/ws?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())


def forms(secret: str) -> set[str]:
    """How a secret could come out: as it is, hashed, or in a URL."""
    return {secret, sha256(secret.encode()).hexdigest(), quote(secret, safe=""), secret.encode().hex()}


ALL = (TOKEN, SECOND, EXPIRED, OTHERS, WRONG, TICKET, PASSWORD, SHARED)
SECRETS = {form for secret in ALL for form in forms(secret)}


def come_in_and_go_on(place: Place) -> None:
    """Every way in with what is good, and all that a session can do with a token then."""
    assert place.shown(bearer=TOKEN)[0] == WELCOME
    assert place.shown(path=url(token=TOKEN, organizationId="7"))[0] == WELCOME
    assert place.shown(bearer=SIGNED.token(sub="anna"))[0] == WELCOME
    event = {"topic": TOPIC, "args": ["over HTTP"]}
    assert place.post("/publish", event, TICKET) == 200
    with place.peer(TOKEN) as anna, place.peer(TICKET) as backend:
        anna.subscribe(TOPIC)
        backend.publish(TOPIC, ["news"])
        assert anna.event()[4] == ["news"]
        anna.call("wampgate.auth.refresh", [SECOND])
        anna.call("wampgate.auth.refresh", [], {"token": SECOND})
        anna.call("wampgate.history.recover", [TOPIC])
        anna.call("wampgate.organizations")
        backend.call("wampgate.explain", ["anna", "subscribe", TOPIC])
        place.redis.publish("channel.7", json.dumps(["over Redis"]))
        # The token that the session goes on with is the one it is ended by.
        assert backend.call("wampgate.sessions.kill", [], {"token_hash": sha256(SECOND.encode()).hexdigest()}) == 1
        while anna.receive()[2] != "wamp.close.killed":
            pass


def are_refused(place: Place) -> dict[str, int]:
    """Every way in with what is bad; how often the log has to tell of each reason."""
    wrong = (WRONG, EXPIRED, FORGED.token(sub=WRONG), f"{TOKEN} {TOKEN}")
    for token in wrong:
        with pytest.raises(Aborted):
            place.peer(token)
        assert place.shown(bearer=token)[0] == ABORT
        assert place.shown(path=url(token=token, organizationId="7"))[0] == ABORT
        assert place.post("/publish", {"topic": TOPIC}, token) == 401
        assert place.post("/call", {"procedure": "wampgate.organizations"}, token) == 401
    assert place.shown(path=url(token=TOKEN))[0] == ABORT
    assert place.shown(path=url(token=TOKEN, organizationId="8"))[0] == ABORT
    with pytest.raises(Refused) as refused:
        place.peer(path=url(token=TOKEN) + f"&token={SECOND}")
    place.heard.add(refused.value.response)
    with place.peer(TOKEN) as anna:
        for token in (*wrong, OTHERS, TICKET):
            for arguments in ([token],), ([], {"token": token}):
                with pytest.raises(WampError):
                    anna.call("wampgate.auth.refresh", *arguments)
        for arguments in ([[WRONG]], [WRONG, WRONG], [{"token": WRONG}]):
            with pytest.raises(WampError):
                anna.call("wampgate.auth.refresh", arguments)
        for procedure in ("wampgate.sessions.kill", "wampgate.explain", "wampgate.nothing"):
            with pytest.raises(WampError):
                anna.call(procedure, [WRONG], {"token_hash": sha256(TOKEN.encode()).hexdigest()})
        with pytest.raises(WampError):
            anna.publish(TOPIC, [TOKEN])
        assert place.post("/publish", {"topic": TOPIC, "args": [TOKEN]}, TOKEN) == 403
    assert place.post("/publish", {"topic": TOPIC, "token": WRONG}, TICKET) == 422
    assert place.post("/publish", f'{{"topic": "{TOPIC}", "{WRONG}'.encode(), TICKET) in (400, 422)
    with place.peer(TICKET) as backend:
        assert backend.call("wampgate.sessions.kill", [], {"token_hash": TOKEN}) == 0
    return {
        # Five ways in, and two ways of refreshing.
        "unknown token": 7 * 2,
        "expired token of user 'anna'": 7,
        "a signed token is not good": 7,
        "refresh refused to session": 2 * 6,
        "was asked for with a ticket of 'bert'": 2,
        "was asked for with a ticket of 'backend'": 2,
        "organizationId is missing": 1,
        "'anna' is not a member of '8'": 1,
        "may not call 'wampgate.sessions.kill'": 1,
        f"may not publish '{TOPIC}'": 2,
    }


def break_the_protocol(place: Place) -> None:
    """Messages that are none, with a token in each, and connections that end within one."""
    hello = [1, "realm1", {"authid": {"x": TOKEN}}]
    for message in ([5, TOKEN], [5, {"x": TOKEN}, {}], [5, [TOKEN], {}], hello, [TOKEN]):
        with place.peer() as peer:
            peer.hello(authmethods=["ticket"])
            peer.receive()
            peer.send(*message)
            with suppress(Closed, Ended):
                place.heard.add(peer.receive())
                place.heard.add(peer.closed())
    with place.peer() as peer:
        peer.hello(authmethods=["ticket"])
        peer.receive()
        peer.send_bytes(peer.framed([5, TOKEN, {}])[:-3])


def lose_the_servers(place: Place) -> None:
    """Tokens that can't be looked up, at a login, in a session and over HTTP."""
    with place.peer(TOKEN) as anna:
        place.postgres.freeze()
        try:
            # Two that no one has asked for yet: a login ends with a close code, a refresh with an error.
            assert place.post("/publish", {"topic": TOPIC}, OTHERS) == 503
            with pytest.raises(Closed):
                place.peer(OTHERS)
            with pytest.raises(WampError):
                anna.call("wampgate.auth.refresh", [SECOND])
        finally:
            place.postgres.thaw()
    end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{}'"
    place.postgres.execute(end.format(ROLE))
    place.postgres.execute(f"ALTER ROLE {ROLE} PASSWORD 'another'", end.format(ROLE))
    place.router.wait_for_log("password authentication failed")
    place.redis.command("ACL", "SETUSER", "router", "off")
    place.redis.command("CLIENT", "KILL", "USER", "router")
    place.router.wait_for_log("WRONGPASS")
    place.postgres.execute(f"ALTER ROLE {ROLE} PASSWORD '{PASSWORD}'")
    place.redis.command("ACL", "SETUSER", "router", "on")
    deadline = time.monotonic() + 20
    while True:
        with suppress(Closed):
            place.peer(TOKEN).close()
            return
        assert time.monotonic() < deadline


def ask_the_commands(place: Place) -> None:
    """What an operator prints: good and faulty configurations, and a dump."""
    assert place.command("check") == 0
    assert place.command("check", "--offline") == 0
    assert place.command("init", "--show") == 0
    document = json.loads((place.router.folder / "router.json").read_text())
    place.heard.add(redacted(load(place.router.folder / "router.json", place.environ)))
    place.heard.add(load(place.router.folder / "router.json", place.environ))
    realm = document["realms"][0]
    realm["authentication"]["ticket"]["jwt"]["secret"] = WRONG
    realm["authentication"]["principals"][0]["ticket"] = f"${{TICKET}} {WRONG}"
    realm["store"]["dsn"] = f"postgresql://u:{WRONG}@[h/d"
    realm["bridges"][0]["url"] = f"redis://u:{WRONG}@127.0.0.1:x"
    realm["history"]["stores"][0]["url"] = f"rediss://{WRONG}"
    realm["bridges"][1]["dsn"] = f"host=h password={WRONG} {WRONG}"
    (place.router.folder / "faulty.json").write_text(json.dumps(document))
    assert place.command("check", "--config", "faulty.json") == 1
    (place.router.folder / "faulty.json").unlink()


def messages(log: str, log_format: str) -> list[str]:
    """What the lines of a log say, without their fields."""
    return log.splitlines() if log_format == "text" else [json.loads(line)["message"] for line in log.splitlines()]


@pytest.mark.parametrize(("token_hash", "log_format"), [("sha256", "text"), ("plain", "json")])
def test_no_secret_comes_out_and_each_refusal_is_told(
    servers: tuple[PostgresServer, RedisServer], token_hash: str, log_format: str
) -> None:
    place = Place(*servers, token_hash, log_format)
    with place.router as router:
        come_in_and_go_on(place)
        told = are_refused(place)
        break_the_protocol(place)
        said = messages(router.log(), log_format)
        for reason, count in told.items():
            found = [line for line in said if reason in line]
            assert len(found) == count, (reason, [line for line in said if "refuse" in line])
        lose_the_servers(place)
        ask_the_commands(place)
        written = "".join(path.read_text(errors="replace") for path in router.folder.rglob("*") if path.is_file())
        seen = Path(f"/proc/{router.pid}/cmdline").read_text()
        router.stop()
        written += router.log()
    # The test must not pass because nothing was heard.
    assert "the token is not accepted" in str(place.heard)
    assert "(hidden)" in str(place.heard)
    assert "joined from" in written
    assert "/publish" in written
    assert '"event":"login_refused"' in written
    assert '"event":"killed"' in written
    for secret in SECRETS:
        for place_, text in (("the files", written), ("the wire or a command", str(place.heard)), ("/proc", seen)):
            assert secret not in text, (place_, secret, [line for line in text.splitlines() if secret in line][:3])
