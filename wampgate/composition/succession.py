"""New parts for a realm that runs: made and opened beside the old ones, and put in their place at once.

Between :meth:`Succession.open` and :meth:`Succession.commit` nothing of the realm has changed, so that all of it can be
undone. Within the commit nothing can fail, and nobody else's turn comes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.task import deferLater
from twisted.logger import Logger

from wampgate.composition.judging import Ends, judged
from wampgate.composition.living import standing_of, start_keys
from wampgate.config.errors import Problem
from wampgate.core.errors import SHUTDOWN, StoreUnavailable, uri

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from wampgate.composition.bridges import Bridged
    from wampgate.composition.living import LivingRealm
    from wampgate.composition.process import Process
    from wampgate.composition.realm import RealmParts
    from wampgate.composition.stores import Store
    from wampgate.config import model
    from wampgate.core.session import Session

_log = Logger(namespace="wampgate")

_AT_ONCE_SECONDS: Final = 0.01
"""So long sessions are looked at before the router's other work goes on."""

_LINGER_SECONDS: Final = 3.0
"""So long a store stays open that has been replaced: who was asking it may have its answer."""

_ASKED: Final = "wampgate asks for this token when it is reloaded"


class Succession:
    """What is to take the place of a realm's parts.

    Args:
        process: what all realms share.
        living: the realm.
        index: the place of its section in ``realms``.
        configuration: what is to hold.
        deciding: the procedures that are registered in this realm and by which is decided, here or elsewhere.

    Raises:
        ValueError: something that the section names can't be used.

    Attributes:
        parts: what the realm is to go by.
        needed: whether anything of the realm is to be another one.
    """

    def __init__(
        self,
        process: Process,
        living: LivingRealm,
        index: int,
        configuration: model.Configuration,
        deciding: Collection[str],
    ) -> None:
        self._process = process
        self._living = living
        self._index = index
        section = configuration.realms[index]
        self.before = before = living.parts
        self.parts = process.maker.realm_of(section, configuration.limits, deciding, before)
        self._standing = living.standing
        self._gone = [each for each in before.bridged if each not in self.parts.bridged]
        self._new = [each for each in self.parts.bridged if each not in before.bridged]
        self._reserved: list[Any] = []
        self.needed = (
            section != before.configuration or set(deciding) != set(before.deciding) or bool(self._gone or self._new)
        )

    # --- what can fail, and be undone ---

    async def open(self) -> list[Problem]:
        """Open what is new, and see that it can be used; why it can't be, nothing if it can."""
        if not self.needed:
            return []
        return [
            *await self._open_store(),
            *await open_keys(self.parts, self.before, self._index),
            *self._reserve(),
        ]

    async def _open_store(self) -> list[Problem]:
        if self.parts.store is self.before.store:
            return []
        # It hears of changes from the store's beginning on.
        self._standing = standing_of(self._process, self.parts, attach=False)
        return [] if self.parts.store is None else await open_store(self.parts.store, self._index)

    def _reserve(self) -> Iterator[Problem]:
        """Take hold of what new bridges keep on the disk, as far as no old one holds it."""
        held = {each.bridge.name for each in self._gone}
        for bridged in self._new:
            reserve = getattr(bridged.bridge, "reserve", None)
            if reserve is None or bridged.bridge.name in held:
                continue
            try:
                reserve()
                self._reserved.append(bridged.bridge)
            except OSError as error:
                place = self.parts.configuration.bridges.index(bridged.section)
                yield Problem(("realms", self._index, "bridges", place, "state_folder"), str(error))

    async def undo(self) -> None:
        """Close what was opened."""
        for bridge in self._reserved:
            bridge.release()
        if self.parts.store is not None and self.parts.store is not self.before.store:
            await self.parts.store.stop()

    # --- the change ---

    async def rest(self) -> None:
        """Let the bridges rest that are to go: what they have read is published by the rules that they had."""
        self._rested = time.time()
        await self._living.stop_bringing(self._gone)

    def commit(self) -> None:
        """Let the realm go by its new parts. Never fails."""
        if not self.needed:
            return
        living = self._living
        self.parts.take_effect()
        living.succeed(self.parts, self._standing)
        self._at = self._process.deadlines.now()
        living.judge(self._judge, self._at)

    def bound(self) -> None:
        """Offer what the new parts can answer; after all realms' commits."""
        if self.needed:
            self._living.offer()
            for bridged in self._new:
                bridged.attach()

    # --- afterwards ---

    async def settle(self) -> None:
        """Have the bridges bring events again, and look at every session."""
        if not self.needed:
            return
        for bridged in self._new:
            await self._bring(bridged)
        await self._look_at_all()
        if self._living.standing is not None and self.parts.store is not self.before.store:
            self._living.standing.sweep()

    async def let_go(self) -> None:
        """Close the store that was replaced, when those who were asking it have their answers."""
        if self.before.store is not None and self.parts.store is not self.before.store:
            await deferLater(self._process.reactor, _LINGER_SECONDS)
            await self.before.store.stop()

    async def _bring(self, bridged: Bridged) -> None:
        from wampgate.bridge.redis_bridge import RedisBridge  # noqa: PLC0415 - loaded only where there are bridges

        bridge, replaces = bridged.bridge, any(each.bridge.name == bridged.bridge.name for each in self._gone)
        try:
            if isinstance(bridge, RedisBridge):
                await bridge.start(self._rested if replaces else None)
            else:
                await bridge.start()
        except OSError as error:
            _log.error("bridge {name} can't be started: {error}", name=bridge.name, error=str(error))

    async def _look_at_all(self) -> None:
        reconsidered = _decides_otherwise(self.before, self.parts)
        until = time.monotonic() + _AT_ONCE_SECONDS
        for session in list(self._living.realm.sessions.values()):
            # Who came since then came by what holds now.
            if session.established and session.since < self._at:
                self._judge(session)
            if reconsidered and session.established:
                self._living.realm.reconsider(session)
            if time.monotonic() >= until:
                await deferLater(self._process.reactor, 0)
                until = time.monotonic() + _AT_ONCE_SECONDS

    def _judge(self, session: Session) -> None:
        """Give a session the role that it has now, or end it."""
        router, who = self._process.router, session.principal
        verdict = judged(self.before.configuration, self.parts.configuration, who)
        if verdict is Ends.REVOKED:
            router.goodbye(session, uri.TOKEN_REVOKED, "the configuration has changed: who this was is known no more")
        elif verdict is Ends.AGAIN:
            router.shut(session, SHUTDOWN.code, SHUTDOWN.reason)
        elif not isinstance(verdict, Ends):
            session.principal = verdict


async def open_store(store: Store, index: int) -> list[Problem]:
    """Open a realm's store and ask it something; why it can't be used."""
    await store.start()
    at = ("realms", index, "store")
    if not store.ready:
        return [Problem(at, "expected a store that answers, got none: see that it runs and can be reached")]
    try:
        await store.look_up(_ASKED)
        await store.memberships(_ASKED)
    except StoreUnavailable as error:
        return [Problem(at, f"expected a store that answers, got: {error}")]
    return []


async def open_keys(parts: RealmParts, before: RealmParts | None, index: int) -> list[Problem]:
    """Fetch the keys of signed tokens; why there are none."""
    if parts.signed is None or parts.signed.url_keys is None or (before and before.signed is parts.signed):
        return []
    await start_keys(parts)
    if parts.signed.url_keys.ready:
        return []
    at = ("realms", index, "authentication", "ticket", "jwt", "keys_url")
    return [Problem(at, "expected keys there, got none: the log says why")]


def _decides_otherwise(before: RealmParts, after: RealmParts) -> bool:
    """Whether what someone may do may be another thing now."""
    section, earlier = after.configuration, before.configuration
    return (
        section.authorization != earlier.authorization
        or section.authentication != earlier.authentication
        or set(after.deciding) != set(before.deciding)
        or after.memberships is not before.memberships
    )
