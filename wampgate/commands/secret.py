"""The command ``wampgate secret``: makes what is kept of a password, or a key pair, as JSON for router.json."""

from __future__ import annotations

import getpass
import json
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

import click

from wampgate.commands.errors import CommandFailed
from wampgate.commands.output import json_anyway
from wampgate.config.credentials import Kdf
from wampgate.config.errors import quoted
from wampgate.config.formats import is_authid, is_role

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., Any]")

COUNT: Final = click.IntRange(1, 10_000_000)


def _an_authid(_context: click.Context, _option: click.Parameter, text: str) -> str:
    if is_authid(text):
        return text
    raise click.BadParameter(
        f'expected up to 128 printable characters without spaces, outside "wampgate.", got {quoted(text)}'
    )


def _a_role(_context: click.Context, _option: click.Parameter, text: str) -> str:
    if is_role(text):
        return text
    raise click.BadParameter(
        f'expected up to 64 ASCII letters, digits and "_.:-", outside "wampgate.", got {quoted(text)}'
    )


def _of_principal(command: Command) -> Command:
    """The options that say whose secret it is."""
    role = click.option("--role", default="member", show_default=True, callback=_a_role, help="The role.")
    user = click.option("--user", required=True, callback=_an_authid, help="The authid.")
    return user(role(json_anyway(command)))


@click.group("secret")
def secret_command() -> None:
    """Make what is kept of a password, or a key, for router.json.

    Passwords are read from the terminal, or from what is piped in; what is printed is a principal's section.
    """


@secret_command.command("wampcra")
@_of_principal
@click.option("--iterations", type=COUNT, default=10_000, show_default=True, help="How often it is hashed.")
def _wampcra(user: str, role: str, iterations: int) -> None:
    """A salted secret of a password that is read from the terminal or stdin."""
    # Loaded only where it is used, with all of cryptography behind it.
    from wampgate.authentication.derivation import wampcra_secret  # noqa: PLC0415

    _print(user, role, "wampcra", wampcra_secret(_password(), iterations=iterations))


@secret_command.command("scram")
@_of_principal
@click.option(
    "--kdf",
    type=click.Choice(get_args(Kdf)),
    default="argon2id13",
    show_default=True,
    help="How it is hashed; argon2id-13 is for Autobahn's clients.",
)
@click.option("--iterations", type=COUNT, help="How often (2; with pbkdf2, 600000).")
@click.option("--memory", type=COUNT, help="With how much memory in KiB (19456); not with pbkdf2.")
def _scram(user: str, role: str, kdf: Kdf, iterations: int | None, memory: int | None) -> None:
    """What is kept of a password that is read from the terminal or stdin."""
    from wampgate.authentication.derivation import scram_secret  # noqa: PLC0415 - as above

    try:
        section = scram_secret(_password(), kdf=kdf, iterations=iterations, memory=memory)
    except ValueError as error:
        raise CommandFailed(f"the password, or --iterations or --memory, can't be used: {error}") from None
    _print(user, role, "scram", section)


@secret_command.command("cryptosign")
@_of_principal
@click.option("--key-file", required=True, type=click.Path(), help="Where the private key goes; must not be there yet.")
def _cryptosign(user: str, role: str, key_file: str) -> None:
    """A new key; the private one is written into a file."""
    from wampgate.authentication.key_pair import write_new_key  # noqa: PLC0415 - as above

    try:
        public = write_new_key(key_file)
    except OSError as error:
        raise CommandFailed(f"--key-file {key_file!r}: {error.strerror}") from None
    _print(user, role, "cryptosign", {"public_keys": [public]})


def _print(user: str, role: str, method: str, section: dict[str, Any]) -> None:
    click.echo(json.dumps({"authid": user, "role": role, method: section}, indent=2))


def _password() -> str:
    """The password, typed twice, or the first line of what is piped in."""
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise CommandFailed("the passwords differ")
    if not password:
        raise CommandFailed("no password came: type it, or pipe it in")
    return password
