"""The command ``wampgate token``: tokens in wampgate's own tables, for where no OAuth server makes them."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from wampgate.commands.errors import CommandFailed
from wampgate.commands.output import Column, Output, Table, config_option, output_options
from wampgate.commands.own_tables import opened, realm_of, refuse_foreign_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.config.model import Realm
    from wampgate.stores.issuing import Issued

_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DIGEST: Final = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_SAME_TABLE: Final = ("bshaffer",)

realm_option = click.option("--realm", help="Which realm's store; needed where several have one.")


class Expiry(click.ParamType[datetime | None]):
    """A moment to come: ``30d``, ``12h``, an ISO date or time, or ``never`` (None)."""

    name = "when"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | None:
        """The moment; click's signature."""
        if not isinstance(value, str) or value == "never":
            return None
        moment = _moment(value)
        if moment is None:
            self.fail("write a time from now such as 30d, 12h or 90m, a date such as 2030-12-31, or never", param, ctx)
        if moment <= datetime.now(UTC):
            self.fail(f"{moment.isoformat()} is over", param, ctx)
        return moment


def _moment(text: str) -> datetime | None:
    duration = _DURATION.fullmatch(text)
    try:
        if duration is not None:
            return datetime.now(UTC).replace(microsecond=0) + timedelta(**{_UNITS[duration[2]]: int(duration[1])})
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@click.group("token")
def token_command() -> None:
    """Create, list and revoke tokens in wampgate's own tables.

    Where an OAuth server makes the tokens (a preset, or a token_query of yours), it also revokes them.
    """


@token_command.command("create")
@config_option
@realm_option
@click.option("--user", required=True, help="Whose token it is: the authid.")
@click.option(
    "--expires", type=Expiry(), default="30d", show_default=True, help="When it ends: 30d, 12h, 2030-12-31, never."
)
@output_options
def _create(config: str, realm: str | None, user: str, expires: datetime | None, output: Output) -> None:
    """Make a token for a user and print it, this once.

    The table holds its SHA-256 (unless token_hash is plain). The token alone goes to standard output, so that
    `TOKEN=$(wampgate token create --user alice)` works.
    """
    _refuse_odd(user)
    section = realm_of(config, realm)
    refuse_foreign_tokens(section, "create")
    if expires is None and section.store is not None and not section.store.allow_null_expires:
        raise CommandFailed(
            f"realm {section.name}: a token without an end is refused there; set allow_null_expires in its store,"
            " or give --expires a time such as 365d"
        )
    with opened(section) as tables:
        token, digest = tables.create(user, expires)
    until = "for ever" if expires is None else f"until {expires.isoformat()}"
    output.note(f"a token of {user} in realm {section.name}, good {until}; revoke it by --hash {digest[:12]}")
    if output.json:
        output.document({"token": token, "hash": digest[:12], "user": user, "realm": section.name, "expires": expires})
    else:
        output.line(token)


@token_command.command("list")
@config_option
@realm_option
@click.option("--user", help="Only those of one user.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="So many at most.")
@output_options
def _list(config: str, realm: str | None, user: str | None, limit: int, output: Output) -> None:
    """List tokens, those that last longest first.

    Shown are the first digits of each one's SHA-256, by which it can be revoked; nobody can log in with them.
    """
    section = realm_of(config, realm)
    refuse_foreign_tokens(section, "list", may_be=_SAME_TABLE)
    with opened(section) as tables:
        found = tables.tokens(user, limit + 1)
    rows = [_row(token, section) for token in found[:limit]]
    output.show(_table(rows))
    if len(found) > limit:
        output.note(f"there are more than {limit}: see --limit and --user")


@token_command.command("revoke")
@config_option
@realm_option
@click.option("--hash", "digits", metavar="DIGITS", help="The token with this hash: 8 digits or more, as `list` shows.")
@click.option("--user", help="All tokens of this user.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@output_options
def _revoke(config: str, realm: str | None, digits: str | None, user: str | None, *, yes: bool, output: Output) -> None:
    """Take tokens away; sessions that joined by them end at once.

    By --hash, by --user, or the token itself from standard input: it has no place on a command line, where other
    users of this machine could read it.
    """
    if digits is not None and user is not None:
        raise click.UsageError("--hash and --user exclude each other.")
    if digits is not None and _DIGEST.fullmatch(digits.lower()) is None:
        raise click.UsageError("--hash takes 8 to 64 hexadecimal digits, as `wampgate token list` shows them.")
    section = realm_of(config, realm)
    refuse_foreign_tokens(section, "revoke", may_be=_SAME_TABLE)
    token = _token() if digits is None and user is None else None
    if user is not None and not yes:
        _ask(f"Revoke all tokens of {user} in realm {section.name}?")
    with opened(section) as tables:
        if user is not None:
            gone = tables.revoke_all_of(user)
        elif digits is not None:
            if len(tables.with_digest(digits.lower())) > 1:
                raise CommandFailed(f"several tokens begin with {digits}: give more digits")
            gone = tables.revoke_digest(digits.lower())
        else:
            gone = tables.revoke(token or "")
    if not gone:
        raise CommandFailed(f"realm {section.name}: there is no such token, so nothing was revoked")
    output.show(_table([_row(one, section) for one in gone], title="revoked"))


def _ask(question: str) -> None:
    """See that it is wanted, by someone at a terminal.

    Raises:
        click.UsageError: nobody is there.
        CommandFailed: it is not.
    """
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody is there to be asked: add --yes.")
    if not click.confirm(question, err=True):
        raise CommandFailed("nothing was done")


def _token() -> str:
    """A token, typed unseen or piped in."""
    if sys.stdin.isatty():
        token = str(click.prompt("Token", hide_input=True, err=True))
    else:
        token = sys.stdin.readline().strip()
    if not token:
        raise CommandFailed("no token came: pipe it in, or name it by --hash or --user")
    return token


def _refuse_odd(user: str) -> None:
    from wampgate.stores.questions import is_askable  # noqa: PLC0415 - only here

    if not is_askable(user) or not user.isprintable():
        raise click.UsageError("--user takes printable text.")


def _row(token: Issued, realm: Realm) -> dict[str, Any]:
    endless = realm.store is not None and realm.store.allow_null_expires
    over = not endless if token.expires is None else token.expires <= datetime.now(UTC)
    return {
        "hash": token.digest,
        "user": token.user,
        "client": token.client,
        "expires": token.expires,
        "state": "expired" if over else "good",
    }


def _table(rows: Sequence[dict[str, Any]], title: str | None = None) -> Table:
    columns = (
        Column("hash"),
        Column("user"),
        Column("client"),
        Column("expires"),
        Column("state", style=lambda state: "green" if state == "good" else "dim"),
    )
    return Table(columns, rows, title=title, empty="no tokens")
