"""How the site is made of these pages: ``sphinx-build -W -b html docs build/docs``, without a host from outside."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_TOP: Final = Path(__file__).parents[1]

project = "wampgate"
author = "the wampgate authors"
copyright = author  # noqa: A001 - Sphinx's name
release = re.findall(r'__version__ = "(.+)"', (_TOP / "wampgate/__init__.py").read_text(encoding="utf-8"))[0]
html_title = f"wampgate {release}"
html_theme = "furo"
html_show_sourcelink = False
html_copy_source = False

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["generating"]
html_static_path = ["styles"]
html_css_files = ["site.css"]
# Links into a page as they work where the pages are read as they are: by the heading's words.
myst_heading_anchors = 4
myst_links_external_new_tab = False
suppress_warnings = [
    "misc.highlighting_failure",  # fragments of router.json and "…" are no whole JSON; tests run the blocks
]
highlight_language = "none"
nitpicky = True

_DESCRIPTION: Final = tomllib.loads((_TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]["description"]
html_theme_options = {"footer_icons": [], "announcement": ""}
html_context = {"description": _DESCRIPTION}


def _with_navigation(_app: Sphinx, name: str, source: list[str]) -> None:
    """Make the lists of links in index.md the site's navigation, one part for each heading."""
    if name != "index":
        return
    parts = re.split(r"^## (.+)$", source[0], flags=re.MULTILINE)[1:]
    for caption, text in zip(parts[::2], parts[1::2], strict=True):
        listed = re.findall(r"^- \[(.+?)\]\((\S+)\.md\)", text, re.MULTILINE)
        entries = "\n".join(f"{title} <{page}>" for title, page in listed)
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"


def _with_files(_app: Sphinx, name: str, source: list[str]) -> None:
    """Let pages outside docs/ be files to download, and folders be mere words: the site has pages of docs/ only."""
    folder = (_TOP / "docs" / name).parent

    def linked(match: re.Match[str]) -> str:
        target = (folder / match[2]).resolve()
        if target.is_dir():
            return match[1]
        outside = target.suffix == ".md" and not target.is_relative_to(_TOP / "docs")
        return f"[{match[1]}](path:{match[2]})" if outside else match[0]

    source[0] = re.sub(r"\[([^\]]+)\]\((\.\./[\w./-]+)\)", linked, source[0])


def setup(app: Sphinx) -> None:
    """What Sphinx calls."""
    app.connect("source-read", _with_navigation)
    app.connect("source-read", _with_files)
