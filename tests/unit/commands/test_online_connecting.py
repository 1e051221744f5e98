"""How a command finds its router, and its token without ever having it on the command line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click
import pytest

from wampgate.client.plan import CONNECTION_LOST, NO_TOKEN, UNTRUSTED, State
from wampgate.commands import app
from wampgate.commands.connecting import Where, demo_token, where_of
from wampgate.commands.conversation import TIMED_OUT
from wampgate.commands.errors import FAILED, REFUSED, UNREACHABLE, CommandFailed
from wampgate.commands.speaking import not_joined
from wampgate.core.errors import uri

if TYPE_CHECKING:
    from pathlib import Path

ONLINE = (
    *("publish", "call", "tail", "subscribe", "sessions", "top", "explain", "kick"),
    *("status", "refusals", "reload", "audit", "usage"),
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("WAMPGATE_URL", "WAMPGATE_REALM", "WAMPGATE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


def test_what_nobody_says() -> None:
    assert where_of() == Where("ws://127.0.0.1:8080/ws", "realm1")


def test_router_json_says_it(tmp_path: Path) -> None:
    (tmp_path / "router.json").write_text('{"listen": [{"endpoint": "tcp:9090"}], "realms": [{"name": "news"}]}')
    assert where_of() == Where("ws://127.0.0.1:9090/ws", "news")
    assert where_of(url="wss://example.org/ws").url == "wss://example.org/ws"
    assert where_of(realm="other").realm == "other"
    assert where_of(config="nothing.json").realm == "realm1"


@pytest.mark.parametrize("url", ["http://127.0.0.1/ws", "127.0.0.1:8080", "ws:/x"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(CommandFailed, match="no URL of a WebSocket"):
        where_of(url=url)


def test_the_variable_holds_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAMPGATE_TOKEN", " secret\n")
    assert where_of().token == "secret"
    assert where_of(anonymous=True).token is None


def test_standard_input_holds_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("secret\n"))
    where = where_of(token_stdin=True)
    assert (where.token, where.stdin_taken) == ("secret", True)


def test_a_file_holds_the_token_and_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    token: Any = where_of(token_file=file).token
    assert token() == "first"
    file.write_text("second\n")
    assert token() == "second"


def test_a_file_may_hold_several_by_name(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text('{"operator": "one", "backend": "two"}')
    of_nobody: Any = where_of(token_file=file).token
    of_the_backend: Any = where_of(token_file=file, demo_user="backend").token
    assert (of_nobody(), of_the_backend()) == ("one", "two")
    with pytest.raises(CommandFailed, match="no token of alice; there are those of operator, backend"):
        where_of(token_file=file, demo_user="alice")
    file.write_text('{"operator": ')
    with pytest.raises(CommandFailed, match="expected a token in one line, or tokens as JSON"):
        where_of(token_file=file)


@pytest.mark.parametrize("text", ["", "\n", "two\nlines", "a\x1b[0m"])
def test_a_token_that_is_none_is_not_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(CommandFailed, match="expected a token in one line") as failed:
        where_of(token_file=file)
    assert "lines" not in failed.value.message


def test_one_token_is_enough(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    with pytest.raises(click.UsageError):
        where_of(token_file=tmp_path / "token", anonymous=True)


def test_the_demos_tokens(tmp_path: Path) -> None:
    file = tmp_path / "demo-tokens.json"
    file.write_text(json.dumps({"alice": "a", "operator": "o"}))
    assert demo_token(file, None) == "o"
    assert demo_token(file, "alice") == "a"
    with pytest.raises(CommandFailed, match="no token of carol; there are those of alice, operator"):
        demo_token(file, "carol")
    with pytest.raises(CommandFailed, match="no tokens of a demo here"):
        where_of(demo=True)


@pytest.mark.parametrize("name", ONLINE)
def test_no_option_takes_a_token(name: str) -> None:
    names = [text for option in app.load(app.PLACE_BY_NAME[name]).params for text in option.opts]
    assert "--token" not in names
    assert {"--url", "--realm", "--token-file", "--token-stdin", "--json"} <= set(names)


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        (State("waiting", reason=CONNECTION_LOST, message="ConnectionRefusedError: x"), UNREACHABLE, "nobody listens"),
        (State("waiting", reason=CONNECTION_LOST, message="gaierror: [Errno -2] x"), UNREACHABLE, "host name"),
        (
            State("waiting", reason=CONNECTION_LOST, message='ended ("WebSocket connection upgrade failed [404]: No")'),
            UNREACHABLE,
            "it answers [404]: No",
        ),
        (State("waiting", reason=TIMED_OUT, message="no answer within 1 seconds"), UNREACHABLE, "--connect-timeout"),
        (
            State("closed", reason=UNTRUSTED, message="SSLError: x: certificate verify failed: it is old"),
            UNREACHABLE,
            "not to be trusted: it is old; --ca-file",
        ),
        (State("waiting", reason=NO_TOKEN, message="the token could not be fetched"), FAILED, "could not be fetched"),
        (State("closed", reason=uri.NO_SUCH_REALM, message="no realm"), REFUSED, "name a realm"),
        (State("closed", reason=uri.AUTHENTICATION_REQUIRED, message="no"), REFUSED, "WAMPGATE_TOKEN"),
        (State("closed", reason="com.example.why", message="\x1b[2J"), REFUSED, "\\x1b[2J (com.example.why)"),
        (State("waiting", reason=uri.AUTHENTICATION_FAILED, message="x"), UNREACHABLE, "try again after a while"),
    ],
)
def test_why_there_is_no_session(state: State, status: int, words: str) -> None:
    failed = not_joined(Where("ws://127.0.0.1/ws?token=secret", "realm1"), state)
    assert failed.exit_code == status
    assert words in failed.message
    assert failed.message.isprintable()
    assert "secret" not in failed.message


def test_no_module_but_the_session_itself_chooses_autobahns_framework() -> None:
    """Who imports commands beside Twisted, as the documentation's generator does, keeps the choice."""
    names = ("speaking", "publishing", "tailing", "looking", "watching", "conversation")
    text = "; ".join(f"import wampgate.commands.{name}" for name in names)
    text += "; import sys; sys.exit(any(name.startswith('autobahn.asyncio') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", text], check=False).returncode == 0
