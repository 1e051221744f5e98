"""An HTTP response as a value: what is answered, apart from how it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TEXT: Final = b"text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response.

    Attributes:
        status: the status code.
        body: all of it; the length is written by whoever writes the response.
        content_type: of the body.
        headers: others, by name.
    """

    status: int
    body: bytes
    content_type: bytes = TEXT
    headers: tuple[tuple[bytes, bytes], ...] = ()
