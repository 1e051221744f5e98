"""The command ``wampgate call``: calls a procedure and prints its result as JSON."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from wampgate.commands.arguments import content_of, json_of, keywords_of, shown, value_of
from wampgate.commands.connecting import connection_options
from wampgate.commands.errors import CommandFailed, Unreachable
from wampgate.commands.output import output_options

if TYPE_CHECKING:
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.conversation import Answer
    from wampgate.commands.output import Output

_GRACE_SECONDS = 1.0
"""The router ends the call in time by itself, and says so; this is for one that does not."""


@click.command("call")
@click.argument("procedure")
@click.argument("arguments", metavar="[ARGUMENT]...", nargs=-1)
@click.option("--kw", "keywords", metavar="NAME=VALUE", multiple=True, help="A keyword argument; as often as needed.")
@click.option(
    "--data",
    metavar="JSON",
    help="All arguments at once: a list, or an object for keyword arguments; @FILE reads a file, - standard input.",
)
@click.option("--timeout", type=click.FloatRange(0.001, 86_400), metavar="SECONDS", help="Give up after so long.")
@click.option("--progress", is_flag=True, help="Ask for progressive results; each is printed as it comes.")
@connection_options()
@output_options
def call_command(
    *,
    procedure: str,
    arguments: tuple[str, ...],
    keywords: tuple[str, ...],
    data: str | None,
    timeout: float | None,
    progress: bool,
    where: Where,
    output: Output,
) -> None:
    """Call a procedure and print its result.

    An ARGUMENT that is JSON is what it says (7, true, {"a": 1}); any other is text. A result of one value is printed
    as that value, one of keyword arguments as an object, any other as {"args": [...], "kwargs": {...}}; with --json it
    always has that last form. Ctrl-C cancels the call.

    \b
    wampgate call com.example.add 2 3
    wampgate call wampgate.explain --kw authid=alice --kw action=subscribe --kw uri=organization.7
    """  # noqa: D301 - click takes this character for: keep these lines
    if where.stdin_taken and data == "-":
        raise click.UsageError("standard input can't hold both the token and the arguments; use --token-file")
    args, kwargs = given(arguments, keywords, data)
    from wampgate.commands.speaking import speak  # noqa: PLC0415 - after the arguments: errors in them show at once

    def show(answer: Answer) -> None:
        if output.json or progress:
            document = document_of(answer, whole=output.json)
            output.event(document, shown(document))
        else:
            output.document(document_of(answer))

    async def work(session: CommandSession) -> Answer:
        options = {} if timeout is None else {"timeout": max(1, round(timeout * 1000))}
        conversation = await session.conversation()
        question = conversation.ask(procedure, args, kwargs, options=options, on_progress=show if progress else None)
        try:
            return await asyncio.wait_for(question, None if timeout is None else timeout + _GRACE_SECONDS)
        except TimeoutError:
            raise Unreachable(f"no answer from {procedure} within {timeout:g} seconds; --timeout allows more") from None

    show(speak(where, output, work))


def given(arguments: tuple[str, ...], keywords: tuple[str, ...], data: str | None) -> tuple[list[Any], dict[str, Any]]:
    """The arguments and keyword arguments that a command line means.

    Raises:
        click.UsageError: they are given in two ways.
        CommandFailed: what should be JSON is none.
    """
    if data is None:
        return [value_of(text) for text in arguments], keywords_of(keywords)
    if arguments or keywords:
        raise click.UsageError("give either --data or arguments, not both")
    source = {"-": "standard input"}.get(data, data[1:] if data.startswith("@") else "--data")
    value = json_of(content_of(data), source)
    if isinstance(value, dict):
        return [], value
    if isinstance(value, list):
        return value, {}
    raise CommandFailed(f"{source}: expected a list of arguments or an object of keyword arguments")


def document_of(answer: Answer, *, whole: bool = False) -> Any:
    """A result as it is printed."""
    if not whole and not answer.kwargs and len(answer.args) <= 1:
        return answer.args[0] if answer.args else None
    if not whole and not answer.args:
        return answer.kwargs
    return {"args": answer.args, "kwargs": answer.kwargs}
