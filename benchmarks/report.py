"""Writes the figures of ``docs/performance.md`` from a results file: ``python -m benchmarks.report``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import documents, plots
from benchmarks.tables import NOISY, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

BEGIN: Final = "<!-- figures: written by python -m benchmarks.report -->"
END: Final = "<!-- figures: end -->"
RESULTS: Final = Path(__file__).parents[1] / "docs" / "figures" / "results.json"
DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "performance.md"


def main(words: Sequence[str] | None = None) -> int:
    """Write the figures between the marks, and the plots beside the results.

    Returns:
        0 if it is done, 2 if a file can't be used.
    """
    options = _parser().parse_args(words)
    try:
        results = documents.read(options.results)
        drawn = plots.draw(results["results"], options.results.parent)
        text = options.document.read_text(encoding="utf-8")
        # Links are relative, so that they work wherever the repository lies.
        links = [Path(os.path.relpath(plot, options.document.parent)) for plot in drawn]
        options.document.write_text(replaced(text, figures(results, links)), encoding="utf-8")
    except (OSError, ValueError) as error:
        print(f"benchmarks.report: {error}", file=sys.stderr)
        return 2
    return 0


def replaced(text: str, figures_text: str) -> str:
    """A text with what stands between the marks exchanged.

    Raises:
        ValueError: it doesn't have both marks, in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document needs the lines {BEGIN} and {END}, in this order, around the figures")
    return f"{before}{BEGIN}\n\n{figures_text}\n{END}{after}"


def figures(document: Mapping[str, Any], drawn: Iterable[Path] = ()) -> str:
    """All of a document's figures in Markdown: what was to be reached, every server, and what failed."""
    parts = [
        _taken(document),
        "### What was to be reached\n\n" + _aims(document),
        "### Every server\n\nMedians of the figure in the second column; in brackets, times the first limit.\n\n"
        + _servers(document["results"]),
        *_exceptions(document["results"]),
        *(f"![{plot.stem}]({plot.as_posix()})" for plot in drawn),
    ]
    return "\n\n".join(parts) + "\n"


def _taken(document: Mapping[str, Any]) -> str:
    """When and where, once for all entries that share it."""
    lines: dict[str, None] = {}
    for entry in (*document["results"], *document["costs"]):
        machine, plan = entry["machine"], entry["plan"]
        where = f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}, {machine['python']}"
        rounds = f"{plan['rounds']} round{'s' if plan['rounds'] > 1 else ''}"
        lines[f"{entry['when'][:10]}, {where}: {rounds} of {plan['seconds']:g} s."] = None
    return "\n".join(lines)


def _aims(document: Mapping[str, Any]) -> str:
    rows = [
        [_what(result, verdict["figure"]), *_wampgate(result, verdict), verdict["aim"], *_found(verdict)]
        for result in document["results"]
        for verdict in result["verdicts"]
    ]
    rows += [
        [cost["what"], _value(cost, cost["unit"]), "", cost["aim"], "", cost["state"]]
        for cost in document["costs"]
        if cost["aim"]
    ]
    return _table(["what", "wampgate", "at", "to reach", "found", ""], rows)


def _what(result: Mapping[str, Any], figure: str) -> str:
    serializer = "" if result["serializer"] == "json" else f", {result['serializer']}"
    return f"`{result['scenario']}`{serializer}: {figure}"


def _wampgate(result: Mapping[str, Any], verdict: Mapping[str, Any]) -> list[str]:
    server = result["servers"][verdict["server"]]
    figure = server["figures"][verdict["figure"]]
    variant = verdict["server"].partition(" ")[2]
    known = server["per_second"] is not None and result["operation"]
    rate = f"{server['per_second']:,.0f} {result['operation']}/s" if known else ""
    return [f"{variant} {_value(figure, figure['unit'])}".strip(), rate]


def _found(verdict: Mapping[str, Any]) -> list[str]:
    found, who = verdict["found"], verdict["against"]
    if not found or not verdict["of"]:
        return ["", verdict["state"]]
    beside = f" times {who}" if who != verdict["of"] else ""
    return [f"{_value(found, '')}{beside}", verdict["state"]]


def _value(spread: Mapping[str, Any], unit: str) -> str:
    if "median" not in spread:
        return "failed"
    range_ = f"({short(spread['least'])} to {short(spread['greatest'])})"
    return " ".join(filter(None, (short(spread["median"]), unit, range_)))


def _servers(results: Iterable[Mapping[str, Any]]) -> str:
    """A row for each scenario's first figure, a column for each server that has any."""
    plain = [result for result in results if not any(" " in name for name in result["servers"])]
    names = list(dict.fromkeys(name for result in plain for name in result["servers"]))
    rows = []
    for result in plain:
        if not result["servers"]:
            continue
        title = next(iter(next(iter(result["servers"].values()))["figures"]))
        limit = next(iter(result["limits"]), "")
        row = [_cell(result["servers"].get(name), title, limit if limit != name else "") for name in names]
        rows.append([f"`{result['scenario']}`", title, *row])
    return _table(["scenario", "figure", *names], rows)


def _cell(server: Mapping[str, Any] | None, title: str, limit: str) -> str:
    if server is None:
        return "-"
    figure = server["figures"][title]
    if "median" not in figure:
        return "failed"
    ratio = figure["ratios"].get(limit)
    beside = f" ({short(ratio['median'])})" if ratio else ""
    return f"{short(figure['median'])} {figure['unit']}{beside}"


def _exceptions(results: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Who took no part, whose runs failed, and what to doubt; nothing if there is nothing of it."""
    lines = []
    for result in results:
        absent: dict[str, list[str]] = {}
        for server, reason in result["absent"].items():
            absent.setdefault(reason, []).append(server)
        lines += [f"- `{result['scenario']}` without {', '.join(who)}: {reason}" for reason, who in absent.items()]
        lines += [
            f"- `{result['scenario']}`: {failure['runs']} runs of {failure['server']} failed: "
            + _one_line(failure["reason"])
            for failure in result["failures"]
        ]
        others = max((server["others_load"] or 0 for server in result["servers"].values()), default=0)
        if others > NOISY:
            lines.append(f"- `{result['scenario']}` is noisy: other processes used up to {others:.0%} of a core")
    if lines:
        yield "### What is missing or to be doubted\n\n" + "\n".join(lines)


def _one_line(reason: str) -> str:
    """The first line of what went wrong, as code, since servers may say anything."""
    return f"`{reason.strip().partition(chr(10))[0].replace('`', chr(39))}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description="Writes the figures down.")
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS, help="the results file (docs/figures/)")
    parser.add_argument(
        "--document", type=Path, default=DOCUMENT, metavar="FILE", help="what to write them into (docs/performance.md)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
