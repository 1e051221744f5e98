"""The status page's files: each is served, none is forgotten, and nothing in them is inline or of another host."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from wampgate.http.status import FILES, SHARED, read_files

OTHERS = {"http://www.w3.org", "wss://news.example.org"}
"""What comments and SVG name; nothing is fetched from there."""


def test_every_file_is_served() -> None:
    there = {path.name for path in resources.files("wampgate.http").joinpath("status").iterdir() if path.is_file()}
    assert there - {"__init__.py"} == set(FILES)
    assert set(read_files()) == set(FILES) | set(SHARED)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_inline_and_no_text_becomes_markup(name: str) -> None:
    text = read_files()[name][0].decode()
    assert set(re.findall(r"(?:https?|wss?)://[\w.-]+", text)) <= OTHERS
    assert not re.search(
        r"\bon[a-z]+=|style=|javascript:|<style|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(",
        text,
    )


def test_the_page_has_no_script_of_its_own_inside() -> None:
    html = read_files()["index.html"][0].decode()
    assert re.findall(r"<script[^>]*>([^<]*)</script>", html) == [""]


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_whatever_a_script_imports_is_served(name: str) -> None:
    imported = re.findall(r'from "\./([\w.]+)"', read_files()[name][0].decode())
    assert set(imported) <= set(read_files())


def test_every_id_that_a_script_asks_for_is_on_the_page() -> None:
    html = read_files()["index.html"][0].decode()
    ids = set(re.findall(r'\bid="([\w-]+)"', html))
    for name in FILES:
        if name.endswith(".js"):
            asked = set(re.findall(r'\bby\("([\w-]+)"\)', read_files()[name][0].decode()))
            assert asked <= ids, name
