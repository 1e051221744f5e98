"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import fcntl
import json
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from benchmarks import authorization, documents, native
from benchmarks.measuring import Plan, measure
from benchmarks.scenarios import SCENARIOS, SERIALIZERS
from benchmarks.servers.registry import PEERS, SERVERS
from benchmarks.tables import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from benchmarks.measuring import Measured

AUTHORIZATION: Final = "authorization"
"""The one scenario that needs no server: it is measured inside this process."""

_ALL: Final = (AUTHORIZATION, *SCENARIOS)


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and show what came out.

    Returns:
        0 if every run was verified, 1 if one was not, 2 if nothing could be measured.
    """
    options = _parser().parse_args(words)
    _raise_file_limit()
    plan = Plan(options.rounds, options.seconds, options.payload, tuple(options.generator.split()), options.apart)
    try:
        for name in native.PROGRAMS:
            native.program(name)
        with _alone():
            costs = authorization.measure(options.rounds) if AUTHORIZATION in options.scenarios else []
            if costs:
                print(authorization.table(costs), end="\n\n", flush=True)
            results = _measure_all(options, plan)
    except native.BuildFailed as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    if not results and not costs:
        _tell("benchmarks: no server is left to be measured")
        return 2
    if options.table:
        texts = [*([authorization.table(costs)] if costs else ()), *map(tables, results)]
        options.table.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(documents.document(plan, results, costs), indent=2) + "\n", encoding="utf-8")
    return 1 if any(measured.failures for measured in results) else 0


def _measure_all(options: argparse.Namespace, plan: Plan) -> list[Measured]:
    results = []
    peers = [name for name in options.peers if _is_there(name)]
    for serializer in options.serializers:
        for name in (name for name in options.scenarios if name != AUTHORIZATION):
            scenario = SCENARIOS[name]
            servers = [*(scenario.limits if options.limits else ()), *peers]
            if not servers:
                continue
            measured = measure(scenario, serializer, servers, plan=plan, tell=_tell)
            print(tables(measured), end="\n\n", flush=True)
            results.append(measured)
    return results


def _is_there(name: str) -> bool:
    lacks = SERVERS[name]().lacks()
    if lacks:
        _tell(f"{name} is left out: this machine lacks {lacks}")
    return not lacks


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _raise_file_limit() -> None:
    """Servers inherit it: thousands of connections need as many files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _alone() -> TextIO:
    """A lock that is held until it is closed: two measurements at a time would measure each other."""
    native.BUILD.mkdir(exist_ok=True)
    lock = (native.BUILD / "measuring.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _tell("another measurement is running; waiting for its end")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _names(known: Collection[str]) -> Callable[[str], list[str]]:
    """Reads comma-separated names, all of which must be known."""

    def read(text: str) -> list[str]:
        names = text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {', '.join(known)}")
        return names

    return read


def _positive(text: str) -> float:
    number = float(text)
    if number <= 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures servers against the limit.")
    parser.add_argument("--scenarios", type=_names(_ALL), default=list(_ALL), metavar="A,B", help=", ".join(_ALL))
    parser.add_argument(
        "--peers", type=_names(PEERS), default=list(PEERS), metavar="A,B", help=f"beside the limits: {', '.join(PEERS)}"
    )
    parser.add_argument(
        "--serializers", type=_names(SERIALIZERS), default=["json"], metavar="A,B", help=", ".join(SERIALIZERS)
    )
    parser.add_argument("--no-limits", dest="limits", action="store_false", help="leave the limits out")
    parser.add_argument("--no-peers", dest="peers", action="store_const", const=[], help="measure only the limits")
    parser.add_argument("--rounds", type=_count, default=5, metavar="N", help="turns of each server (5)")
    parser.add_argument("--seconds", type=_positive, default=4.0, metavar="S", help="measured in each run (4)")
    parser.add_argument("--payload", type=_count, default=200, metavar="B", help="bytes of each message's text (200)")
    parser.add_argument("--apart", action="store_true", help="the generator gets a core of its own")
    parser.add_argument(
        "--generator", default="", metavar="WORDS", help="more options for the load generator, as in --generator=--spin"
    )
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the tables there too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run there, and what follows from them")
    return parser


if __name__ == "__main__":
    sys.exit(main())
