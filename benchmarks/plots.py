"""Draws results as SVG: bars for each scenario with their spread, and curves of latency, in light and in dark."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape, quoteattr

from benchmarks.documents import CURVES
from benchmarks.tables import short

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW = 720, 170, 150, 62, 26
_STYLE: Final = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
_DASHES: Final = ("none", "7 3", "2 3", "9 3 2 3", "1 4", "12 4")
_CURVE_HEIGHT, _CURVES_LEFT, _CURVES_RIGHT = 300, 60, 570


def draw(results: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Write all plots of a document's results; return what was written, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for result in results:
        suffix = "" if result["serializer"] == "json" else f"-{result['serializer']}"
        plots = {f"{result['scenario']}{suffix}": bars(result)}
        if result["scenario"] == CURVES:
            plots[f"{CURVES}{suffix}-curves"] = curves(result)
        for name, plot in plots.items():
            if plot:
                files.append(folder / f"{name}.svg")
                files[-1].write_text(plot, encoding="utf-8")
    return files


def bars(result: Mapping[str, Any]) -> str:
    """Each of a scenario's figures as bars: as ratios to the first limit, or as they are; empty if nobody has one."""
    titles = list(dict.fromkeys(title for server in result["servers"].values() for title in server["figures"]))
    parts, y = [], float(_TOP - 20)
    for title in titles:
        part, height = _section(result, title, y)
        parts.append(part)
        y += height
    return _svg(result["title"], y, parts) if any(parts) else ""


def _section(result: Mapping[str, Any], title: str, top: float) -> tuple[str, float]:
    """One figure's bars from a height on, and how much of it they take."""
    figures = {name: server["figures"][title] for name, server in result["servers"].items()}
    limit = next((limit for limit in result["limits"] if any(limit in each["ratios"] for each in figures.values())), "")
    shown = {name: spread for name, each in figures.items() if (spread := _drawn(each, limit, name))}
    if not shown:
        return "", 0
    aims = [aim for aim in result["verdicts"] if aim["figure"] == title and aim["of"] == limit][:1]
    longest = max(*(spread["greatest"] for spread in shown.values()), *(aim["most"] for aim in aims), 0)
    scale, first = (_WIDTH - _LEFT - _RIGHT) / (longest or 1), top + 16
    end = first + _ROW * len(shown)
    unit = next(iter(figures.values()))["unit"]
    parts = [_text(16, top, f"{title}, {f'times {limit}' if limit else unit}; line: least to greatest", "faint")]
    for aim in aims:
        x = _LEFT + aim["most"] * scale
        parts.append(f'<path class="aim" d="M{x:.1f} {first - 4:.1f}V{end}"/>')
        parts.append(_text(x, end + 12, f"to reach: {aim['aim']}", "faint middle"))
    for at, (name, spread) in enumerate(shown.items()):
        value = f"{short(figures[name]['median'])} {unit}"
        text = f"{short(spread['median'])} times; {value}" if limit else value
        parts.append(_bar(name, result["servers"][name]["kind"], text, (spread, scale), first + at * _ROW))
    return "\n".join(parts), end + (44 if aims else 28) - top


def _drawn(figure: Mapping[str, Any], limit: str, name: str) -> Mapping[str, float]:
    """What a bar stands for; empty if there is nothing."""
    if "median" not in figure or not limit:
        return figure if "median" in figure else {}
    ratio: Mapping[str, float] = figure["ratios"].get(limit) or {}
    return {"median": 1.0, "least": 1.0, "greatest": 1.0} if name == limit else ratio


def _bar(name: str, kind: str, text: str, drawn: tuple[Mapping[str, float], float], y: float) -> str:
    spread, scale = drawn
    length, least, greatest = (spread[which] * scale for which in ("median", "least", "greatest"))
    middle = y + _ROW / 2 - 3
    return (
        f'<rect class="{kind}" x="{_LEFT}" y="{y:.1f}" width="{max(length, 1):.1f}" height="{_ROW - 6}" rx="3"/>'
        + f'<path class="whisker" d="M{_LEFT + least:.1f} {middle:.1f}H{_LEFT + greatest:.1f}"/>'
        + _text(_LEFT - 8, middle + 4, name, "end")
        + _text(_LEFT + max(length, greatest) + 8, middle + 4, text, "")
    )


def curves(result: Mapping[str, Any]) -> str:
    """Each server's latency by the share of operations that took no longer, both logarithmic; empty for none."""
    series = {name: server["latency"] for name, server in result["servers"].items() if server["latency"]}
    values = [point["median"] / 1000 for curve in series.values() for point in curve if point["median"] > 0]
    if not values:
        return ""
    low = math.floor(math.log10(min(values)))
    decades = max(1, math.ceil(math.log10(max(values))) - low)
    parts = [_text(16, _TOP - 20, "latency in ms (up) by share of all deliveries (right)", "faint")]
    parts += _grid(low, decades)
    for at, (name, curve) in enumerate(series.items()):
        kind = result["servers"][name]["kind"]
        style = f'class="curve {kind}" stroke-dasharray="{"none" if kind == "product" else _DASHES[at % len(_DASHES)]}"'
        parts.append(f'<polyline {style} points="{" ".join(_points(curve, low, decades))}"/>')
        p99 = next(short(point["median"] / 1000) for point in curve if point["share"] == 0.99)
        y = _TOP + 14 + at * 34
        parts.append(f'<path {style} d="M{_CURVES_RIGHT + 14} {y - 4}h24"/>')
        parts.append(
            _text(_CURVES_RIGHT + 44, y, name, "") + _text(_CURVES_RIGHT + 44, y + 14, f"p99 {p99} ms", "faint")
        )
    return _svg(result["title"], _TOP + max(_CURVE_HEIGHT, 34 * len(series)) + 34, parts)


def _points(curve: Sequence[Mapping[str, float]], low: int, decades: int) -> Iterator[str]:
    for point in curve:
        up = (math.log10(max(point["median"] / 1000, 10.0**low)) - low) / decades
        yield f"{_across(point['share']):.1f},{_TOP + _CURVE_HEIGHT * (1 - up):.1f}"


def _across(share: float) -> float:
    """Where a share lies: each nine takes as much room as the one before; all ends at four."""
    nines = min(-math.log10(max(1 - share, 1e-4)) / 4, 1.0)
    return _CURVES_LEFT + nines * (_CURVES_RIGHT - _CURVES_LEFT)


def _grid(low: int, decades: int) -> Iterator[str]:
    bottom = _TOP + _CURVE_HEIGHT
    for power in range(decades + 1):
        y = bottom - _CURVE_HEIGHT * power / decades
        yield f'<path class="axis" d="M{_CURVES_LEFT} {y:.1f}H{_CURVES_RIGHT}"/>'
        yield _text(_CURVES_LEFT - 8, y + 4, f"{10.0 ** (low + power):g}", "end")
    for share in (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999):
        x = _across(share)
        yield f'<path class="axis" d="M{x:.1f} {_TOP}V{bottom}"/>'
        yield _text(x, bottom + 18, f"{share * 100:g} %", "faint middle")


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f"<text x={quoteattr(f'{x:.1f}')} y={quoteattr(f'{y:.1f}')} class={quoteattr(kind)}>{escape(text)}</text>"


def _svg(title: str, height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" role="img">'
    paper = '<rect class="paper" width="100%" height="100%" rx="6"/>'
    body = "\n".join((_text(16, 24, title, "title"), *parts))
    return f"{head}<title>{escape(title)}</title><style>{_STYLE}</style>\n{paper}{body}\n</svg>\n"
