"""The running router: its realms and its listeners, started and stopped as one, each of them replaceable on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.composition.doors import Doors
from wampgate.composition.dynamic import bind_dynamic, deciding_procedures
from wampgate.composition.in_view import in_view_of
from wampgate.composition.living import LivingRealm

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.composition.process import Process
    from wampgate.config import model
    from wampgate.core.procedures import Procedures
    from wampgate.core.realm import Realm


class Running:
    """What runs.

    Args:
        process: what all realms share.
        offers: registers more procedures of the router's own in each realm.

    Attributes:
        process: see above.
        realms: by name, in the order of the configuration.
        doors: the sockets that listen.
    """

    def __init__(self, process: Process, offers: Callable[[Procedures, Realm], None]) -> None:
        self.process = process
        self.offers = offers
        self.realms: dict[str, LivingRealm] = {}
        self.doors = Doors(process.reactor)

    def make(self, configuration: model.Configuration) -> None:
        """Make everything that a configuration says; nothing is opened yet.

        Raises:
            ValueError: what it names can't be used.
        """
        process = self.process
        for section in configuration.realms:
            deciding = deciding_procedures(configuration.realms, section.name)
            parts = process.maker.realm_of(section, configuration.limits, deciding)
            self.realms[section.name] = living = LivingRealm(process, parts, self.offers)
            living.enter()
        bind_dynamic([living.parts for living in self.realms.values()], process.deadlines, process.guesses)
        for living in self.realms.values():
            living.attend()
        self.show()

    async def open(self, configuration: model.Configuration) -> None:
        """Open it all: stores, histories, bridges, and at last the sockets.

        Raises:
            NotListening: a socket can't be opened.
            OSError: a file can't be kept.
        """
        for living in self.realms.values():
            await living.open()
        for living in self.realms.values():
            await living.bring()
        to_come = await self.doors.prepare(configuration.listen)
        to_come.commit(self.process.serving(configuration))
        self.process.started()

    async def close(self) -> None:
        """Close all but the sockets: those are to be closed before."""
        for living in self.realms.values():
            await living.stop_bringing()
        for living in self.realms.values():
            await living.close()

    def show(self) -> None:
        """Bring in line with the realms what those see who look at the router, and who logs in by cookie."""
        process = self.process
        parts = [living.parts for living in self.realms.values()]
        process.parts.realms[:] = [in_view_of(each) for each in parts]
        process.logins.clear()
        process.logins.update({each.realm.name: each.logins for each in parts if each.logins is not None})
