"""The command ``wampgate member``: who belongs to which organization, in wampgate's own tables."""

from __future__ import annotations

from dataclasses import asdict

import click

from wampgate.commands.errors import CommandFailed
from wampgate.commands.output import Column, Output, Table, config_option, output_options
from wampgate.commands.own_tables import opened, realm_of, refuse_foreign_members
from wampgate.commands.token import realm_option
from wampgate.core.uri import is_organization_id


@click.group("member")
def member_command() -> None:
    """Add, list and remove members of organizations in wampgate's own tables.

    Who is connected gains or loses the organization's topics at once.
    """


@member_command.command("add")
@config_option
@realm_option
@click.option("--user", required=True, help="The member: a user id.")
@click.option("--organization", required=True, help="The organization's id: 1 to 64 of A-Z a-z 0-9 _ -.")
@click.option("--role", default="", help="The member's role there; none for a plain member.")
@output_options
def _add(config: str, realm: str | None, user: str, organization: str, *, role: str, output: Output) -> None:
    """Make a user a member, or give a member another role."""
    if not is_organization_id(organization):
        raise click.UsageError("--organization takes 1 to 64 of A-Z a-z 0-9 _ -.")
    section = realm_of(config, realm)
    refuse_foreign_members(section)
    with opened(section) as tables:
        tables.add(organization, user, role)
    _say(output, f"{user} is a member of {organization}", organization, user, role)


@member_command.command("list")
@config_option
@realm_option
@click.option("--user", help="Only the memberships of one user.")
@click.option("--organization", help="Only the members of one organization.")
@output_options
def _list(config: str, realm: str | None, user: str | None, organization: str | None, output: Output) -> None:
    """List memberships."""
    section = realm_of(config, realm)
    refuse_foreign_members(section)
    with opened(section) as tables:
        rows = [asdict(member) for member in tables.members(organization, user)]
    output.show(Table((Column("organization"), Column("user"), Column("role")), rows, empty="no members"))


@member_command.command("remove")
@config_option
@realm_option
@click.option("--user", required=True, help="The member.")
@click.option("--organization", required=True, help="The organization's id.")
@output_options
def _remove(config: str, realm: str | None, user: str, organization: str, output: Output) -> None:
    """End a membership; the user's sessions lose the organization's topics at once."""
    section = realm_of(config, realm)
    refuse_foreign_members(section)
    with opened(section) as tables:
        removed = tables.remove(organization, user)
    if not removed:
        raise CommandFailed(f"realm {section.name}: {user} is no member of {organization}, so nothing was done")
    _say(output, f"{user} is no member of {organization} any more", organization, user)


def _say(output: Output, line: str, organization: str, user: str, role: str | None = None) -> None:
    if output.json:
        output.document({"organization": organization, "user": user, "role": role})
    elif not output.quiet:
        output.line(line)
