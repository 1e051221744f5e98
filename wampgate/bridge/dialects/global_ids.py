"""Rails' Global IDs in names: ``news:Z2lkOi8vc2hvcC9Pcmdhbml6YXRpb24vNw`` stands for ``gid://shop/Organization/7``."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from wampgate.bridge.templates import InvalidRule, Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.bridge.templates import Variables

_VARIABLE: Final = "gid"


class GlobalIdTemplate:
    """A template in whose ``{gid}`` stands a Global ID, encoded as Rails does; a :class:`Source` for topics.

    Args:
        text: the template, as ``news:{gid}``.
        gid: a template for the Global ID, as ``gid://shop/Organization/{organization}``.

    Raises:
        InvalidRule: a template is wrong, or ``{gid}`` is missing; the text says what to write.
    """

    __slots__ = ("_gid", "_template", "names", "text")

    def __init__(self, text: str, gid: str) -> None:
        self.text = text
        self._template = Template(text)
        self._gid = Template(gid)
        others = [name for name in self._template.names if name != _VARIABLE]
        if len(others) == len(self._template.names) or set(others) & set(self._gid.names):
            raise InvalidRule(
                f"template {text!r}: {{gid}} stands in it once, and no other variable that {gid!r} has as well"
            )
        self.names: Sequence[str] = (*others, *self._gid.names)

    def match(self, text: str) -> Variables | None:
        """See :meth:`wampgate.bridge.templates.Source.match`."""
        outer = self._template.match(text)
        if outer is None:
            return None
        gid = _decoded(outer[_VARIABLE])
        inner = None if gid is None else self._gid.match(gid)
        return None if inner is None else {name: ({**outer, **inner})[name] for name in self.names}

    def fill(self, variables: Variables) -> str:
        """See :meth:`wampgate.bridge.templates.Source.fill`."""
        gid = base64.urlsafe_b64encode(self._gid.fill(variables).encode()).decode().rstrip("=")
        return self._template.fill({**variables, _VARIABLE: gid})

    def glob(self) -> str:
        """See :meth:`wampgate.bridge.templates.Source.glob`."""
        return self._template.glob()


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def source_of(text: str, gid: str | None) -> Template | GlobalIdTemplate:
    """A template of a name in Rails, with a Global ID in it or without.

    Raises:
        InvalidRule: it is wrong; the text says what to write.
    """
    return Template(text) if gid is None else GlobalIdTemplate(text, gid)
