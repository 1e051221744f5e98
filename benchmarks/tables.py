"""Shows what was measured as text: a table for each figure, with ratios, aims and the rate of each number."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.measuring import Measured, Spread
    from benchmarks.scenarios import Figure

NOISY: Final = 0.10
"""A share of a core that others may use before a figure is suspect."""


def tables(measured: Measured) -> str:
    """All of a scenario's figures, and what speaks against them."""
    blocks = [_table(measured, figure) for figure in measured.scenario.figures]
    blocks += [f"  FAILED {server}: {reason}" for server, reason in measured.failures]
    blocks += _doubts(measured)
    return "\n".join(blocks)


def _table(measured: Measured, figure: Figure) -> str:
    scenario = measured.scenario
    title = f"{figure.title}: {scenario.title} ({measured.serializer}, {measured.payload} bytes)"
    head = ["", f"{figure.unit}", "least..greatest", f"{scenario.operation}/s", "p50 ms", "p99 ms", "p99.9 ms"]
    limits = [limit for limit in scenario.limits if figure.compared and limit in measured.outcomes]
    head += [f"vs {limit}" for limit in limits]
    rows = [
        [*_row(measured, server, figure, limits), _verdict(measured, server, figure)] for server in measured.outcomes
    ]
    return f"{title}\n{aligned([[*head, 'aim'], *rows])}"


def _row(measured: Measured, server: str, figure: Figure, limits: Sequence[str]) -> list[str]:
    spread, runs = measured.spread(server, figure), measured.verified(server)
    if spread is None:
        return [server, "failed", *[""] * (5 + len(limits))]
    latencies = [
        _short(median(values) / 1000)
        for values in zip(*((run.p50_us, run.p99_us, run.p999_us) for run in runs), strict=True)
    ]
    ratios = [_ratio(measured.ratio(server, limit, figure)) if limit != server else "1" for limit in limits]
    range_ = f"{_short(spread.least)}..{_short(spread.greatest)}"
    rate = f"{median(run.per_second for run in runs):,.0f}"
    return [server, _short(spread.median), range_, rate, *latencies, *ratios]


def _ratio(ratio: Spread | None) -> str:
    return "" if ratio is None else f"{ratio.median:.2f} ({ratio.least:.2f}..{ratio.greatest:.2f})"


def _verdict(measured: Measured, server: str, figure: Figure) -> str:
    """What a figure is to reach, and whether it does; limits have no aim."""
    if server in measured.scenario.limits:
        return ""
    if figure.most is not None:
        return _said(measured.spread(server, figure), figure.most, f"≤ {figure.most:g} {figure.unit}")
    limit = next(iter(measured.scenario.limits), "")
    if figure.ratio is not None and limit in measured.outcomes:
        return _said(measured.ratio(server, limit, figure), figure.ratio, f"≤ {figure.ratio:g} times {limit}")
    return ""


def _said(found: Spread | None, most: float, aim: str) -> str:
    if found is None:
        return f"{aim}: unknown"
    return f"{aim}: {'reached' if found.median <= most else 'MISSED'}"


def _doubts(measured: Measured) -> list[str]:
    """Where something else than the server may have been measured."""
    doubts = []
    for server in measured.outcomes:
        others = [run.others_load for run in measured.verified(server)]
        if others and median(others) > NOISY:
            doubts.append(f"  NOISY {server}: others used {median(others):.0%} of a core")
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


def _short(number: float) -> str:
    """Three significant digits, without an exponent."""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}" if abs(number) >= 1 else f"{number:.3f}"
