"""Runs the Autobahn WebSocket test suite in its fuzzing-client mode, and reads what it found."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from websocket_suite.installing import install

if TYPE_CHECKING:
    from collections.abc import Sequence

PASSED: Final = frozenset({"OK", "NON-STRICT", "INFORMATIONAL"})
"""What the suite calls a case in which nothing is wrong."""

TEXT_CASES: Final = (
    *("1.1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.1.*", "9.3.*", "9.5.*", "9.7.*", "10.*"),
    *("12.1.*", "12.4.*", "13.*"),
)
"""Cases whose messages are text."""

BINARY_CASES: Final = ("1.2.*", "9.2.*", "9.4.*", "9.6.*", "9.8.*", "12.2.*", "12.3.*", "12.5.*")
"""Cases whose messages are binary."""

_STARTER: Final = (
    "import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite.wstest import run; sys.exit(run())"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the suite says of one case.

    Attributes:
        case: its number, as ``6.4.1``.
        behavior: of what was answered.
        closing: of how the connection ended.
        milliseconds: how long it took.
    """

    case: str
    behavior: str
    closing: str
    milliseconds: int

    @property
    def passed(self) -> bool:
        return self.behavior in PASSED and self.closing in PASSED


def run_cases(port: int, cases: Sequence[str], *, seconds: float) -> list[Outcome]:
    """Run cases, those with text messages first.

    Args:
        port: the echo endpoint's.
        cases: numbers, or their beginnings with a star behind, as ``["1.*", "10.*"]``.
        seconds: how long all of it may take.

    Returns:
        What came out, in the order of their numbers.

    Raises:
        NotInstalled: the suite can't be had on this machine.
        subprocess.TimeoutExpired: it took longer.
    """
    outcomes: list[Outcome] = []
    # The subprotocol says of which kind the messages on a connection are.
    for subprotocol, mine, others in (
        ("wamp.2.json", TEXT_CASES, BINARY_CASES),
        ("wamp.2.msgpack", BINARY_CASES, TEXT_CASES),
    ):
        chosen = [case for case in cases if any(_overlap(case, other) for other in mine)]
        if chosen:
            server = {"agent": "wampgate", "url": f"ws://127.0.0.1:{port}/ws", "protocols": [subprotocol]}
            outcomes += _run({"servers": [server], "cases": chosen, "exclude-cases": others}, seconds)
    return sorted(outcomes, key=lambda outcome: [int(part) for part in outcome.case.split(".")])


def _overlap(one: str, other: str) -> bool:
    """Whether there may be a case to which both patterns fit."""
    one, other = one.rstrip("*"), other.rstrip("*")
    return one.startswith(other) or other.startswith(one)


def _run(specification: dict[str, object], seconds: float) -> list[Outcome]:
    """Have the suite do what a specification says, in a folder of its own."""
    python, packages = install()
    with tempfile.TemporaryDirectory(prefix="wampgate-websocket-suite-") as folder:
        told = Path(folder) / "specification.json"
        told.write_text(json.dumps({"outdir": "reports", "exclude-agent-cases": {}} | specification))
        run = subprocess.run(
            [python, "-c", _STARTER, packages, "-m", "fuzzingclient", "-s", told.name],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        index = Path(folder) / "reports" / "index.json"
        if not index.exists():
            raise RuntimeError(f"the suite wrote no report: {(run.stdout + run.stderr)[-3000:]}")
        found = json.loads(index.read_text()).get("wampgate", {})
    return [Outcome(case, each["behavior"], each["behaviorClose"], each["duration"]) for case, each in found.items()]
