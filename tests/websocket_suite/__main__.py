"""``python -m tests.websocket_suite ['12.*' …]``: runs the Autobahn WebSocket test suite and prints a table for docs/.

Without patterns all of its cases run, which takes about half an hour.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

# The tests import one another from their own folder.
sys.path.insert(0, str(Path(__file__).parents[1]))

from websocket_suite.echo_process import EchoProcess
from websocket_suite.fuzzing_client import run_cases
from websocket_suite.installing import NotInstalled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from websocket_suite.fuzzing_client import Outcome

_ALL: Final = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.*", "13.*")
_SECONDS: Final = 7200.0


def table(outcomes: Iterable[Outcome]) -> str:
    """Outcomes as a table in Markdown: a row for each section, and what is not plainly OK by its number."""
    by_section: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_section.setdefault(_section(outcome.case), []).append(outcome)
    lines = ["| cases | number | result | others |", "| --- | --- | --- | --- |"]
    for section, found in by_section.items():
        counted = Counter(_result(outcome) for outcome in found)
        told = ", ".join(f"{count} {result}" for result, count in counted.items())
        others = ", ".join(f"{outcome.case} {_result(outcome)}" for outcome in found if _result(outcome) != "OK")
        lines.append(f"| {section} | {len(found)} | {told} | {others} |")
    return "\n".join(lines)


def _section(case: str) -> str:
    parts = case.split(".")
    return ".".join(parts[: len(parts) - 1])


def _result(outcome: Outcome) -> str:
    if outcome.behavior == outcome.closing:
        return outcome.behavior
    return f"{outcome.behavior}, closing {outcome.closing}"


def main() -> int:
    """Run what the command line asks for; 1 if something has failed, 2 if nothing could run."""
    try:
        with EchoProcess() as endpoint:
            outcomes = run_cases(endpoint.port, sys.argv[1:] or _ALL, seconds=_SECONDS)
    except NotInstalled as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command line tool
        return 2
    print(table(outcomes))  # noqa: T201 - as above
    return 0 if outcomes and all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
