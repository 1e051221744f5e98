"""Every link leads somewhere, to the heading that it names; every file that a page names is there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from documentation.blocks import TOP, pages

FENCED = re.compile(r"^( *)(`{3,})[^\n]*\n.*?^\1\2`*[ ]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?\)")
NAMED = re.compile(r"`((?:docs|examples|tests|wampgate|benchmarks)/[\w./-]+?)(?:::[\w:]+)?`")
MADE_LATER = ("benchmarks/build/",)
"""What is named before it is made."""


@cache
def prose(page: str) -> str:
    """A page without its blocks."""
    return FENCED.sub("", (TOP / page).read_text(encoding="utf-8"))


@cache
def anchors(page: str) -> frozenset[str]:
    """The names of its headings, as GitHub and the site make them."""
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} (.+?)\s*$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.replace("`", ""))
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
    return frozenset(found)


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    lost = []
    for target in LINK.findall(prose(page)):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (TOP / page).parent / name if name else TOP / page
        if not path.exists() or (anchor and anchor not in anchors(str(path.resolve().relative_to(TOP)))):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("page", pages())
def test_files_that_are_named_are_there(page: str) -> None:
    named = [name for name in NAMED.findall(prose(page)) if not name.startswith(MADE_LATER)]
    assert [name for name in named if not (TOP / name).exists()] == []


def test_pages_that_the_code_names_are_there() -> None:
    lost = [
        (str(file.relative_to(TOP)), name)
        for folder in ("wampgate", "examples", "benchmarks")
        for file in (TOP / folder).rglob("*.py")
        if "build" not in file.parts
        for name in re.findall(r"\bdocs/[\w/-]+\.md", file.read_text(encoding="utf-8"))
        if not (TOP / name).exists()
    ]
    assert lost == []


def test_the_index_has_every_page_once() -> None:
    listed = re.findall(r"^- \[.+?\]\((\S+\.md)\)", (TOP / "docs/index.md").read_text(), re.MULTILINE)
    there = [str(Path(page).relative_to("docs")) for page in pages() if page.startswith("docs/")]
    assert sorted([*listed, "index.md"]) == sorted(there)


def test_every_page_begins_with_what_it_is_for() -> None:
    """A sentence for its reader: a comment before the title, or the first paragraph behind it."""
    for page in pages():
        first, _, rest = (TOP / page).read_text().partition("\n")
        assert first.startswith("<!--") or (first.startswith("# ") and len(rest.strip().split("\n\n")[0]) > 40), page
