"""Applies a changed configuration to the running router: all of it, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wampgate.composition.doors import NotListening, close
from wampgate.composition.dynamic import bind_dynamic, deciding_procedures
from wampgate.composition.living import LivingRealm
from wampgate.composition.succession import Succession, open_keys, open_store
from wampgate.config.differences import differences, unchangeable
from wampgate.config.errors import ConfigurationError, Problem
from wampgate.core.errors import uri
from wampgate.stepping import run
from wampgate.transports.proxy import TrustedProxies

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from wampgate.composition.doors import DoorsToCome
    from wampgate.composition.running import Running
    from wampgate.config import model
    from wampgate.core.session import Session

_log = Logger(namespace="wampgate")

_LATER: Final = ("tracing",)
"""Sections by which is gone from the start to the end."""


@dataclass(frozen=True, slots=True)
class Reloadable:
    """A part of the router that goes by sections of its own, such as the log, and can go by others.

    Attributes:
        sections: their keys.
        apply: has it go by a configuration from now on, and returns what it has renewed beside that, such as a
            certificate; raises ValueError or OSError, and then nothing has changed.
        renews: whether it may have something to renew while its sections are the same.
    """

    sections: Sequence[str]
    apply: Callable[[model.Configuration], Awaitable[Sequence[str]]]
    renews: bool = False


class Reloading:
    """Reloads the configuration of a running router.

    Args:
        running: the router.
        reread: loads the configuration anew; raises ConfigurationError.
        source: what problems begin with: the file's name.
        reloadables: the parts that go by sections of their own.

    Attributes:
        told: told of each reload: what has changed, and why nothing has.
    """

    def __init__(
        self,
        running: Running,
        reread: Callable[[], model.Configuration],
        source: str,
        reloadables: Sequence[Reloadable],
    ) -> None:
        self.told: list[Callable[[Sequence[str], Sequence[Problem]], None]] = []
        self._running = running
        self._reread = reread
        self._source = source
        self._reloadables = reloadables
        self._busy = False
        self._waiting: list[Deferred[None]] = []

    async def reload(self) -> list[str]:
        """Load the configuration and go by it, as soon as what was asked for before is done.

        Returns:
            What has changed.

        Raises:
            ConfigurationError: it can't be used, or something that it names can't be; then nothing has changed.
        """
        while self._busy:
            turn: Deferred[None] = Deferred()
            self._waiting.append(turn)
            await turn
        self._busy = True
        try:
            return await self._reload_and_tell()
        finally:
            self._busy = False
            waiting, self._waiting = self._waiting, []
            for turn in waiting:
                turn.callback(None)

    async def _reload_and_tell(self) -> list[str]:
        try:
            changed = await self._reload()
        except ConfigurationError as error:
            self._tell([], error.problems)
            for line in str(error).splitlines():
                _log.error("not reloaded, nothing has changed: {line}", line=line)
            raise
        self._tell(changed, [])
        _log.info("reloaded: {changed}", changed=", ".join(changed) or "nothing is different")
        return changed

    def _tell(self, changed: Sequence[str], problems: Sequence[Problem]) -> None:
        self._running.process.router.counters["reload_failed" if problems else "reloaded"] += 1
        for told in self.told:
            told(changed, problems)

    async def _reload(self) -> list[str]:
        configuration = self._reread()
        before = self._running.process.configuration
        problems = unchangeable(before, configuration)
        if problems:
            raise ConfigurationError(self._source, problems)
        change = _Change(self._running, configuration, self._reloadables)
        try:
            problems = await change.prepare()
        except Exception:  # noqa: BLE001 - whatever it is, what was opened has to be closed, and the operator be told
            _log.failure("a mistake of wampgate's own; please report what follows")
            problems = [Problem((), "expected to get on with it, met a mistake of wampgate's own; the log has it all")]
        if problems:
            await change.undo()
            raise ConfigurationError(self._source, problems)
        await change.rest()
        change.commit()
        await change.settle()
        changed = differences(before, configuration)
        for name in _LATER:
            if name in changed:
                _log.warn("{name} has changed: that takes effect when the router is started again", name=name)
                changed[changed.index(name)] = f"{name} (at the next start)"
        return [*changed, *change.renewed]


class _Change:
    """One change of the whole configuration, step by step."""

    def __init__(self, running: Running, configuration: model.Configuration, reloadables: Sequence[Reloadable]) -> None:
        self._running = running
        self._process = running.process
        self._before = running.process.configuration
        self._after = configuration
        self._reloadables = reloadables
        self._successions: list[Succession] = []
        self._new: list[LivingRealm] = []
        self._applied: list[Reloadable] = []
        self._doors: DoorsToCome | None = None
        self._leaving: Sequence[Any] = ()
        self._removed: list[LivingRealm] = []
        self._proxies = TrustedProxies(configuration.trusted_proxies)
        self.renewed: list[str] = []

    # --- what can fail ---

    async def prepare(self) -> list[Problem]:
        """Make and open everything that is new; why it can't be used, nothing if it can."""
        problems: list[Problem] = []
        for index, section in enumerate(self._after.realms):
            try:
                problems += await self._realm(index, section)
            except (OSError, ValueError) as error:
                problems.append(Problem(("realms", index), str(error)))
        if problems:
            return problems
        try:
            self._doors = await self._running.doors.prepare(self._after.listen)
        except NotListening as error:
            return [Problem(("listen", error.index, "endpoint"), str(error))]
        return await self._apply()

    async def _apply(self) -> list[Problem]:
        """Have the parts go by their sections: the last thing that can fail, so that little has to be taken back."""
        for reloadable in self._reloadables:
            same = all(getattr(self._after, name) == getattr(self._before, name) for name in reloadable.sections)
            if same and not reloadable.renews:
                continue
            try:
                self.renewed += await reloadable.apply(self._after)
                self._applied.append(reloadable)
            except (OSError, ValueError) as error:
                return [Problem((reloadable.sections[0],), str(error))]
        return []

    async def _realm(self, index: int, section: model.Realm) -> list[Problem]:
        deciding = deciding_procedures(self._after.realms, section.name)
        living = self._running.realms.get(section.name)
        if living is not None:
            succession = Succession(self._process, living, index, self._after, deciding)
            self._successions.append(succession)
            return await succession.open()
        parts = self._process.maker.realm_of(section, self._after.limits, deciding)
        living = LivingRealm(self._process, parts, self._running.offers)
        self._new.append(living)
        living.attend()
        found = [] if parts.store is None else await open_store(parts.store, index)
        return [*found, *await open_keys(parts, None, index)]

    async def undo(self) -> None:
        """Let go of all that was made."""
        for reloadable in self._applied:
            await reloadable.apply(self._before)
        if self._doors is not None:
            await self._doors.undo()
        for succession in self._successions:
            await succession.undo()
        for living in self._new:
            await living.close()

    # --- what can't ---

    async def rest(self) -> None:
        """Let everything rest that is to go; from here on nothing fails."""
        for succession in self._successions:
            await succession.rest()
        for living in self._new:
            await living.open_histories()

    def commit(self) -> None:
        """Go by the other configuration, within one turn of the reactor."""
        running, process = self._running, self._process
        process.adopt(self._after, self._proxies)
        realms = {name: living for name, living in running.realms.items() if name in self._names()}
        self._removed = [living for name, living in running.realms.items() if name not in realms]
        realms.update({living.realm.name: living for living in self._new})
        for living in self._removed:
            del process.router.realms[living.realm.name]
            living.realm.joined.append(_closed(living))
        for succession in self._successions:
            succession.commit()
        for living in self._new:
            living.enter()
        running.realms = {section.name: realms[section.name] for section in self._after.realms}
        bind_dynamic([living.parts for living in running.realms.values()], process.deadlines, process.guesses)
        for succession in self._successions:
            succession.bound()
        running.show()
        if self._doors is not None:
            self._leaving = self._doors.commit(process.serving(self._after))
            self.renewed += self._doors.renewed

    async def settle(self) -> None:
        """Do what follows from it, while everything runs by it already."""
        await close(self._process.reactor, self._leaving, hand_over=True)
        for living in self._removed:
            for session in list(living.realm.sessions.values()):
                _close(living, session)
            await living.stop_bringing()
        for succession in self._successions:
            await succession.settle()
        for living in self._new:
            await living.bring()
        run(self._let_go())

    async def _let_go(self) -> None:
        for succession in self._successions:
            await succession.let_go()
        for living in self._removed:
            await living.close()

    def _names(self) -> set[str]:
        return {section.name for section in self._after.realms}


def _closed(living: LivingRealm) -> Callable[[Session, float], None]:
    """Ends whoever was joining a realm that is there no more."""
    return lambda session, _since: _close(living, session)


def _close(living: LivingRealm, session: Session) -> None:
    living.realm.goodbye(session, uri.CLOSE_REALM, "this realm is there no more")
