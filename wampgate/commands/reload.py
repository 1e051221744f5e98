"""The command ``wampgate reload``: has a running router take its changed router.json, all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from wampgate.commands.connecting import connection_options
from wampgate.commands.errors import CommandFailed
from wampgate.commands.output import output_options
from wampgate.config.errors import printable

if TYPE_CHECKING:
    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.conversation import Answer
    from wampgate.commands.output import Output

_INVALID: Final = "wampgate.error.invalid_configuration"


@click.command("reload")
@connection_options()
@output_options
def reload_command(*, where: Where, output: Output) -> None:
    """Have a running router take its changed router.json.

    The file is the router's own, on its machine. With a mistake in it nothing changes, and the command says what is
    wrong. SIGHUP does the same.
    """
    from autobahn.wamp.exception import ApplicationError  # noqa: PLC0415 - what imports Autobahn comes last

    from wampgate.commands.speaking import asked, speak  # noqa: PLC0415 - likewise

    async def work(session: CommandSession) -> Answer:
        try:
            return await asked(session, "wampgate.configuration.reload")
        except ApplicationError as error:
            if error.error != _INVALID:
                raise
            problems = [printable(line) for arg in error.args for line in str(arg).splitlines()]
            between = " " if len(problems) == 1 else "\n"
            raise CommandFailed(between.join(["nothing was changed:", *problems])) from None

    answer = speak(where, output, work)
    changed = [printable(str(one)) for one in answer.kwargs.get("changed") or ()]
    lines = ["changed:", *(f"  {one}" for one in changed)] if changed else ["nothing was different"]
    output.show(*lines, document=answer.kwargs)
