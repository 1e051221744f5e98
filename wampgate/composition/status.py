"""Offers the procedures behind the status page in a realm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.observation.snapshot import Snapshot
from wampgate.procedures.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.core.procedures import Procedures
    from wampgate.core.realm import Realm
    from wampgate.core.sifting import Sifter
    from wampgate.observation.parts import Parts


def offer_status(procedures: Procedures, realm: Realm, parts: Callable[[], Parts], sifter: Sifter) -> None:
    """Register ``wampgate.status.…``; ``parts`` is asked at each call."""
    for name, procedure in Status(realm, sifter, Snapshot(parts)).procedures().items():
        procedures.add(name, procedure)
