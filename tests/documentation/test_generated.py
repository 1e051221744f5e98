"""What is made of the code is as the code would have it; and what the generator itself has to know is complete."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from documentation.blocks import TOP
from documentation.test_configuration_blocks import environment_of
from msgspec import inspect as types

from docs.generating import configuration, errors, examples, pages, pictures
from wampgate.config import load
from wampgate.config.model import Configuration

if TYPE_CHECKING:
    from pathlib import Path

AGAIN = "is not as the code would have it: run `python -m docs.generating`, and look at what has changed"
MADE = pages.made() | pictures.made()


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_it_is_as_the_code_would_have_it(path: Path) -> None:
    """docs/reference/configuration.md, docs/reference/commands.md and the like, and the pictures."""
    assert path.read_text() == MADE[path], f"{path.relative_to(TOP)} {AGAIN}"


def test_there_is_nothing_else() -> None:
    assert {*pages.REFERENCE.iterdir()} | {*pictures.FOLDER.glob("*.svg")} == set(MADE)


def test_every_uri_has_its_meaning() -> None:
    assert set(errors.uris()) == set(errors.meanings())


def test_every_section_has_an_example() -> None:
    shown: dict[type, configuration.Shown] = {}
    configuration.collect(types.type_info(Configuration), "", shown)
    assert set(shown) - set(examples.found()) == set()


@pytest.mark.parametrize("file", examples.OWN, ids=lambda path: path.name)
def test_the_examples_load(file: Path, tmp_path: Path) -> None:
    text = file.read_text()
    (tmp_path / "ca.pem").write_text("")
    (tmp_path / "router.json").write_text(text)
    assert load(tmp_path / "router.json", environment_of(text)).realms


@pytest.mark.parametrize("path", pictures.made(), ids=lambda path: path.name)
def test_a_picture_is_said_to_who_can_t_see_it(path: Path) -> None:
    picture = ET.parse(path).getroot()
    words = {each.tag.rpartition("}")[2]: "".join(each.itertext()) for each in picture}
    assert len(words["title"]) > 10
    assert len(words["desc"]) > 100
    assert "prefers-color-scheme: dark" in words["style"]
    used = [page for page in (TOP / "docs").glob("*.md") if f"pictures/{path.name}" in page.read_text()]
    assert used, "no page shows it"
    for page in used:
        assert re.search(rf"!\[[^\]]{{20,}}\]\(pictures/{path.name}\)", page.read_text()), (
            "its alternative text is short"
        )


def test_what_is_written_in_a_box_fits() -> None:
    """About 6.8 pixels for a letter of 13 pixels: an estimate, on the safe side for most fonts."""
    for path in pictures.FOLDER.glob("*.svg"):
        for span in ET.parse(path).getroot().iter("{http://www.w3.org/2000/svg}tspan"):
            assert len(span.text or "") * 6.8 <= pictures.BOX[0] + 2, (path.name, span.text)


def test_an_arrow_to_nowhere_is_noticed() -> None:
    text = 'title = "t"\ndescription = "d"\n[[box]]\nid = "a"\nat = [0, 0]\ntext = "a"\n'
    with pytest.raises(KeyError, match="b"):
        pictures.drawn(f'{text}[[arrow]]\nfrom = "a"\nto = "b"\n')
