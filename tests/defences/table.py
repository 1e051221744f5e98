"""All defences of docs/security.md with what takes them out, and what is wrong with this table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from . import (
    administration,
    after_joining,
    before_joining,
    commands,
    cookies,
    deciding,
    kept_events,
    meta_api,
    operators,
    other_ways,
    proving,
    rawsockets,
    reloads,
    status_page,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .mutation import Mutation

MUTATIONS: Final[tuple[Mutation, ...]] = (
    *before_joining.MUTATIONS,
    *after_joining.MUTATIONS,
    *other_ways.MUTATIONS,
    *proving.MUTATIONS,
    *rawsockets.MUTATIONS,
    *kept_events.MUTATIONS,
    *meta_api.MUTATIONS,
    *deciding.MUTATIONS,
    *cookies.MUTATIONS,
    *reloads.MUTATIONS,
    *operators.MUTATIONS,
    *commands.MUTATIONS,
    *status_page.MUTATIONS,
    *administration.MUTATIONS,
)

_SECTIONS: Final = ("## Before a session is trusted", "## After")


def rows_of(root: Path) -> Mapping[str, frozenset[str]]:
    """The rows of the two tables: attack to the tests that are named."""
    text = (root / "docs" / "security.md").read_text()
    rows: dict[str, frozenset[str]] = {}
    for section in re.split(r"^(?=## )", text, flags=re.MULTILINE):
        if section.startswith(_SECTIONS):
            for line in re.findall(r"^\| (.+) \|$", section, re.MULTILINE)[1:]:
                cells = line.split(" | ")
                if len(cells) == 3 and not cells[0].startswith("---"):
                    rows[cells[0]] = frozenset(re.findall(r"`(test_\w+\.py::\w+)`", cells[2]))
    return rows


def misfits(mutation: Mutation, root: Path) -> list[str]:
    """What a mutation would change and can't, since it does not stand in the code exactly once."""
    found = []
    for edit in mutation.edits:
        path = root / "wampgate" / edit.file
        count = path.read_text().count(edit.old) if path.exists() else 0
        if count != 1:
            found.append(f"wampgate/{edit.file} holds {count} times instead of once: {edit.old!r}")
    return found


def faults_of(root: Path) -> list[str]:
    """Why the table does not fit the documentation or the code; empty if it does."""
    rows = rows_of(root)
    faults = [f"tests/defences has no mutation for the row {row!r}" for row in rows if not _of(row)]
    for mutation in MUTATIONS:
        named = rows.get(mutation.row)
        complaints = misfits(mutation, root)
        if named is None:
            complaints.append("docs/security.md has no such row")
        else:
            complaints += [f"the row does not name {test}" for test in mutation.tests if test not in named]
        faults += [f"{mutation.row!r} without {mutation.without}: {complaint}" for complaint in complaints]
    return faults


def _of(row: str) -> list[Mutation]:
    return [mutation for mutation in MUTATIONS if mutation.row == row]
