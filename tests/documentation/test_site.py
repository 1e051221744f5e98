"""The site is built without a warning, within a minute, and asks no other host for anything."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from documentation.blocks import TOP

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("furo", reason="THE SITE WAS NOT BUILT: install the dependency group docs")
SECONDS = 60
LOADED = re.compile(r"<(?:script|img|link|iframe|source)\b[^>]*?(?:src|href)=\"((?:https?:)?//[^\"]+)\"")
FETCHED = re.compile(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(folder)]
    began = _used()
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=4 * SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert _used() - began < SECONDS
    return folder


def _used() -> float:
    """The processor time of all that was run so far: what a busy machine leaves as it is."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def test_every_page_is_there_and_can_be_found(site: Path) -> None:
    index = (site / "index.html").read_text()
    for page in (TOP / "docs").rglob("*.md"):
        name = str(page.relative_to(TOP / "docs").with_suffix(".html"))
        assert (site / name).is_file()
        assert f'href="{name}"' in index or name == "index.html", f"{name} is not in the navigation"
    # The search is a script and an index beside the pages: it works from a folder, without a server.
    assert "revocation" in (site / "searchindex.js").read_text()


def test_nothing_comes_from_another_host(site: Path) -> None:
    foreign = {
        (file.name, host)
        for file in site.rglob("*")
        if file.suffix in (".html", ".css")
        for host in (LOADED if file.suffix == ".html" else FETCHED).findall(file.read_text(errors="replace"))
    }
    assert foreign == set()


def test_a_mistake_stops_it(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text(
        (TOP / "docs/conf.py").read_text().replace("Path(__file__).parents[1]", f"Path({str(TOP)!r})")
    )
    (tmp_path / "index.md").write_text("# A page\n\n[nowhere](nowhere.md)\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html", str(tmp_path), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode != 0
    assert "nowhere.md" in done.stderr
