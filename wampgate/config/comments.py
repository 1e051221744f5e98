"""Comments and trailing commas in router.json: blanked out, so that what is left is JSON, each fault in its place."""

from __future__ import annotations

import re
from typing import Final

_STRING: Final = r'"(?:[^"\\\n]|\\.)*+"?'
_COMMENT: Final = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_COMMA: Final = re.compile(rf"{_STRING}|,(?=[ \t\r\n]*[\]}}])", re.DOTALL)
_VISIBLE: Final = re.compile(r"[^\n\r]")
_BLANK: Final = " \t\r\n"


def without_comments(text: str) -> str:
    """A text of JSON with ``//`` and ``/* */`` comments and trailing commas replaced by blanks, as long as before."""
    plain = _COMMENT.sub(_without_comment, text)
    return _COMMA.sub(lambda found: _without_comma(found, plain), plain)


def _without_comment(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else _VISIBLE.sub(" ", found[0])


def _without_comma(found: re.Match[str], text: str) -> str:
    """A comma before a closing bracket goes, unless no value stands before it: ``[,]`` stays a mistake."""
    if found[0] != ",":
        return found[0]
    at = found.start() - 1
    while at >= 0 and text[at] in _BLANK:
        at -= 1
    return " " if at >= 0 and text[at] not in "[{,:" else ","
