"""The command ``wampgate kick``: ends sessions, by whose they are."""

from __future__ import annotations

import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import click

from wampgate.commands.connecting import connection_options
from wampgate.commands.errors import CommandFailed
from wampgate.commands.output import output_options
from wampgate.config.errors import printable

if TYPE_CHECKING:
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.output import Output

_KILL = "wampgate.sessions.kill"


@click.command("kick")
@click.option("--authid", metavar="AUTHID", help="All sessions of this authid.")
@click.option("--session", type=int, metavar="ID", help="The session of this id.")
@click.option("--organization", metavar="ID", help="All sessions of this organization's members.")
@click.option("--address", metavar="IP", help="All sessions from this address.")
@click.option(
    "--by-token",
    is_flag=True,
    help="All sessions that joined by the token on standard input; only its hash is sent.",
)
@click.option("--reason", metavar="URI", help="What they are told, as a URI. [default: wamp.close.killed]")
@click.option("--message", metavar="TEXT", help="What they are told, as a sentence.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@connection_options()
@output_options
def kick_command(
    *,
    authid: str | None,
    session: int | None,
    organization: str | None,
    address: str | None,
    by_token: bool,
    reason: str | None,
    message: str | None,
    yes: bool,
    where: Where,
    output: Output,
) -> None:
    """End sessions, and say how many there were.

    They are told why, and stock clients stay away then. It takes no right away: whoever still has a token may come
    back; revoke the token, or remove the membership, for that. The command's own session lives on.

    \b
    wampgate kick --authid alice
    wampgate kick --organization 7 --message "we are moving; come back tomorrow"
    """  # noqa: D301 - click takes this character for: keep these lines
    by = {"authid": authid, "session": session, "organization": organization, "address": address}
    chosen: dict[str, Any] = {name: value for name, value in by.items() if value is not None}
    if len(chosen) + by_token != 1:
        raise click.UsageError("name one of --authid, --session, --organization, --address and --by-token")
    if by_token:
        chosen = {"token_hash": _hash_from_stdin(where)}
    _confirm(chosen, where, yes=yes)
    said = {name: text for name, text in (("reason", reason), ("message", message)) if text is not None}
    ended = _end(where, output, chosen, said)
    output.show(
        f"{ended:,} session{'' if ended == 1 else 's'} ended" if ended else "no such session is here",
        document={"ended": ended},
    )


def _end(where: Where, output: Output, chosen: dict[str, Any], said: dict[str, str]) -> int:
    from autobahn.wamp.exception import ApplicationError  # noqa: PLC0415 - what imports Autobahn comes last

    from wampgate.commands.speaking import asked, speak  # noqa: PLC0415 - likewise

    async def work(own: CommandSession) -> int:
        if "session" not in chosen:
            answer = await asked(own, _KILL, **chosen, **said)
            return int(answer.args[0])
        try:
            await asked(own, "wamp.session.kill", chosen["session"], **said)
        except ApplicationError as error:
            if error.error != "wamp.error.no_such_session":
                raise
            return 0
        return 1

    return speak(where, output, work)


def _confirm(chosen: dict[str, Any], where: Where, *, yes: bool) -> None:
    """Ask, where someone can answer.

    Raises:
        click.Abort: the answer is no.
        click.UsageError: nobody can be asked.
    """
    if yes:
        return
    name, value = next(iter(chosen.items()))
    shown = "by that token" if name == "token_hash" else f"of {name} {printable(str(value))}"
    if not sys.stdin.isatty():
        raise click.UsageError(f"end all sessions {shown}? Nobody is there to be asked: add --yes")
    click.confirm(f"End all sessions {shown} at {where.shown}, realm {printable(where.realm)}?", abort=True, err=True)


def _hash_from_stdin(where: Where) -> str:
    """The hash by which the router knows the token on standard input.

    Raises:
        CommandFailed: there is none.
    """
    if where.stdin_taken:
        raise click.UsageError("standard input can't hold both tokens; show your own with --token-file")
    typed = click.prompt("Token to end", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
    token = str(typed).strip()
    if not token or not token.isprintable():
        raise CommandFailed("standard input: expected a token in one line")
    return sha256(token.encode()).hexdigest()
