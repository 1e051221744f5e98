"""References in texts of router.json: ``${NAME}`` from the environment, ``${file:PATH}`` from a file.

``$${`` stands for a literal ``${``. What a reference gives is not searched for
further references, so a secret may contain any character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wampgate.config.errors import printable, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_FILE_BYTES: Final = 65536
"""A referenced file may hold as much: a key or a query fits, a mistaken path to a disk image does not."""

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_ALONE: Final = re.compile(r"\$\{[^}]*\}").fullmatch


class ReferenceFailed(Exception):
    """A text has references that lead nowhere.

    Attributes:
        faults: for each, what was expected and what was found.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Followed:
    """A text whose references have been followed.

    Attributes:
        text: the text with what the references give.
        written: the text as the file has it; None if nothing in it came from outside.
    """

    text: str
    written: str | None = None

    @property
    def alone(self) -> bool:
        """Whether the text was one reference and nothing else, so that showing it tells no secret."""
        return self.written is not None and _ALONE(self.written) is not None


@dataclass(frozen=True, slots=True)
class References:
    """Where references lead.

    Attributes:
        environ: the environment's variables.
        folder: relative paths start here.
    """

    environ: Mapping[str, str]
    folder: Path

    def follow(self, text: str) -> Followed:
        """What a text becomes.

        Raises:
            ReferenceFailed: a variable or a file is missing, or a reference is malformed.
        """
        faults: list[str] = []
        outside = False

        def replace(match: re.Match[str]) -> str:
            nonlocal outside
            if match[0] == "$${":
                return "${"
            outside = True
            try:
                return self._look_up(match[1], closed=bool(match[2]))
            except ReferenceFailed as failure:
                faults.extend(failure.faults)
                return ""

        replaced = _REFERENCE.sub(replace, text)
        if faults:
            raise ReferenceFailed(faults)
        return Followed(replaced, text if outside else None)

    def _look_up(self, name: str, *, closed: bool) -> str:
        if closed and name.startswith("file:"):
            return self._content(name.removeprefix("file:"))
        if not closed or _NAME(name) is None:
            raise ReferenceFailed(['expected "${NAME}", "${file:PATH}" or, for a literal "${", "$${", got neither'])
        if name not in self.environ:
            raise ReferenceFailed([f"expected the environment variable {name} to be set, got none"])
        return self.environ[name]

    def _content(self, name: str) -> str:
        """A file's content without the newline that editors put at its end."""
        path = self.folder / name
        try:
            with path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or "not a legal path"
            raise ReferenceFailed([f"expected a readable file {quoted(name)}, got: {printable(reason)}"]) from None
        if len(content) > MAX_FILE_BYTES:
            raise ReferenceFailed([f"expected at most {MAX_FILE_BYTES} bytes in the file {quoted(name)}, got more"])
        try:
            return content.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise ReferenceFailed([f"expected UTF-8 in the file {quoted(name)}, got other bytes"]) from None
