"""Write all that is generated into docs/: ``python -m docs.generating``; with ``--check`` only say what has changed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from docs.generating import pages, pictures

if TYPE_CHECKING:
    from pathlib import Path

CHECK: Final = "--check"


def main(arguments: list[str]) -> int:
    """Write or compare.

    Args:
        arguments: nothing, or ``--check``.

    Returns:
        The exit status: 1 if ``--check`` found something that is not as the code would have it.
    """
    made: dict[Path, str] = pages.made() | pictures.made()
    changed = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in changed:
        print(path)  # noqa: T201 - a command line tool
        if CHECK not in arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(made[path], encoding="utf-8")
    return int(CHECK in arguments and bool(changed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
