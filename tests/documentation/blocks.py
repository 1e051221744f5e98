"""The pages of the documentation, and the code blocks in them: what is to be run, and where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parents[2]
_EXCUSE = re.compile(r"^<!-- not run: (.+) -->$")
_FENCE = re.compile(r"^( *)(`{3,})(.*)$")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: its page, relative to the tree.
        number: which of the page's blocks it is, from 0.
        line: where it begins.
        language: the first word of its info string; empty if there is none.
        words: the other words there.
        text: what stands in it, without the indentation of the fence.
        before: the paragraph before it, in one line.
        excuse: why it is not run, where a comment on the line before it says so: ``<!-- not run: … -->``.
    """

    page: str
    number: int
    line: int
    language: str
    words: str
    text: str
    before: str
    excuse: str | None

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that it is, if the paragraph before it ends with one's name: ``Write `router.json`:``."""
        found = re.search(r"`([\w./-]+\.\w+)`:$", self.before)
        return found[1] if found else None


@cache
def pages() -> tuple[str, ...]:
    """All pages, relative to the tree."""
    found = [TOP / "README.md", *(TOP / "examples").rglob("*.md"), *(TOP / "docs").rglob("*.md")]
    kept = [path for path in found if "node_modules" not in path.parts]
    return tuple(sorted(str(path.relative_to(TOP)) for path in kept))


@cache
def blocks_of(page: str) -> tuple[Block, ...]:
    """A page's blocks, in order.

    Raises:
        ValueError: one is not closed.
    """
    return tuple(_parsed(page, (TOP / page).read_text(encoding="utf-8").splitlines()))


def all_blocks() -> Iterator[Block]:
    for page in pages():
        yield from blocks_of(page)


def _parsed(page: str, lines: list[str]) -> Iterator[Block]:
    opened: tuple[int, str, str, str] | None = None
    before: list[str] = []
    inside: list[str] = []
    number = 0
    for at, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                opened, inside = (at, *fence.groups()), []  # type: ignore[assignment]  # three groups, all texts
            elif line.strip():
                before.append(line.strip())
            elif before and lines[at : at + 1] and lines[at].strip() and not _FENCE.match(lines[at]):
                before = []
            continue
        begin, indent, ticks, info = opened
        if fence and len(fence[2]) >= len(ticks) and not fence[3].strip():
            language, _, words = info.strip().partition(" ")
            text = "".join(f"{each.removeprefix(indent)}\n" for each in inside)
            excuse = _EXCUSE.match(before[-1]) if before else None
            said = " ".join(before[:-1] if excuse else before)
            yield Block(page, number, begin, language, words.strip(), text, said, excuse and excuse[1])
            opened, before, number = None, [], number + 1
        else:
            inside.append(line)
    if opened is not None:
        raise ValueError(f"{page}:{opened[0]}: the block is not closed")
