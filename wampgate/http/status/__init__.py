"""The status page's files, for the listener that operators use; what it has in common with the public page is there."""

from __future__ import annotations

from importlib import resources
from typing import Final

_SCRIPT: Final = b"text/javascript; charset=utf-8"

FILES: Final = {
    "index.html": b"text/html; charset=utf-8",
    "status.css": b"text/css; charset=utf-8",
    "status.js": _SCRIPT,
    "feed.js": _SCRIPT,
    "elements.js": _SCRIPT,
    "words.js": _SCRIPT,
    "rules.js": _SCRIPT,
    "tabs.js": _SCRIPT,
    "plots.js": _SCRIPT,
    "overview.js": _SCRIPT,
    "sessions.js": _SCRIPT,
    "kick.js": _SCRIPT,
    "topics.js": _SCRIPT,
    "refusals.js": _SCRIPT,
}
"""The page's own files and their content types; no other name is ever looked up."""

SHARED: Final = {
    "style.css": b"text/css; charset=utf-8",
    "wamp.js": _SCRIPT,
    "recovery.js": _SCRIPT,
    "icon.svg": b"image/svg+xml",
}
"""Files of the public page that this one uses, served beside its own."""


def read_files() -> dict[str, tuple[bytes, bytes]]:
    """Every file that has to be served, by its name: its content and its content type.

    Raises:
        FileNotFoundError: the installation lacks one of them.
    """
    folder = resources.files("wampgate.http")
    own = {name: (folder.joinpath("status", name).read_bytes(), kind) for name, kind in FILES.items()}
    shared = {name: (folder.joinpath("page", name).read_bytes(), kind) for name, kind in SHARED.items()}
    return {**own, **shared}
