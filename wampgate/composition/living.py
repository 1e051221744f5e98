"""A realm that runs: its parts, who watches over its sessions' rights, and what it does now and then."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from twisted.internet.task import deferLater

from wampgate.authorization.standing import Standing
from wampgate.composition.periods import Periods
from wampgate.composition.procedures import offer_procedures, procedures_of
from wampgate.core.sifting import Sifter
from wampgate.stepping import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wampgate.composition.bridges import Bridged
    from wampgate.composition.process import Process
    from wampgate.composition.realm import RealmParts
    from wampgate.composition.stores import Store
    from wampgate.config import model
    from wampgate.core.procedures import Procedures
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session

_DEAF_SWEEP_SECONDS: Final = 10.0
"""How often rights are read anew, at the least, while the store does not tell of changes."""

_SWEEP_STEPS: Final = 4
"""So often within a sweep's period it is looked whether one is due."""

_JOINING_SECONDS: Final = 120.0
"""Nobody takes longer to join."""

_EXPIRE_SECONDS: Final = 10.0
"""How often histories let go of what is too old."""


class LivingRealm:
    """One realm, with all that was made for it.

    Args:
        process: what all realms share.
        parts: what was made for it.
        offers: registers more procedures of the router's own in a realm.

    Attributes:
        parts: what it goes by now.
        standing: watches over its sessions' rights; None where no store says anything.
    """

    def __init__(self, process: Process, parts: RealmParts, offers: Callable[[Procedures, Realm], None]) -> None:
        self._process = process
        self._offers = offers
        self.parts = parts
        self.standing = standing_of(process, parts)
        self._procedures = procedures_of(parts.realm, run)
        self._sweeps = Periods(process.reactor)
        self._looks = Periods(process.reactor)
        self._expiries = Periods(process.reactor)
        self._judges: list[tuple[float, Callable[[Session], None]]] = []

    @property
    def realm(self) -> Realm:
        """The core's."""
        return self.parts.realm

    @property
    def section(self) -> model.Realm:
        """What router.json says of it."""
        return self.parts.configuration

    # --- from its beginning to its end ---

    def enter(self) -> None:
        """Let sessions join from now on."""
        self._process.router.take(self.realm)
        for bridged in self.parts.bridged:
            bridged.attach()

    def succeed(self, parts: RealmParts, standing: Standing | None) -> None:
        """Go by other parts from now on, which the realm goes by already.

        Args:
            parts: the other ones.
            standing: who watches over the sessions' rights by them; the same one where the store is the same.
        """
        before, self.parts = self.parts, parts
        if standing is not self.standing:
            if standing is not None:
                standing.attach(self.standing)
            elif self.standing is not None:
                self.standing.detach()
            self.standing = standing
        if self.standing is not None:
            self.standing.cookies = None if parts.cookies is None else parts.cookies.store
        self.watch(before)
        self.expire()

    def judge(self, judge: Callable[[Session], None], now: float) -> None:
        """Have those judged who are joining just now, by what held until now, as soon as they have joined."""
        if self._joined not in self.realm.joined:
            self.realm.joined.append(self._joined)
        # Several reloads may come while someone joins.
        self._judges = [(at, each) for at, each in self._judges if now - at < _JOINING_SECONDS]
        self._judges.append((now, judge))

    def _joined(self, session: Session, since: float) -> None:
        for at, judge in self._judges:
            if since < at and session.established:
                judge(session)
        if session.established and since < self._judges[-1][0]:
            self.realm.reconsider(session)

    def attend(self) -> None:
        """Keep its sessions' rights current, and offer the router's own procedures in it."""
        self.offer()
        self.watch()

    async def open(self) -> None:
        """Open what it asks, and read what is kept of its topics, before anything is published there."""
        parts = self.parts
        if parts.store is not None:
            await parts.store.start()
        await start_keys(parts)
        await self.open_histories()

    async def open_histories(self) -> None:
        """Read what is kept of its topics."""
        parts = self.parts
        for kept in parts.histories:
            if parts.history is not None:
                await kept.start(parts.history)
        self.expire()

    async def bring(self) -> None:
        """Begin to bring events from elsewhere."""
        for bridged in self.parts.bridged:
            await bridged.bridge.start()

    async def stop_bringing(self, bridged: Sequence[Bridged] | None = None) -> None:
        """Bring nothing more; None for by all of its bridges."""
        for each in self.parts.bridged if bridged is None else bridged:
            await each.bridge.stop()
            each.detach()

    async def close(self) -> None:
        """Close what it asks and keeps."""
        for periods in (self._sweeps, self._looks, self._expiries):
            periods.stop()
        for kept in self.parts.histories:
            await kept.stop()
        if self.parts.store is not None:
            await self.parts.store.stop()

    # --- what hangs on its parts: to be done anew when they change ---

    def offer(self) -> None:
        """Offer the router's own procedures, and withdraw those that mean nothing here any more."""
        process = self._process
        sifter = Sifter(process.deadlines.now, partial(process.reactor.callLater, 0))
        offer_procedures(
            self.parts,
            self._procedures,
            process.router,
            guesses=process.guesses,
            standing=self.standing,
            sifter=sifter,
            in_view=lambda: process.parts,
            more=self._offers,
        )

    def watch(self, before: RealmParts | None = None) -> None:
        """Sweep through its sessions' rights now and then, and look at its deny list.

        Args:
            before: by what it went until now; None at its beginning.
        """
        store, seconds = self.parts.store, self.section.authorization.sweep_seconds
        same = before is not None and before.store is store
        if before is None or not (same and before.configuration.authorization.sweep_seconds == seconds):
            self._sweeps.stop()
            if self.standing is not None and store is not None:
                self._sweep(self.standing, store, seconds)
        if before is None or before.signed is not self.parts.signed:
            self._looks.stop()
            self._watch_denials()

    def expire(self) -> None:
        """Let what is kept of its topics expire."""
        self._expiries.stop()
        if self.parts.history is not None:
            self._expiries.every(_EXPIRE_SECONDS, self.parts.history.expire)

    def _sweep(self, standing: Standing, store: Store, seconds: float) -> None:
        """Ask for everyone now and then; more often while changes are not heard of."""
        last = time.monotonic()

        step = min(seconds, _DEAF_SWEEP_SECONDS) / _SWEEP_STEPS

        def sweep() -> None:
            nonlocal last
            now = time.monotonic()
            # Half a step early rather than a whole one late: a lost hint costs no more than the period.
            if now - last >= (seconds if store.hears else min(seconds, _DEAF_SWEEP_SECONDS)) - step / 2:
                last = now
                standing.sweep()

        self._sweeps.every(step, sweep)

    def _watch_denials(self) -> None:
        deny_list = None if self.parts.signed is None else self.parts.signed.deny_list
        if deny_list is None:
            return
        # As signed tokens themselves, loaded only where they are taken.
        from wampgate.authentication.deny_list import LOOK_SECONDS, DenialWatch  # noqa: PLC0415

        process = self._process
        seconds = process.configuration.limits.join_seconds
        watch = DenialWatch(deny_list, self.realm, process.router, now=process.deadlines.now, join_seconds=seconds)
        self._looks.every(LOOK_SECONDS, watch.look)


def standing_of(process: Process, parts: RealmParts, *, attach: bool = True) -> Standing | None:
    """What watches over the sessions of a realm; None where no store says anything of them.

    Args:
        process: what all realms share.
        parts: the realm's.
        attach: whether it watches from now on.
    """
    if parts.store is None or parts.memberships is None:
        return None
    return Standing(
        parts.realm,
        process.router,
        parts.store,
        parts.memberships,
        now=process.deadlines.now,
        run=run,
        next_turn=lambda: deferLater(process.reactor, 0),
        credentials=parts.store,
        cookies=None if parts.cookies is None else parts.cookies.store,
        attach=attach,
    )


async def start_keys(parts: RealmParts) -> None:
    """Fetch the keys by which tokens are signed, where they have to be fetched."""
    if parts.signed is not None and parts.signed.url_keys is not None:
        await parts.signed.url_keys.start()
