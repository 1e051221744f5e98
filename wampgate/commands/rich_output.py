"""Tables, records and live displays as rich draws them on a terminal; used where rich is installed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from wampgate.commands.output import Block, Column, Record, Table, cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WHOLE: Final = 24
"""No column is kept wider than this: what is longer may be an attempt to leave no room for others."""


def write(out: TextIO, block: Block, *, color: bool) -> None:
    """Print a block."""
    _console(out, color=color).print(_drawn(block))


@contextmanager
def live(out: TextIO, *, color: bool) -> Iterator[Callable[..., None]]:
    """A display over the whole terminal; the function that it gives draws blocks in place of the last ones."""
    with Live(console=_console(out, color=color), screen=True, auto_refresh=False) as display:

        def redraw(*blocks: Block, document: object = None) -> None:  # noqa: ARG001 - for programs only
            display.update(Group(*map(_drawn, blocks)), refresh=True)

        yield redraw


def _console(out: TextIO, *, color: bool) -> Console:
    # Nothing in a text is markup, a link or worth a colour of its own: texts may come from strangers.
    return Console(file=out, no_color=not color, markup=False, highlight=False, emoji=False)


def _drawn(block: Block) -> Any:
    if isinstance(block, str):
        return Text.from_ansi(block)
    if isinstance(block, Record):
        return _record(block)
    if not block.rows:
        return Text(block.empty, style="dim")
    return _table(block)


def _record(record: Record) -> RichTable:
    drawn = RichTable(
        box=None, show_header=False, title=_title(record.title), title_justify="left", padding=(0, 2, 0, 0)
    )
    drawn.add_column(style="dim")
    drawn.add_column(overflow="fold")
    for name, value in record.values.items():
        drawn.add_row(Text(name.replace("_", " ")), Text(cell(value)))
    return drawn


def _table(table: Table) -> RichTable:
    drawn = RichTable(
        box=box.SIMPLE_HEAD,
        title=_title(table.title),
        title_justify="left",
        pad_edge=False,
        show_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
    )
    for column in table.columns:
        widest = max(len(cell(row.get(column.key))) for row in table.rows)
        drawn.add_column(
            Text(column.title),
            justify="right" if column.right else "left",
            # Sentences are folded, and other texts cut off, before what is of use only as a whole.
            min_width=min(max(widest, len(column.title)), _WHOLE) if column.right or column.whole else None,
            no_wrap=column.right or column.whole,
            overflow="fold" if column.fold else "ellipsis",
        )
    for row in table.rows:
        drawn.add_row(*(_cell(column, row.get(column.key)) for column in table.columns))
    return drawn


def _cell(column: Column, value: Any) -> Text:
    return Text(cell(value), style=(column.style(value) if column.style else None) or "")


def _title(title: str | None) -> Text | None:
    return None if title is None else Text(title, style="bold")
