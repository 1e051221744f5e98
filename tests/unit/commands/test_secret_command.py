"""The command `wampgate secret`: what it prints opens a session with the password and holds nothing of it."""

from __future__ import annotations

import io
import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from unit.authentication.proving import ScramClient, Table, cra, credentials, routed

from wampgate.authentication.derivation import wampcra_secret
from wampgate.commands.app import main

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "canary pässword"


def made(arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any, typed: str = PASSWORD) -> dict[str, Any]:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
    assert main(["secret", *arguments]) == 0
    printed = capsys.readouterr()
    assert typed not in printed.out
    assert printed.err == ""
    principal: dict[str, Any] = json.loads(printed.out)
    return principal


def test_wampcra(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    principal = made(["wampcra", "--user", "joe", "--iterations", "10"], monkeypatch, capsys)
    assert (principal["authid"], principal["role"]) == ("joe", "member")
    section = principal["wampcra"]
    peer = routed(Table(("wampcra", credentials("joe", section, provider="store")))).peer()
    (challenge,) = peer.hello(authmethods=["wampcra"], authid="joe")
    said = challenge[2]
    derived = wampcra_secret(PASSWORD, iterations=said["iterations"], keylen=said["keylen"], salt=said["salt"])
    assert peer.say(5, cra(derived["secret"], said["challenge"]), {})[0][0] == 2


@pytest.mark.parametrize(
    "options", [["--kdf", "pbkdf2", "--iterations", "10"], ["--iterations", "1", "--memory", "64"]]
)
def test_scram(options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    principal = made(["scram", "--user", "joe", "--role", "client", *options], monkeypatch, capsys)
    peer = routed(Table(("scram", credentials("joe", principal["scram"], provider="store")))).peer()
    client = ScramClient("joe", PASSWORD)
    (challenge,) = peer.hello(authmethods=["wamp-scram"], authid="joe", authextra=client.authextra)
    (welcome,) = peer.say(5, *client.answer(challenge[2]))
    assert welcome[2]["authextra"]["verifier"] == client.verifier


def test_what_it_prints_is_a_principal_of_router_json(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    from wampgate.config import load

    principals = [
        made(["wampcra", "--user", "joe"], monkeypatch, capsys),
        made(["scram", "--user", "ann", "--iterations", "1"], monkeypatch, capsys),
        made(["scram", "--user", "bahn", "--kdf", "argon2id-13", "--iterations", "1"], monkeypatch, capsys),
        made(["scram", "--user", "bob", "--kdf", "pbkdf2", "--iterations", "1"], monkeypatch, capsys),
        made(["cryptosign", "--user", "eve", "--key-file", str(tmp_path / "eve.key")], monkeypatch, capsys),
    ]
    methods: dict[str, Any] = {"wampcra": {}, "scram": {}, "cryptosign": {}}
    document = {"realms": [{"name": "realm1", "authentication": methods | {"principals": principals}}]}
    (tmp_path / "router.json").write_text(json.dumps(document))
    loaded = load(tmp_path / "router.json", {}).realms[0].authentication.principals
    assert [principal.authid for principal in loaded] == ["joe", "ann", "bahn", "bob", "eve"]


def test_cryptosign(monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> None:
    file = tmp_path / "joe.key"
    principal = made(["cryptosign", "--user", "joe", "--key-file", str(file)], monkeypatch, capsys)
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(file.read_text()))
    assert principal["cryptosign"]["public_keys"] == [key.public_key().public_bytes_raw().hex()]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_text()
    assert main(["secret", "cryptosign", "--user", "joe", "--key-file", str(file)]) == 1
    assert file.read_text() == before
    assert "File exists" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "said"), [("", "no password came"), ("\u0627x\u0627", "can't be used")])
def test_passwords_that_are_none(typed: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
    assert main(["secret", "scram", "--user", "joe"]) == 1
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""
    assert not typed or typed not in printed.err


def test_a_typed_password_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    typed = iter(["one", "another"])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    assert main(["secret", "wampcra", "--user", "joe"]) == 1
    assert capsys.readouterr().err == "the passwords differ\n"


@pytest.mark.parametrize(
    ("option", "text"), [("--user", "wampgate.x"), ("--user", "a b"), ("--role", "wampgate.x"), ("--role", "é")]
)
def test_what_router_json_would_not_take_is_refused_before_a_password_is_asked_for(
    option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["secret", "wampcra", "--user", "alice", option, text]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"Invalid value for '{option}': expected up to" in printed.err
    assert 'outside "wampgate."' in printed.err


def test_a_program_may_ask_for_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a password\n"))
    assert main(["secret", "wampcra", "--user", "alice", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["authid"] == "alice"
