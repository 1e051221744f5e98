"""How a command finds its router and says who it is, the same for all that speak to a running one."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from functools import partial, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from wampgate.commands.errors import CommandFailed
from wampgate.commands.output import config_option
from wampgate.commands.router_file import whereabouts
from wampgate.config.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.client.renewing import Token

Command = TypeVar("Command", bound="Callable[..., Any]")

URL: Final = "ws://127.0.0.1:8080/ws"
REALM: Final = "realm1"
DEMO_TOKENS: Final = Path("var/demo-tokens.json")

TOKEN_VARIABLE: Final = "WAMPGATE_TOKEN"  # noqa: S105 - a variable's name
SHOW_A_TOKEN: Final = (
    f"show a token: in the variable {TOKEN_VARIABLE}, with --token-file or --token-stdin,"
    " or with --demo one of the demo's"
)


@dataclass(frozen=True, slots=True)
class Where:
    """A router, and as whom to speak to it.

    Attributes:
        url: a WebSocket's, or ``unix:`` and the path of a socket.
        realm: its name.
        token: a token, or what reads a fresh one; None for none.
        authid: whom to be, if that is to be asked for.
        ca_file: the authorities to trust, in PEM; None for the system's.
        timeout: so long a router may take until a session has joined, in seconds.
        stdin_taken: whether the token came from standard input, which is at its end then.
    """

    url: str
    realm: str
    token: Token = None
    authid: str | None = None
    ca_file: str | None = None
    timeout: float = 15.0
    stdin_taken: bool = False

    @property
    def shown(self) -> str:
        """The URL without what could be secret in it."""
        return printable(self.url.partition("?")[0].partition("#")[0])


def connection_options(demo_user: str = "operator") -> Callable[[Command], Command]:
    """The options by which a command finds its router; the command gets them as its argument ``where``.

    Args:
        demo_user: whose token ``--demo`` shows if nobody is named: someone who may do what the command does.
    """

    def decorate(command: Command) -> Command:
        def with_where(*arguments: Any, **options: Any) -> Any:
            own = {name: options.pop(name) for name in _NAMES}
            if own["demo"] and own["demo_user"] is None:
                own["demo_user"] = demo_user
            return command(*arguments, where=where_of(**own), **options)

        wrapped: Any = update_wrapper(with_where, command)
        for option in reversed((*_OPTIONS, _demo_user(demo_user), *_MORE)):
            wrapped = option(wrapped)
        return config_option(wrapped)  # type: ignore[no-any-return]  # click's decorators lose the type

    return decorate


def _demo_user(default: str) -> Callable[[Any], Any]:
    return click.option(
        "--as",
        "demo_user",
        metavar="NAME",
        help=f"Whose token, of the demo's or of a file with several. [default: {default}]",
    )


_OPTIONS: Final = (
    click.option(
        "--url",
        envvar="WAMPGATE_URL",
        metavar="URL",
        help=f"The router's WebSocket, or unix:/path. Without it that of router.json, else {URL}. [env: WAMPGATE_URL]",
    ),
    click.option(
        "--realm",
        envvar="WAMPGATE_REALM",
        metavar="NAME",
        help=f"The realm. Without it the first of router.json, else {REALM}. [env: WAMPGATE_REALM]",
    ),
    click.option(
        "--token-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="A file that holds the token, or several as `wampgate init --tokens` writes them; read again whenever a"
        " fresh one is needed.",
    ),
    click.option("--token-stdin", is_flag=True, help="Read the token from standard input, up to its end."),
    click.option("--demo", is_flag=True, help=f"Show a token of the demo, from {DEMO_TOKENS}."),
)
_MORE: Final = (
    click.option("--anonymous", is_flag=True, help="Show no token."),
    click.option("--own-authid", metavar="AUTHID", help="Join as this authid or not at all."),
    click.option(
        "--ca-file",
        type=click.Path(exists=True, dir_okay=False),
        metavar="FILE",
        help="Authorities that may vouch for a wss:// router, in PEM, instead of the system's.",
    ),
    click.option(
        "--connect-timeout",
        type=click.FloatRange(0.1, 3600),
        default=15.0,
        show_default=True,
        metavar="SECONDS",
        help="So long the router may take until the session has joined.",
    ),
)
_NAMES: Final = (
    "url",
    "realm",
    "token_file",
    "token_stdin",
    "demo",
    "demo_user",
    "anonymous",
    "own_authid",
    "ca_file",
    "connect_timeout",
    "config",
)


def where_of(
    *,
    url: str | None = None,
    realm: str | None = None,
    token_file: Path | None = None,
    token_stdin: bool = False,
    demo: bool = False,
    demo_user: str | None = None,
    anonymous: bool = False,
    own_authid: str | None = None,
    ca_file: str | None = None,
    connect_timeout: float = 15.0,
    config: str = "router.json",
) -> Where:
    """What the options say, with what router.json and the environment say where they are silent.

    Raises:
        click.UsageError: they contradict one another.
        CommandFailed: a token can't be read, or the URL is none.
    """
    demo = demo or (demo_user is not None and token_file is None)
    if sum((token_file is not None, token_stdin, demo, anonymous)) > 1:
        raise click.UsageError("name one of --token-file, --token-stdin, --demo and --anonymous")
    found = whereabouts(Path(config)) if not demo and (url is None or realm is None) else None
    url = url or (found and found.url) or URL
    if not url.startswith(("ws://", "wss://", "unix:/")):
        raise CommandFailed(
            f"{printable(url.partition('?')[0])} is no URL of a WebSocket: it begins with wss:// or ws://, or is"
            " unix: and the path of a socket"
        )
    where = Where(
        url, realm or (found and found.realm) or REALM, None, own_authid, ca_file, connect_timeout, token_stdin
    )
    if anonymous:
        return where
    token = _token(token_file, token_stdin=token_stdin, demo=demo, demo_user=demo_user, shown=where.shown)
    return replace(where, token=token)


def _token(token_file: Path | None, *, token_stdin: bool, demo: bool, demo_user: str | None, shown: str) -> Token:
    if token_file is not None:
        _read(token_file, demo_user)
        return partial(_read, token_file, demo_user)
    if token_stdin:
        return _checked(sys.stdin.read(), "standard input")
    if demo:
        return demo_token(DEMO_TOKENS, demo_user)
    if os.environ.get(TOKEN_VARIABLE):
        return _checked(os.environ[TOKEN_VARIABLE], f"the variable {TOKEN_VARIABLE}")
    if sys.stdin.isatty() and sys.stderr.isatty():
        return _prompted(shown)
    return None


def _prompted(shown: str) -> Token:
    typed = click.prompt(
        f"Token for {shown} (nothing to join without one)", default="", show_default=False, hide_input=True, err=True
    )
    return _checked(typed, "what was typed") if typed.strip() else None


def _read(path: Path, name: str | None) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "it is no text"
        raise CommandFailed(f"{printable(str(path))}: the token can't be read: {reason}") from None
    if not text.lstrip().startswith("{"):
        return _checked(text, printable(str(path)))
    return _checked(_named(text, name, path), printable(str(path)))


def _checked(text: str, source: str) -> str:
    """A token as it may be shown; never told if it is none."""
    token = text.strip()
    if not token or not token.isprintable():
        raise CommandFailed(f"{source}: expected a token in one line, got {'several' if token else 'nothing'}")
    return token


def demo_token(path: Path, name: str | None) -> str:
    """One of the demo's tokens; the operator's if nobody is named.

    Raises:
        CommandFailed: there is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise CommandFailed(
            f"{path}: no tokens of a demo here; run this in the folder where `twistd -n wampgate --demo` runs"
        ) from None
    return _named(text, name, path)


def _named(text: str, name: str | None, path: Path) -> str:
    """One of several tokens, as JSON has them by name.

    Raises:
        CommandFailed: there is none of that name.
    """
    try:
        tokens = json.loads(text)
    except ValueError:
        raise CommandFailed(f"{printable(str(path))}: expected a token in one line, or tokens as JSON") from None
    known = {key: token for key, token in tokens.items() if isinstance(token, str)} if isinstance(tokens, dict) else {}
    wanted = name or "operator"
    if wanted not in known:
        there = ", ".join(map(printable, known))
        raise CommandFailed(f"{printable(str(path))}: no token of {printable(wanted)}; there are those of {there}")
    return known[wanted]
