"""The command ``wampgate tail``, also ``subscribe``: shows events as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from wampgate.commands.connecting import connection_options
from wampgate.commands.output import output_options

if TYPE_CHECKING:
    from wampgate.commands.connecting import Where
    from wampgate.commands.output import Output


@click.command("tail")
@click.argument("topics", metavar="TOPIC...", nargs=-1, required=True)
@click.option(
    "--match",
    type=click.Choice(["exact", "prefix", "wildcard"]),
    default="exact",
    show_default=True,
    help="How the topics are matched.",
)
@click.option(
    "--history", type=click.IntRange(1, 1_000_000), metavar="N", help="Begin with the last N events that are kept."
)
@click.option(
    "--since", type=click.IntRange(1, 2**53), metavar="ID", help="Begin with what followed the publication of this id."
)
@click.option("--retained", is_flag=True, help="Begin with the topic's retained event, if there is one.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after so many events.")
@click.option(
    "--for", "seconds", type=click.FloatRange(0.001), metavar="SECONDS", help="End after so long, with status 0."
)
@connection_options("alice")
@output_options
def tail_command(
    *,
    topics: tuple[str, ...],
    match: Literal["exact", "prefix", "wildcard"],
    history: int | None,
    since: int | None,
    retained: bool,
    count: int | None,
    seconds: float | None,
    where: Where,
    output: Output,
) -> int:
    """Show events as they come.

    Events come on standard output, one a line, with --json as an object a line. What happens to the connection, and
    where events may be missing, is told on standard error. A lost connection is made again, and what was missed
    is fetched where the router keeps a history. Ctrl-C ends it.

    \b
    wampgate tail organization.7
    wampgate tail organization.7. --match prefix --history 20
    wampgate tail organization.7 --json | jq .kwargs
    """  # noqa: D301 - click takes this character for: keep these lines
    if history is not None and since is not None:
        raise click.UsageError("name one of --history and --since")
    from wampgate.commands.tailing import Tail  # noqa: PLC0415 - what imports Autobahn comes last

    tail = Tail(where, output, topics, match, history=history, since=since, retained=retained)
    return tail.run(count=count, seconds=seconds)
