"""Signed tokens at the running router: keys that change, lists that deny, Passport's tables, URLs that nobody asks."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import rule, static_configuration
from key_server import KeyServer
from postgres_server import PostgresServer
from raw_wamp import Aborted, Peer, WampError
from raw_websocket import Closed
from router_process import RouterProcess
from signed_tokens import AUDIENCE, ISSUER, SigningKey, key_set, signing_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD, NEW = signing_key("RS256", "old"), signing_key("ES256", "new")
SECRET = "the secret that issuer and router share"
SHARED = SigningKey("HS256", None, SECRET.encode())


def configuration(jwt: dict[str, Any], *, store: dict[str, Any] | None = None, **authorization: Any) -> dict[str, Any]:
    realm = {
        "name": "realm1",
        "store": store,
        "authentication": {"ticket": {"role": "member", "jwt": {"issuer": ISSUER, "audience": [AUDIENCE]} | jwt}},
        "authorization": {"rules": [rule("member", ["publish"], "organization.", "prefix")]} | authorization,
    }
    return static_configuration(realms=[realm])


def joined(process: RouterProcess, token: str) -> Peer:
    return Peer(process.port).join(token)


def refused(process: RouterProcess, token: str) -> str:
    with Peer(process.port) as peer, pytest.raises(Aborted) as aborted:
        peer.join(token)
    return aborted.value.reason


def eventually(condition: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("names", [None, ["localhost"]], ids=["http", "https"])
def test_keys_from_a_url(names: list[str] | None) -> None:
    with KeyServer(key_set(OLD), names=names) as server, KeyServer(key_set(OLD)) as elsewhere:
        jwt = {"keys_url": server.url("localhost"), "organizations_claim": "orgs"}
        if names is not None:
            jwt["ca_file"] = server.ca_file
        with RouterProcess(configuration(jwt)) as process:
            with joined(process, OLD.token(orgs=["7"])) as joe:
                assert joe.welcome["authid"] == "joe"
                assert joe.welcome["authprovider"] == "jwt"
                assert joe.welcome["authrole"] == "member"
                assert joe.welcome["authextra"]["organizations"] == ["7"]
                joe.subscribe("organization.7")
                with pytest.raises(WampError):
                    joe.subscribe("organization.8")
            # Asked for when the router started, and not again for what is known.
            assert server.asked == ["/keys"]
            for header in (
                {"jku": elsewhere.url()},
                {"x5u": elsewhere.url()},
                {"jku": elsewhere.url(), "kid": "other"},
            ):
                forged = signing_key("RS256", "forged").token(header={"kid": "old"} | header)
                assert refused(process, forged) == "wamp.error.authentication_denied"
            # An unknown name may ask again, but not so soon.
            assert server.asked == ["/keys"]
        assert elsewhere.asked == []


def test_a_router_without_keys_starts_and_finds_them_later() -> None:
    with KeyServer(b"", names=None) as server:
        server.status = 503
        with RouterProcess(configuration({"keys_url": server.url(), "organizations_claim": "orgs"})) as process:
            assert "it answered 503 instead of 200" in process.log()
            with Peer(process.port) as peer, pytest.raises(Closed) as closed:
                peer.join(OLD.token())
            # What a retry may cure, with a close code after which clients come back.
            assert closed.value.code == 1013


def test_keys_that_change_in_their_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(OLD))
    with RouterProcess(configuration({"keys_file": str(path), "organizations_claim": "orgs"})) as process:
        joined(process, OLD.token()).close()
        assert refused(process, NEW.token()) == "wamp.error.authentication_denied"
        path.write_bytes(key_set(NEW))
        time.sleep(1.1)
        joined(process, NEW.token()).close()
        assert refused(process, OLD.token()) == "wamp.error.authentication_denied"


def test_a_denied_token_ends_where_it_is(tmp_path: Path) -> None:
    keys, denied = tmp_path / "keys.pem", tmp_path / "denied.json"
    key = signing_key("EdDSA", None)
    keys.write_bytes(key.pem)
    denied.write_text('{"denied": []}')
    jwt = {"keys_file": str(keys), "denied_file": str(denied), "organizations_claim": "orgs"}
    with (
        RouterProcess(configuration(jwt)) as process,
        joined(process, key.token(jti="a")) as one,
        joined(process, key.token(jti="b")) as other,
    ):
        denied.write_text(json.dumps({"denied": [{"jti": "a"}]}))
        begin = time.monotonic()
        goodbye = one.receive()
        assert time.monotonic() - begin < 3
        assert goodbye[0::2] == [6, "wampgate.close.token_revoked"]
        assert refused(process, key.token(jti="a")) == "wamp.error.authentication_denied"
        other.publish("organization.7")
        assert other.events() == []


def test_a_token_is_refreshed_by_another_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(OLD))
    with (
        RouterProcess(configuration({"keys_file": str(path), "organizations_claim": "orgs"})) as process,
        joined(process, OLD.token(exp=int(time.time()) + 60, orgs=["7", "8"])) as joe,
    ):
        joe.subscribe("organization.7")
        revoked = joe.subscribe("wampgate.revoked")
        result = joe.result(joe.start_call("wampgate.organizations"))
        assert result[4] == {"organizations": ["7", "8"], "organization_count": 2}
        with pytest.raises(WampError):
            joe.call("wampgate.auth.refresh", [OLD.token(sub="ann")])
        assert 500 < joe.call("wampgate.auth.refresh", [OLD.token(orgs=["8"])]) <= 600
        # What the new token no longer names is taken away at once.
        event = joe.event()
        assert (event[1], event[5]["topic"]) == (revoked, "organization.7")
        joe.subscribe("organization.8")


def test_an_expired_token_ends_the_session(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(OLD))
    with RouterProcess(configuration({"keys_file": str(path)})) as process:
        with joined(process, OLD.token(exp=int(time.time()) + 2)) as joe:
            assert joe.receive()[0::2] == [6, "wampgate.close.token_expired"]
        assert refused(process, OLD.token(exp=int(time.time()) - 1)) == "wamp.error.authentication_denied"


def test_a_session_is_warned_as_long_before_as_is_configured() -> None:
    with RouterProcess(configuration({"secret": SECRET}) | {"expiry_warning_seconds": 2}) as process:
        end = time.time() + 5
        with joined(process, SHARED.token(exp=int(end))) as joe:
            joe.subscribe("wampgate.auth.expiring")
            event = joe.event()
            assert 1 < end - time.time() < 3.5
            assert event[5]["seconds"] == pytest.approx(2, abs=0.5)
            assert joe.receive()[0::2] == [6, "wampgate.close.token_expired"]


def test_no_signed_token_and_no_secret_is_logged(tmp_path: Path) -> None:
    secret = "canary-of-the-shared-secret-0123456789"
    key = SigningKey("HS256", None, secret.encode())
    with RouterProcess(configuration({"secret": "${SECRET}"}), environ={"SECRET": secret}) as process:
        joined(process, key.token(canary="canary")).close()
        tokens = [
            key.token(exp=1, canary="canary"),
            key.token(aud="canary"),
            key.token(header={"alg": "none", "canary": "canary"}),
            signing_key("HS256").token(canary="canary"),
            "eyJjYW5hcnk.canary.canary",
        ]
        for token in tokens:
            refused(process, token)
            with Peer(process.port, headers=[("Authorization", f"Bearer {token}")]) as peer:
                peer.hello()
                assert peer.receive()[0] == 3
        log = process.wait_for_log("join refused", count=2 * len(tokens))
        assert "expired token of user 'joe'" in log
        assert "InvalidAudience" in log
    assert "canary" not in log
    for token in tokens:
        assert token not in log
        assert token.split(".")[1] not in log


@pytest.mark.parametrize(
    ("jwt", "said"),
    [
        ({"secret": "too short"}, "a secret of at least 32 bytes"),
        ({}, "exactly one of keys_file, keys_url and secret, got none of them"),
        ({"keys_url": "http://login.example.org/keys"}, "realms[0].authentication.ticket.jwt.keys_url: expected"),
        ({"secret": "x" * 40, "issuer": None}, "issuer: expected text, or jti_in_store beside it, got null"),
        ({"secret": "x" * 40, "jti_in_store": True}, "store: expected a store for authentication.ticket.jwt"),
    ],
)
def test_a_mistake_in_the_configuration_is_said(jwt: dict[str, Any], said: str) -> None:
    from router_process import RouterDidNotStart

    with pytest.raises(RouterDidNotStart) as failed, RouterProcess(configuration(jwt), alarms_allowed=True):
        pass
    assert said in str(failed.value)
    assert "Traceback" not in str(failed.value)


@pytest.mark.parametrize("content", ["", "{}", "-----BEGIN PUBLIC KEY-----\ncanary\n-----END PUBLIC KEY-----\n"])
def test_a_file_without_keys_is_said(tmp_path: Path, content: str) -> None:
    from router_process import RouterDidNotStart

    (tmp_path / "keys").write_text(content)
    router = RouterProcess(configuration({"keys_file": str(tmp_path / "keys")}), alarms_allowed=True)
    with pytest.raises(RouterDidNotStart) as failed, router:
        pass
    assert "wampgate can't start" in str(failed.value)
    assert "keys: it is no" in str(failed.value) or "keys: it is neither" in str(failed.value)
    assert "Traceback" not in str(failed.value)
    assert "canary" not in str(failed.value)


# --- Laravel Passport: signed tokens whose names stand in a table ---

PASSPORT = (
    "CREATE TABLE oauth_access_tokens (id char(80) PRIMARY KEY, user_id bigint, client_id uuid NOT NULL,"
    " name varchar(255), scopes text, revoked boolean NOT NULL, created_at timestamp(0) without time zone,"
    " updated_at timestamp(0) without time zone, expires_at timestamp(0) without time zone)",
    "CREATE TABLE organization_members (organization_id bigint NOT NULL, user_id bigint NOT NULL, role varchar(20))",
)
CLIENT = "9d0b3f0e-5a52-4a37-8a58-1d2f5a4c7e11"


class Passport:
    """A Laravel application's database and keys, and a router that knows both. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.key = signing_key("RS256", None)
        (folder / "oauth-public.key").write_bytes(self.key.pem)
        self.postgres = PostgresServer()
        self._folder = folder

    def __enter__(self) -> Passport:
        self.postgres.__enter__()
        self.dsn = self.postgres.create_database(*PASSPORT)
        self.execute("INSERT INTO organization_members VALUES (7, 41, ''), (8, 42, '')")
        jwt = {
            "keys_file": str(self._folder / "oauth-public.key"),
            "issuer": None,
            "audience": [CLIENT],
            "jti_in_store": True,
        }
        store = {"type": "postgres", "dsn": self.dsn, "preset": "passport", "timeout_seconds": 2}
        self.router = RouterProcess(configuration(jwt, store=store, sweep_seconds=1, cache_seconds=0)).__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.router.__exit__(*error)
        self.postgres.__exit__(*error)

    def execute(self, statement: str, *parameters: Any) -> None:
        self.postgres.execute(statement, dsn=self.dsn, parameters=parameters or None)

    def issue(self, user: int | None = 41, *, subject: str | None = None, **changes: Any) -> str:
        """A token as league/oauth2-server signs it, and its row."""
        id_ = secrets.token_hex(40)
        self.execute(
            "INSERT INTO oauth_access_tokens (id, user_id, client_id, revoked, expires_at)"
            " VALUES (%s, %s, %s, false, now() AT TIME ZONE 'UTC' + interval '1 hour')",
            id_,
            user,
            CLIENT,
        )
        now = time.time()
        claims = {"iss": None, "aud": CLIENT, "jti": id_, "iat": now, "nbf": now, "exp": now + 3600, "scopes": []}
        return self.key.token(sub=subject or str(user), **(claims | changes))


@pytest.fixture(scope="module")
def passport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Passport]:
    with Passport(tmp_path_factory.mktemp("passport")) as passport:
        yield passport


def id_of(token: str) -> str:
    import base64

    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["jti"])


def test_passports_token_opens_its_users_organizations(passport: Passport) -> None:
    with joined(passport.router, passport.issue()) as user:
        assert user.welcome["authid"] == "41"
        assert user.welcome["authextra"]["organizations"] == ["7"]
        user.subscribe("organization.7")
        with pytest.raises(WampError):
            user.subscribe("organization.8")


def test_what_is_not_in_passports_table_is_refused(passport: Passport) -> None:
    token = passport.issue()
    passport.execute("DELETE FROM oauth_access_tokens WHERE id = %s", id_of(token))
    assert refused(passport.router, token) == "wamp.error.authentication_denied"


def test_the_name_of_passports_token_is_no_token(passport: Passport) -> None:
    assert refused(passport.router, id_of(passport.issue())) == "wamp.error.authentication_denied"


def test_a_clients_own_token_is_nobodys(passport: Passport) -> None:
    # Newer servers write the client's id where a user's is expected: it may be a user's as well.
    assert refused(passport.router, passport.issue(None, subject="41")) == "wamp.error.authentication_denied"
    assert refused(passport.router, passport.issue(42, subject="41")) == "wamp.error.authentication_denied"


@pytest.mark.parametrize("changes", [{"aud": "another client"}, {"exp": 1}, {"nbf": 4e9}, {"jti": None}])
def test_what_passport_did_not_sign_so_is_refused(passport: Passport, changes: dict[str, Any]) -> None:
    assert refused(passport.router, passport.issue(**changes)) == "wamp.error.authentication_denied"


def test_who_is_logged_out_of_passport_is_logged_out_here(passport: Passport) -> None:
    token = passport.issue()
    with joined(passport.router, token) as user:
        user.subscribe("organization.7")
        passport.execute("UPDATE oauth_access_tokens SET revoked = true WHERE id = %s", id_of(token))
        goodbye = user.receive()
        assert goodbye[0] == 6
        assert goodbye[2] in ("wampgate.close.token_expired", "wampgate.close.token_revoked")
    assert refused(passport.router, token) == "wamp.error.authentication_denied"


def test_a_membership_that_ends_in_passports_database_ends_here(passport: Passport) -> None:
    passport.execute("INSERT INTO organization_members VALUES (9, 43, '')")
    with joined(passport.router, passport.issue(43)) as user:
        user.subscribe("organization.9")
        revoked = user.subscribe("wampgate.revoked")
        passport.execute("DELETE FROM organization_members WHERE user_id = 43")
        event = user.event()
        assert (event[1], event[5]["topic"]) == (revoked, "organization.9")
