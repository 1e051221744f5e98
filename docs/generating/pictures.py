"""The pictures: each is drawn from its text in docs/pictures/*.toml, boxes on a grid and arrows between them.

The same text gives the same picture on every machine. A picture brings its own ground and its own dark colours,
so that it can be read on any page; a title and a description are there for whoever can't see it.
"""

from __future__ import annotations

import tomllib
from html import escape
from pathlib import Path
from typing import Any, Final, NamedTuple

FOLDER: Final = Path(__file__).parents[1] / "pictures"
CELL: Final = (190, 100)
BOX: Final = (166, 56)
LINE: Final = 16
MARGIN: Final = 12

STYLE: Final = """
  svg { color-scheme: light dark; font: 13px system-ui, sans-serif; }
  .ground { fill: #fff; }
  .group { fill: #f3f4f6; stroke: #c4c9d1; }
  .behind { stroke: none; }
  text { fill: #111827; text-anchor: middle; }
  .group-name { fill: #4b5563; font-weight: 600; text-anchor: start; }
  .says { font-size: 12px; }
  .arrow { stroke: #4b5563; stroke-width: 1.6; fill: none; }
  .back { stroke-dasharray: 5 4; }
  .head { fill: #4b5563; }
  .box { stroke-width: 1.5; }
  .outside { fill: #fff; stroke: #6b7280; }
  .adapter { fill: #dbeafe; stroke: #1d4ed8; }
  .core { fill: #dcfce7; stroke: #15803d; }
  .store { fill: #fef3c7; stroke: #b45309; }
  .root { fill: #f3e8ff; stroke: #7e22ce; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #131416; }
    .group { fill: #1f2227; stroke: #4b5563; }
    text { fill: #f3f4f6; }
    .group-name { fill: #c4c9d1; }
    .arrow { stroke: #9ca3af; }
    .head { fill: #9ca3af; }
    .outside { fill: #131416; stroke: #9ca3af; }
    .adapter { fill: #172554; stroke: #60a5fa; }
    .core { fill: #052e16; stroke: #4ade80; }
    .store { fill: #451a03; stroke: #fbbf24; }
    .root { fill: #3b0764; stroke: #c084fc; }
  }
"""


class Place(NamedTuple):
    """Where the middle of something is."""

    x: float
    y: float


def made() -> dict[Path, str]:
    """Each picture by its path."""
    return {path.with_suffix(".svg"): drawn(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.toml"))}


def drawn(text: str) -> str:
    """A picture as SVG.

    Args:
        text: TOML with ``title``, ``description``, and lists of ``box`` (``id``, ``at``: column and row, halves too,
            ``text``, ``kind``), ``arrow`` (``from``, ``to``, ``text``, ``back``: dashed) and ``group`` (``name``,
            ``from``, ``to``: cells).

    Raises:
        KeyError: an arrow leads to a box that is not there.
    """
    picture = tomllib.loads(text)
    places = {box["id"]: _middle(box["at"]) for box in picture["box"]}
    groups = picture.get("group", [])
    corners = [_corner(group["to"]) for group in groups] + [_corner(box["at"]) for box in picture["box"]]
    width, height = (max(values) + MARGIN for values in zip(*corners, strict=True))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
        f' height="{height:g}" role="img" aria-labelledby="title description">',
        f'<title id="title">{escape(picture["title"])}</title>',
        f'<desc id="description">{escape(picture["description"])}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{width:g}" height="{height:g}" rx="8"/>',
        *(_group(group) for group in groups),
        *(_line(places[arrow["from"]], places[arrow["to"]], arrow) for arrow in picture["arrow"]),
        *(_box(places[box["id"]], box) for box in picture["box"]),
        *(_said(places[arrow["from"]], places[arrow["to"]], arrow, groups) for arrow in picture["arrow"]),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _middle(at: list[float]) -> Place:
    return Place(MARGIN + (at[0] + 0.5) * CELL[0], MARGIN + (at[1] + 0.5) * CELL[1])


def _corner(at: list[float]) -> Place:
    middle = _middle(at)
    return Place(middle.x + CELL[0] / 2, middle.y + CELL[1] / 2)


def _group(group: dict[str, Any]) -> str:
    first, last = _middle(group["from"]), _corner(group["to"])
    x, y = first.x - CELL[0] / 2 + 4, first.y - CELL[1] / 2 + 2
    return (
        _rectangle("group", Place(x, y), Place(last.x - x - 4, last.y - y - 2), 10)
        + f'<text class="group-name" x="{x + 12:g}" y="{last.y - 9:g}">{escape(group["name"])}</text>'
    )


def _rectangle(kind: str, corner: Place, size: Place, round_: int) -> str:
    return (
        f'<rect class="{kind}" x="{corner.x:g}" y="{corner.y:g}" width="{size.x:g}" height="{size.y:g}" rx="{round_}"/>'
    )


def _box(at: Place, box: dict[str, Any]) -> str:
    corner = Place(at.x - BOX[0] / 2, at.y - BOX[1] / 2)
    return _rectangle(f"box {box.get('kind', 'outside')}", corner, Place(*BOX), 6) + _lines(at, box["text"], "")


def _lines(at: Place, text: str, attributes: str) -> str:
    lines = text.split("\n")
    top = at.y + 4.5 - (len(lines) - 1) * LINE / 2
    spans = "".join(
        f'<tspan x="{at.x:g}" y="{top + n * LINE:g}">{escape(line)}</tspan>' for n, line in enumerate(lines)
    )
    return f"<text{attributes}>{spans}</text>"


def _edge(at: Place, towards: Place) -> Place:
    """Where a line from the middle of a box leaves it."""
    dx, dy = towards.x - at.x, towards.y - at.y
    share = min(BOX[0] / 2 / abs(dx) if dx else 9.0, BOX[1] / 2 / abs(dy) if dy else 9.0)
    return Place(at.x + dx * share, at.y + dy * share)


def _line(begin: Place, end: Place, arrow: dict[str, Any]) -> str:
    start, tip = _edge(begin, end), _edge(end, begin)
    dx, dy = tip.x - start.x, tip.y - start.y
    length = (dx * dx + dy * dy) ** 0.5
    ux, uy = dx / length, dy / length
    heel = Place(tip.x - 9 * ux, tip.y - 9 * uy)
    corners = (tip, Place(heel.x - 4.5 * uy, heel.y + 4.5 * ux), Place(heel.x + 4.5 * uy, heel.y - 4.5 * ux))
    points = " ".join(f"{corner.x:.1f},{corner.y:.1f}" for corner in corners)
    dashed = " back" if arrow.get("back") else ""
    return (
        f'<path class="arrow{dashed}" d="M{start.x:.1f} {start.y:.1f}L{heel.x:.1f} {heel.y:.1f}"/>'
        f'<polygon class="head" points="{points}"/>'
    )


def _said(begin: Place, end: Place, arrow: dict[str, Any], groups: list[dict[str, Any]]) -> str:
    if "text" not in arrow:
        return ""
    start, tip = _edge(begin, end), _edge(end, begin)
    at = Place((start.x + tip.x) / 2, (start.y + tip.y) / 2)
    lines = arrow["text"].split("\n")
    size = Place(max(len(line) for line in lines) * 6.4 + 6, len(lines) * LINE + 2)
    kind = "group behind" if any(_holds(group, at) for group in groups) else "ground"
    corner = Place(at.x - size.x / 2, at.y - size.y / 2)
    return _rectangle(kind, corner, size, 3) + _lines(at, arrow["text"], ' class="says"')


def _holds(group: dict[str, Any], at: Place) -> bool:
    first, last = _middle(group["from"]), _corner(group["to"])
    return first.x - CELL[0] / 2 < at.x < last.x and first.y - CELL[1] / 2 < at.y < last.y
