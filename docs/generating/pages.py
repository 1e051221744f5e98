"""Which pages are generated, and of what."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from docs.generating import commands, configuration, errors, metrics

REFERENCE: Final = Path(__file__).parents[1] / "reference"
_NOTE: Final = "<!-- Made by python -m docs.generating; change the code that it tells of. -->\n"


def made() -> dict[Path, str]:
    """Each page's text by its path."""
    texts = {
        "configuration.md": configuration.page(),
        "commands.md": commands.page(),
        "metrics.md": metrics.page(),
        "errors.md": errors.errors_page(),
        "close-codes.md": errors.close_codes_page(),
    }
    return {REFERENCE / name: f"{_NOTE}{text}".rstrip() + "\n" for name, text in texts.items()}
