"""The command ``wampgate completion``: the script by which a shell completes wampgate's commands and options."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

_VARIABLE: Final = "_WAMPGATE_COMPLETE"
_CALL: Final = '_wampgate_completion "$@"'
_SHELLS: Final = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
def completion_command(shell: str) -> None:
    """Print the script that lets a shell complete commands and options.

    \b
    bash: wampgate completion bash > ~/.local/share/bash-completion/completions/wampgate
    zsh:  wampgate completion zsh > a file _wampgate in a folder of $fpath
    fish: wampgate completion fish > ~/.config/fish/completions/wampgate.fish
    """  # noqa: D301 - click takes this character for: keep these lines
    from wampgate.commands.app import wampgate_command  # noqa: PLC0415 - it loads this module

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click knows all three
    # The script alone: its source() would also run bash, to look at its version.
    script = kind(wampgate_command, {}, "wampgate", _VARIABLE)
    click.echo(_lasting(script.source_template % script.source_vars()))


def _lasting(script: str) -> str:
    """A script that completes from the first time on.

    zsh loads it from a folder of $fpath as the function `_wampgate`. click's own completes at once when it is loaded;
    called a second time, it completes nothing and only registers what completes from then on.
    """
    return script.replace(f"    {_CALL}", f"    compdef _wampgate_completion wampgate\n    {_CALL}")
