"""The command ``wampgate secret``: makes what is kept of a password, or a key pair, as JSON for router.json."""

from __future__ import annotations

import getpass
import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse


class NoSecret(Exception):
    """No secret can be made of what was given; the text says why, and holds no password."""


def add_arguments(secret: argparse.ArgumentParser) -> None:
    """What ``wampgate secret`` understands."""
    kinds = secret.add_subparsers(dest="kind", required=True, metavar="METHOD")
    wampcra = kinds.add_parser("wampcra", help="a salted secret of a password that is read from the terminal or stdin")
    wampcra.add_argument("--iterations", type=_count, default=10_000, help="how often it is hashed (10000)")
    scram = kinds.add_parser("scram", help="what is kept of a password that is read from the terminal or stdin")
    scram.add_argument(
        "--kdf",
        choices=("argon2id13", "pbkdf2", "argon2id-13"),
        default="argon2id13",
        help="how it is hashed (argon2id13); argon2id-13 is for Autobahn's clients",
    )
    scram.add_argument("--iterations", type=_count, help="how often (2; with pbkdf2, 600000)")
    scram.add_argument("--memory", type=_count, help="with how much memory in KiB (19456); not with pbkdf2")
    cryptosign = kinds.add_parser("cryptosign", help="a new key; the private one is written into a file")
    cryptosign.add_argument("--key-file", required=True, help="where the private key goes; must not be there yet")
    for kind in (wampcra, scram, cryptosign):
        kind.add_argument("--user", required=True, help="the authid")
        kind.add_argument("--role", default="member", help="the role (member)")


def principal_of(options: argparse.Namespace) -> dict[str, Any]:
    """A principal's section, by what the command line says.

    Raises:
        NoSecret: there is no password, or it can't be used; or the key's file can't be written.
    """
    section = _cryptosign(options) if options.kind == "cryptosign" else _of_password(options)
    return {"authid": options.user, "role": options.role, options.kind: section}


def run(options: argparse.Namespace) -> int:
    """Make a secret and print it; the exit status."""
    try:
        principal = principal_of(options)
    except NoSecret as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{json.dumps(principal, indent=2)}\n")
    return 0


def _of_password(options: argparse.Namespace) -> dict[str, Any]:
    # Loaded only where it is used, with all of cryptography behind it.
    from wampgate.authentication.derivation import scram_secret, wampcra_secret  # noqa: PLC0415

    password = _password()
    if options.kind == "wampcra":
        return wampcra_secret(password, iterations=options.iterations)
    try:
        return scram_secret(password, kdf=options.kdf, iterations=options.iterations, memory=options.memory)
    except ValueError as error:
        raise NoSecret(f"the password, or --iterations or --memory, can't be used: {error}") from None


def _cryptosign(options: argparse.Namespace) -> dict[str, Any]:
    from wampgate.authentication.key_pair import write_new_key  # noqa: PLC0415 - as above

    try:
        return {"public_keys": [write_new_key(options.key_file)]}
    except OSError as error:
        raise NoSecret(f"--key-file {options.key_file!r}: {error.strerror}") from None


def _password() -> str:
    """The password, typed twice, or the first line of what is piped in."""
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = getpass.getpass("Password: ")
        if getpass.getpass("Once more: ") != password:
            raise NoSecret("the passwords differ")
    if not password:
        raise NoSecret("no password came: type it, or pipe it in")
    return password


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 10_000_000:
        raise ValueError("out of bounds")
    return number
