"""The command ``wampgate publish``: publishes one event, or one for each line of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wampgate.commands.call import given
from wampgate.commands.connecting import connection_options
from wampgate.commands.output import output_options

if TYPE_CHECKING:
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.output import Output


def _lists(command: Any) -> Any:
    """The options by which an event is kept from some, or meant for some."""
    for kind, text in (("exclude", "Not for"), ("eligible", "Only for")):
        command = click.option(f"--{kind}", metavar="SESSION", multiple=True, type=int, help=f"{text} this session.")(
            command
        )
        for whose in ("authid", "authrole"):
            command = click.option(
                f"--{kind}-{whose}", metavar=whose.upper(), multiple=True, help=f"{text} sessions of this {whose}."
            )(command)
    return command


@click.command("publish")
@click.argument("topic", required=False)
@click.argument("arguments", metavar="[ARGUMENT]...", nargs=-1)
@click.option("--kw", "keywords", metavar="NAME=VALUE", multiple=True, help="A keyword argument; as often as needed.")
@click.option(
    "--data",
    metavar="JSON",
    help="All arguments at once: a list, or an object for keyword arguments; @FILE reads a file, - standard input.",
)
@click.option(
    "--lines", metavar="FILE", help="Publish each line of JSON of a file as an event's arguments; - is standard input."
)
@click.option(
    "--events",
    metavar="FILE",
    help="Publish each line of a file as `wampgate tail --json` prints them, on the topic that it names; "
    "- is standard input.",
)
@click.option("--rate", type=click.FloatRange(0.01, 1e6), metavar="N", help="No more than N events of a file a second.")
@click.option("--retain", is_flag=True, help="Keep it as the topic's last event, for those who subscribe later.")
@click.option("--disclose-me", is_flag=True, help="Ask that subscribers are told who published.")
@click.option(
    "--acknowledge/--no-acknowledge",
    default=True,
    show_default=True,
    help="Wait until the router has taken it. Without that nobody learns of a refusal.",
)
@_lists
@connection_options("backend")
@output_options
def publish_command(
    *,
    topic: str | None,
    arguments: tuple[str, ...],
    keywords: tuple[str, ...],
    data: str | None,
    lines: str | None,
    events: str | None,
    rate: float | None,
    acknowledge: bool,
    where: Where,
    output: Output,
    **chosen: Any,
) -> int:
    """Publish an event and print the publication's id.

    An ARGUMENT that is JSON is what it says (7, true, {"a": 1}); any other is text. Many events come from a file or a
    pipe, one line of JSON for each: a list is an event's arguments, an object its keyword arguments.

    \b
    wampgate publish organization.7 "hello" --kw urgent=true
    wampgate publish organization.7 --data '{"text": "hello"}'
    jq -c .news[] news.json | wampgate publish organization.7 --lines -
    """  # noqa: D301 - click takes this character for: keep these lines
    many = lines if lines is not None else events
    _check(
        topic=topic,
        payload=arguments or keywords or data,
        data=data,
        lines=lines,
        events=events,
        rate=rate,
        where=where,
    )
    options = options_of(chosen)
    if many is not None:
        from wampgate.commands.publishing import publish_lines  # noqa: PLC0415 - what imports Autobahn comes last

        return publish_lines(where, output, topic, many, options, rate=rate, acknowledge=acknowledge)
    args, kwargs = given(arguments, keywords, data)
    from wampgate.commands.speaking import speak  # noqa: PLC0415 - after the arguments: errors in them show at once

    async def work(session: CommandSession) -> int | None:
        conversation = await session.conversation()
        if acknowledge:
            return await conversation.tell(topic or "", args, kwargs, options)
        conversation.tell_only(topic or "", args, kwargs, options)
        return None

    publication = speak(where, output, work)
    output.show("sent" if publication is None else str(publication), document={"publication": publication})
    return 0


def options_of(chosen: dict[str, Any]) -> dict[str, Any]:
    """PUBLISH's options of what was chosen on the command line: only what was said."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items() if value}


def _check(
    *,
    topic: str | None,
    payload: object,
    data: str | None,
    lines: str | None,
    events: str | None,
    rate: float | None,
    where: Where,
) -> None:
    """See that the options go together.

    Raises:
        click.UsageError: they don't.
    """
    if events is not None and (topic is not None or lines is not None):
        raise click.UsageError("each line of --events names its topic: name no TOPIC, and no --lines")
    if events is None and topic is None:
        raise click.UsageError("name a TOPIC")
    if (lines is not None or events is not None) and payload:
        raise click.UsageError("the arguments come from the file; give no others")
    if rate is not None and lines is None and events is None:
        raise click.UsageError("--rate is for --lines and --events")
    if where.stdin_taken and "-" in (lines, events, data):
        raise click.UsageError("standard input can't hold both the token and the events; use --token-file")
