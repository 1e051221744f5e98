"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import fcntl
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from benchmarks import authorization, costs, documents, installing, matching, native, plots
from benchmarks.measuring import Plan, measure
from benchmarks.scenarios import SCENARIOS, SERIALIZERS
from benchmarks.servers.registry import PEERS, PRODUCT, SERVERS
from benchmarks.tables import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from benchmarks.costs import Cost
    from benchmarks.measuring import Measured

INSIDE: Final[Mapping[str, Callable[[int], list[Cost]]]] = {
    authorization.NAME: authorization.measure,
    matching.NAME: matching.measure,
}
"""Scenarios that need no server: they are measured inside this process, in so many rounds."""

RIVALS: Final = [name for name in PEERS if name != PRODUCT]

RESULTS: Final = "results.json"
"""In the folder of plots: what they are drawn from."""

_ALL: Final = (*INSIDE, *SCENARIOS)


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and show what came out.

    Returns:
        0 if every run was verified, 1 if one was not, 2 if nothing could be measured.
    """
    options = _parser().parse_args(words)
    _raise_file_limit()
    plan = Plan(options.rounds, options.seconds, options.payload, tuple(options.generator.split()), options.apart)
    try:
        older = _older_results(options.plots)
        for name in native.PROGRAMS:
            native.program(name)
    except (native.BuildFailed, ValueError, OSError) as error:
        _tell(f"benchmarks: {error}")
        return 2
    taken: list[Cost] = []
    results: list[Measured] = []
    interrupted = False
    try:
        with _alone():
            servers = _servers(options)
            taken.extend(_measure_inside(options))
            results.extend(_measure_all(options, servers, plan))
    except KeyboardInterrupt:
        _tell("benchmarks: interrupted; what was finished is kept")
        interrupted = True
    if not taken and not any(measured.outcomes for measured in results):
        _tell("benchmarks: no server is left to be measured")
        return 2
    _keep(options, older, documents.document(plan, results, taken), [*_told(taken), *map(tables, results)])
    return 1 if interrupted or any(measured.failures for measured in results) else 0


def _older_results(folder: Path | None) -> dict[str, Any]:
    """What was measured before; read first, so that a file that can't be used doesn't cost an hour."""
    file = None if folder is None else folder / RESULTS
    return documents.read(file) if file is not None and file.exists() else documents.EMPTY


def _servers(options: argparse.Namespace) -> list[str]:
    """The product and its peers, as far as they are there or can be installed."""
    if options.install:
        for name in options.peers:
            _install(name)
    return [name for name in (*([PRODUCT] if options.product else ()), *options.peers) if _is_there(name)]


def _install(name: str) -> None:
    """Install a peer if it is missing. One that can't be is left out, and the others are measured."""
    package = SERVERS[name]().package
    if package is None or not installing.lacks(package):
        return
    _tell(f"installing {package}")
    try:
        installing.install(package)
    except installing.InstallFailed as error:
        _tell(f"benchmarks: {error}")


def _measure_inside(options: argparse.Namespace) -> Iterator[Cost]:
    for name in (name for name in options.scenarios if name in INSIDE):
        found = INSIDE[name](options.rounds)
        print(*_told(found), end="\n\n", flush=True)
        yield from found


def _told(taken: Sequence[Cost]) -> list[str]:
    return [costs.table(taken)] if taken else []


def _measure_all(options: argparse.Namespace, servers: Sequence[str], plan: Plan) -> Iterator[Measured]:
    for serializer in options.serializers:
        for scenario in (SCENARIOS[name] for name in options.scenarios if name not in INSIDE):
            if scenario.variants and serializer != options.serializers[0]:
                continue  # it has its own serializers, and is measured once
            contestants = [*(scenario.limits if options.limits else ()), *servers]
            if not contestants:
                continue
            measured = measure(scenario, serializer, contestants, plan=plan, tell=_tell)
            print(tables(measured), end="\n\n", flush=True)
            yield measured


def _keep(options: argparse.Namespace, older: dict[str, Any], document: dict[str, Any], texts: Sequence[str]) -> None:
    """Write what was asked for."""
    if options.table:
        options.table.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    if options.json:
        documents.write(options.json, document)
    if options.plots:
        both = documents.merged(older, documents.condensed(document))
        documents.write(options.plots / RESULTS, both)
        plots.draw(both["results"], options.plots)


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
        "--peers", type=_names(RIVALS), default=RIVALS, metavar="A,B", help=f"those installed of: {', '.join(RIVALS)}"
    )
    parser.add_argument("--install", action="store_true", help="install the peers that are named and missing")
    parser.add_argument(
        "--serializers", type=_names(SERIALIZERS), default=["json"], metavar="A,B", help=", ".join(SERIALIZERS)
    )
    parser.add_argument("--no-limits", dest="limits", action="store_false", help="leave the limits out")
    parser.add_argument("--no-peers", dest="peers", action="store_const", const=[], help="leave all peers out")
    parser.add_argument("--no-product", dest="product", action="store_false", help="leave wampgate out")
    parser.add_argument("--rounds", type=_count, default=5, metavar="N", help="turns of each server (5)")
    parser.add_argument("--seconds", type=_positive, default=4.0, metavar="S", help="measured in each run (4)")
    parser.add_argument("--payload", type=_count, default=200, metavar="B", help="bytes of each message's text (200)")
    parser.add_argument("--apart", action="store_true", help="the generator gets a core of its own")
    parser.add_argument(
        "--generator", default="", metavar="WORDS", help="more options for the load generator, as in --generator=--spin"
    )
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the tables there too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run there, and what follows from them")
    parser.add_argument(
        "--plots", type=Path, metavar="FOLDER", help=f"draw there, from {RESULTS} there, which these results go into"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
