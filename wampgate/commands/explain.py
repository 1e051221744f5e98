"""The command ``wampgate explain``: says why a user may do something, or may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import click

from wampgate.commands.connecting import connection_options
from wampgate.commands.errors import OK, REFUSED, Unreachable
from wampgate.commands.output import output_options
from wampgate.config.errors import printable

if TYPE_CHECKING:
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.conversation import Answer
    from wampgate.commands.output import Output


@click.command("explain")
@click.argument("user")
@click.argument("action", type=click.Choice(["subscribe", "publish", "call", "register"]))
@click.argument("uri")
@click.option(
    "--match",
    type=click.Choice(["exact", "prefix", "wildcard"]),
    default="exact",
    show_default=True,
    help="How the URI would be matched.",
)
@connection_options()
@output_options
def explain_command(
    *,
    user: str,
    action: str,
    uri: str,
    match: Literal["exact", "prefix", "wildcard"],
    where: Where,
    output: Output,
) -> int:
    """Say why a user may do something, or may not.

    USER is an authid: of a session that is here, of a principal of router.json, or a user's in the database. The answer
    names the rule or the row that decides. The status is 0 if it is allowed and 4 if not; --quiet prints nothing.

    \b
    wampgate explain alice subscribe organization.7
    wampgate explain alice subscribe organization.7. --match prefix
    """  # noqa: D301 - click takes this character for: keep these lines
    from wampgate.commands.speaking import asked, speak  # noqa: PLC0415 - what imports Autobahn comes last

    async def work(session: CommandSession) -> Answer:
        return await asked(session, "wampgate.explain", user, action, uri, match)

    answer = speak(where, output, work).kwargs
    if answer.get("failed"):
        raise Unreachable(f"that can't be said now: {printable(str(answer.get('because')))}")
    if output.json or not output.quiet:
        question = {"authid": user, "action": action, "uri": uri, "match": match}
        output.show(_sentence(question, answer, output), document={**question, **answer})
    return OK if answer.get("allowed") else REFUSED


def _sentence(question: dict[str, str], answer: dict[str, Any], output: Output) -> str:
    allowed = bool(answer.get("allowed"))
    verdict = output.styled("allowed", "green") if allowed else output.styled("denied", "red") + " "
    how = "" if question["match"] == "exact" else f" ({question['match']})"
    what = printable(f"{question['authid']} ({answer.get('authrole')}): {question['action']} {question['uri']}{how}")
    return f"{verdict}  {what}\n         {printable(str(answer.get('because')))}"
