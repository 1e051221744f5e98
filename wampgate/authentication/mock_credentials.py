"""Made-up credentials for an authid that nobody knows: always the same ones, so that nothing tells it from a known one.

The specification calls the challenge that is made of them a mock CHALLENGE
("Salted Challenge Response Authentication").
"""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import shake_256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.core.interfaces import Credentials

_MADE_UP: Final = ("salt", "secret", "stored_key", "server_key")
"""What is made up for each authid; all else is as with those who are known."""


class MockCredentials:
    """Makes up credentials that look like those of somebody.

    Args:
        models: what known principals' credentials look like; which one an authid gets is
            as arbitrary as its salt.
        key: what nobody else knows; a random one if None.
    """

    def __init__(self, models: Sequence[Credentials], key: bytes | None = None) -> None:
        self._models = tuple(models)
        self._key = secrets.token_bytes(32) if key is None else key

    def of(self, authid: str) -> Credentials:
        """The credentials of an authid that nobody knows: the same each time."""
        model = self._models[int.from_bytes(self._bytes("model", authid, 8)) % len(self._models)]
        secret = {
            name: self._like(str(value), name, authid) if name in _MADE_UP and value is not None else value
            for name, value in model.secret.items()
        }
        return replace(model, authid=authid, secret=secret)

    def _like(self, text: str, name: str, authid: str) -> str:
        """Base64 of as many bytes as a text is, or other text of its length if it is none."""
        try:
            count = len(b64decode(text, validate=True))
        except ValueError:
            return b64encode(self._bytes(name, authid, len(text))).decode()[: len(text)]
        return b64encode(self._bytes(name, authid, count)).decode()

    def _bytes(self, name: str, authid: str, count: int) -> bytes:
        text = f"{name} {authid}".encode("utf-8", "surrogatepass")
        # Of the SHA-3 family, a key put before the text makes a good MAC, of any length.
        return shake_256(self._key + text).digest(count)
