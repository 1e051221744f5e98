"""Which listeners need nothing but the port itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wampgate.config import model


def is_usual(listen: model.Listen) -> bool:
    """Whether a listener serves WAMP and the page, and no proxy speaks first."""
    return set(listen.serves) == {"wamp", "page"} and not listen.proxy_protocol
