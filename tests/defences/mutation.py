"""A defence taken out of the code, and the tests that have to notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one file.

    Attributes:
        file: below ``wampgate/``.
        old: what stands there, exactly once.
        new: what stands there instead.
    """

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """A router without one of its defences.

    Attributes:
        row: the first cell of the row in docs/security.md whose defence it is.
        without: which defence is gone, in a few words.
        edits: what takes it out.
        tests: ``file::test`` as the row names them; each run of them all has to fail.
    """

    row: str
    without: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def without(row: str, what: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    """A mutation of one edit."""
    return Mutation(row, what, (Edit(file, old, new),), tests)
