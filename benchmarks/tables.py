"""Shows what was measured as text: a table for each scenario, with ratios and rates, and what became of its aims."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.aims import verdicts
from benchmarks.servers.registry import PRODUCT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.aims import Verdict
    from benchmarks.measuring import Measured, Spread
    from benchmarks.scenarios import Figure

NOISY: Final = 0.10
"""A share of a core that others may use before a figure is suspect."""

_LATENCIES: Final = {"p50 ms": "p50_us", "p99 ms": "p99_us", "p99.9 ms": "p999_us"}


def tables(measured: Measured) -> str:
    """All of a scenario's figures, what they were to reach, and what speaks against them."""
    scenario = measured.scenario
    said = f"{measured.serializer}, " if not scenario.variants else ""
    lines = [f"{scenario.name}: {scenario.title} ({said}{measured.payload} bytes)"]
    if measured.outcomes:
        lines.append(_table(measured))
    lines += [f"  {_said(verdict)}" for verdict in verdicts(measured, PRODUCT)]
    lines += [f"  {server} takes no part: {reason}" for server, reason in measured.absent.items()]
    lines += _failures(measured)
    lines += _doubts(measured)
    return "\n".join(lines)


def _table(measured: Measured) -> str:
    latencies = _latencies(measured)
    columns = [column for figure in measured.scenario.figures for column in _columns(measured, figure)]
    operation = measured.scenario.operation
    rows = [["", *columns, *([f"{operation}/s"] if operation else ()), *latencies, ""]]
    for contestant in measured.outcomes:
        runs = measured.verified(contestant)
        cells = [cell for figure in measured.scenario.figures for cell in _cells(measured, contestant, figure)]
        if operation:
            cells.append(f"{median(run.per_second for run in runs):,.0f}" if runs else "")
        cells += [short(median(getattr(run, at) for run in runs) / 1000) if runs else "" for at in latencies.values()]
        rows.append([contestant, *cells, ""])
    return aligned(rows)


def _latencies(measured: Measured) -> dict[str, str]:
    """Those that were taken and are no figures of the scenario anyway."""
    figures = {figure.attribute for figure in measured.scenario.figures}
    runs = [run for contestant in measured.outcomes for run in measured.verified(contestant)]
    return {
        title: attribute
        for title, attribute in _LATENCIES.items()
        if attribute not in figures and any(getattr(run, attribute) for run in runs)
    }


def _columns(measured: Measured, figure: Figure) -> list[str]:
    return [f"{figure.title} {figure.unit}", *(f"vs {limit}" for limit in limits(measured, figure))]


def _cells(measured: Measured, contestant: str, figure: Figure) -> list[str]:
    spread, beside = measured.spread(contestant, figure), limits(measured, figure)
    if spread is None:
        return ["failed", *[""] * len(beside)]
    ratios = [_cell(measured.ratio(contestant, limit, figure)) if limit != contestant else "1" for limit in beside]
    return [_cell(spread), *ratios]


def limits(measured: Measured, figure: Figure) -> list[str]:
    """The limits that a figure is shown beside."""
    return [limit for limit in measured.scenario.limits if figure.compared and limit in measured.outcomes]


def _cell(spread: Spread | None) -> str:
    return "" if spread is None else f"{short(spread.median)} ({short(spread.least)}..{short(spread.greatest)})"


def _said(verdict: Verdict) -> str:
    who = f"{verdict.contestant}, " if " " in verdict.contestant else ""
    text = f"{who}{verdict.figure.title} {verdict.aim.text(verdict.figure.unit)}: {verdict.state}"
    if verdict.found is None:
        return text
    against = f" times {verdict.against}" if verdict.against != verdict.aim.of else ""
    return f"{text}, {_cell(verdict.found)}{against}"


def _failures(measured: Measured) -> list[str]:
    counts = Counter(measured.failures)
    return [
        f"  FAILED {contestant}{f' ({times} times)' if times > 1 else ''}: {reason}"
        for (contestant, reason), times in counts.items()
    ]


def _doubts(measured: Measured) -> list[str]:
    """Where something else than the server may have been measured."""
    doubts = []
    for contestant in measured.outcomes:
        others = [run.others_load for run in measured.verified(contestant)]
        if others and median(others) > NOISY:
            doubts.append(f"  NOISY {contestant}: others used {median(others):.0%} of a core")
    return doubts


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equally many cells, in columns; the first and the last column are text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first, *numbers, last = row
        cells = [
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(numbers, widths[1:-1], strict=True)),
        ]
        lines.append(("  " + "  ".join([*cells, last])).rstrip())
    return "\n".join(lines)


def short(number: float) -> str:
    """Three significant digits, without an exponent."""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}" if abs(number) >= 1 else f"{number:.3f}"
