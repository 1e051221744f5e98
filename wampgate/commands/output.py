"""What commands print: for people at a terminal, for pipes, and for programs (``--json``), by one small interface.

A command hands over tables, records and lines; how they look is decided here. Texts that may come from strangers
(authids, URIs, reasons) are escaped, so that none can move the cursor or forge a line.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial, update_wrapper
from importlib.util import find_spec
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias, TypeVar

import click
import msgspec

from wampgate.config.errors import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

Command = TypeVar("Command", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        key: under which a row has its value; in JSON the name of the member.
        heading: what stands above it; None for the key.
        right: whether it is flush right, as numbers are.
        style: the style of a cell by its value: ``green``, ``red``, ``yellow``, ``bold``, ``dim`` or None.
        fold: whether its cells may take several lines where the terminal is too narrow, as sentences may.
        whole: whether its cells are of no use if they are cut off, as addresses are; numbers always are.
    """

    key: str
    heading: str | None = None
    right: bool = False
    style: Callable[[Any], str | None] | None = None
    fold: bool = False
    whole: bool = False

    @property
    def title(self) -> str:
        """What stands above it."""
        return self.key.replace("_", " ") if self.heading is None else self.heading


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings.

    Attributes:
        columns: what is shown of each row, in this order; other members of rows are shown in JSON only.
        rows: the rows, each by its columns' keys.
        title: what stands above it, for people; None for nothing.
        empty: the line that stands in its place where there are no rows.
    """

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    title: str | None = None
    empty: str = "nothing"


@dataclass(frozen=True, slots=True)
class Record:
    """One thing, by its properties.

    Attributes:
        values: the properties, in order.
        title: what stands above it, for people; None for nothing.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    title: str | None = None


Block: TypeAlias = "Table | Record | str"
"""What is shown: a table, a record, or a line."""


class Output:
    """Where a command's results go.

    Args:
        json: whether a program reads them.
        quiet: whether notes and progress are left out; results and errors never are.
        color: whether there are colours; None for: where a terminal shows them and NO_COLOR is not set.
        out: takes results; None for standard output.
        err: takes notes and progress; None for standard error.
    """

    def __init__(
        self,
        *,
        json: bool = False,
        quiet: bool = False,
        color: bool | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.json = json
        self.quiet = quiet
        self._out = sys.stdout if out is None else out
        self._err = sys.stderr if err is None else err
        self.terminal = self._out.isatty() and os.environ.get("TERM") != "dumb"
        self.color = (self.terminal and not os.environ.get("NO_COLOR")) if color is None else color

    # --- results ---

    def document(self, value: object) -> None:
        """Print one JSON document: all that a command has to say to a program."""
        self._write(msgspec.json.format(_encoded(value), indent=2).decode())

    def event(self, value: object, line: str, style: str | None = None) -> None:
        """Print one element of a stream: as a line of JSON for a program, else as a line of text; both at once.

        Args:
            value: what a program gets.
            line: what people get.
            style: the line's style.
        """
        self._write(_encoded(value).decode() if self.json else self.styled(printable(line), style))
        self._out.flush()

    def show(self, *blocks: Block, document: object = None) -> None:
        """Print the result.

        Args:
            *blocks: for people.
            document: for programs; None for the rows or values of the first block.
        """
        if self.json:
            self.document(_document_of(blocks) if document is None else document)
            return
        for block in blocks:
            self._show(block)

    def line(self, text: str = "", style: str | None = None) -> None:
        """Print a line for people, line breaks in it included; a program gets none."""
        if not self.json:
            self._write(self.styled(text, style))

    def prose(self, text: str) -> None:
        """Print sentences for people; on a terminal, lines end between words."""
        self.line(_wrapped(text) if self.terminal else text)

    def note(self, text: str) -> None:
        """Tell people something beside the result, on standard error."""
        if not self.quiet:
            shown = printable(text)
            click.echo(_wrapped(shown) if self._err.isatty() else shown, file=self._err)

    def styled(self, text: str, style: str | None) -> str:
        """A text in a style, where there are colours."""
        if style is None or not self.color:
            return text
        return (
            click.style(text, bold=True)
            if style == "bold"
            else (click.style(text, dim=True) if style == "dim" else click.style(text, fg=style))
        )

    # --- what changes while it is looked at ---

    def progress(self, label: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show how far something is, on a terminal; elsewhere nothing. The function that it gives takes steps done.

        Args:
            label: what is being done.
            total: how many steps there are.
        """
        if self.quiet or self.json or not (self._err.isatty() and os.environ.get("TERM") != "dumb"):
            return nullcontext(lambda _steps: None)
        return self._progress(label, total)

    @contextmanager
    def _progress(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        with click.progressbar(length=total, label=label, file=self._err, color=self.color) as bar:
            yield bar.update

    @contextmanager
    def live(self) -> Iterator[Callable[..., None]]:
        """A display that is drawn anew; the function that it gives takes what :meth:`show` takes.

        Where no terminal is, each drawing is printed below the last one, and for programs as one line of JSON.
        """
        if self.json or not self.terminal:
            yield self._redraw_below
        elif self._rich:
            from wampgate.commands.rich_output import live  # noqa: PLC0415 - only where it is installed and used

            with live(self._out, color=self.color) as redraw:
                yield redraw
        else:
            with _alternate_screen(self._out):
                yield self._redraw_over

    @property
    def height(self) -> int | None:
        """How many lines the terminal shows at once; None where there is no terminal."""
        return get_terminal_size().lines if self.terminal and not self.json else None

    def _redraw_below(self, *blocks: Block, document: object = None) -> None:
        if self.json:
            self._write(_encoded(_document_of(blocks) if document is None else document).decode())
        else:
            self.show(*blocks)
        self._out.flush()

    def _redraw_over(self, *blocks: Block, document: object = None) -> None:  # noqa: ARG002 - for programs only
        lines = [line for block in blocks for line in self.lines(block)]
        # In one piece, each line over the old one, so that nothing flickers; no more than fit, or the screen scrolls.
        drawn = "\n".join(f"{line}\x1b[K" for line in lines[: self.height])
        self._out.write(f"\x1b[H{drawn}\x1b[J")
        self._out.flush()

    # --- how it looks ---

    @property
    def _rich(self) -> bool:
        return self.terminal and find_spec("rich") is not None

    def _show(self, block: Block) -> None:
        if isinstance(block, str):
            self._write(block)
        elif self._rich:
            from wampgate.commands.rich_output import write  # noqa: PLC0415 - only where it is installed and used

            write(self._out, block, color=self.color)
        else:
            for line in self.lines(block):
                self._write(line)

    def lines(self, block: Block) -> Iterator[str]:
        """A block as lines of text."""
        if isinstance(block, str):
            yield block
            return
        if block.title:
            yield self.styled(block.title, "bold")
        if isinstance(block, Record):
            width = max((len(name) for name in block.values), default=0)
            for name, value in block.values.items():
                yield f"{name.replace('_', ' '):<{width}}  {cell(value)}".rstrip()
        elif block.rows:
            yield from self._aligned(block)
        else:
            yield self.styled(block.empty, "dim")

    def _aligned(self, table: Table) -> Iterator[str]:
        cells = [[cell(row.get(column.key)) for column in table.columns] for row in table.rows]
        headings = [column.title.upper() for column in table.columns]
        widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
        yield self.styled(_row(headings, widths, table.columns), "dim")
        for row, texts in zip(table.rows, cells, strict=True):
            styles = [column.style(row.get(column.key)) if column.style else None for column in table.columns]
            yield _row(texts, widths, table.columns, [partial(self.styled, style=style) for style in styles])

    def _write(self, text: str) -> None:
        self._out.write(f"{text}\n")


def _wrapped(text: str) -> str:
    return click.wrap_text(text, get_terminal_size().columns)


def cell(value: object) -> str:
    """A value as people read it, in one line, with control characters escaped."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, datetime):
        return value.astimezone().isoformat(sep=" ", timespec="seconds")
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(cell(element) for element in value)
    return printable(str(value))


def _row(
    texts: Sequence[str],
    widths: Sequence[int],
    columns: Sequence[Column],
    styled: Sequence[Callable[[str], str]] | None = None,
) -> str:
    """Texts side by side, filled up to their columns' widths; the last one is not."""
    filled = [
        f"{text:>{width}}" if column.right else f"{text:<{width}}"
        for text, width, column in zip(texts, widths, columns, strict=True)
    ]
    if not columns[-1].right:
        filled[-1] = texts[-1]
    if styled is not None:
        filled = [style(text) for style, text in zip(styled, filled, strict=True)]
    return "  ".join(filled).rstrip()


def _document_of(blocks: Sequence[Block]) -> object:
    first = next((block for block in blocks if not isinstance(block, str)), None)
    if isinstance(first, Table):
        return list(first.rows)
    return first.values if first is not None else list(blocks)


def _encoded(value: object) -> bytes:
    """A value as JSON in one line; what JSON has no form for becomes text, what could move a cursor is escaped."""
    encoded = msgspec.json.encode(value, enc_hook=str)
    text = encoded.decode()
    return encoded if text.isprintable() else visible_json(text).encode()


def visible_json(text: str) -> str:
    """JSON whose every character can be seen: JSON itself lets most control characters pass."""
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


@contextmanager
def _alternate_screen(out: TextIO) -> Iterator[None]:
    """The terminal's second screen, so that what was there comes back."""
    # No cursor, and no line goes on in the next one: what is too wide is cut off.
    out.write("\x1b[?1049h\x1b[?25l\x1b[?7l")
    try:
        yield
    finally:
        out.write("\x1b[?7h\x1b[?25h\x1b[?1049l")
        out.flush()


def output_options(command: Command) -> Command:
    """The options ``--json``, ``--no-color`` and ``--quiet``; the command gets them as its argument ``output``."""

    def with_output(*arguments: Any, as_json: bool, no_color: bool, quiet: bool, **more: Any) -> Any:
        output = Output(json=as_json, quiet=quiet, color=False if no_color else None)
        return command(*arguments, output=output, **more)

    wrapped: Any = update_wrapper(with_output, command)
    for option in (
        click.option("--quiet", "-q", is_flag=True, help="Leave out notes and progress."),
        click.option("--no-color", is_flag=True, help="No colours; as with the variable NO_COLOR."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs."),
    ):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]  # click's decorators lose the type


def json_anyway(command: Command) -> Command:
    """The option ``--json`` of a command that prints nothing but JSON: programs need not know which one does."""
    return click.option("--json", is_flag=True, expose_value=False, help="It prints JSON with it and without it.")(
        command
    )


def config_option(command: Command) -> Command:
    """The option ``--config``; the command gets it as its argument ``config``, a text."""
    return click.option(
        "--config",
        "-c",
        default="router.json",
        show_default=True,
        metavar="FILE",
        type=click.Path(),
        help="The configuration.",
    )(command)
