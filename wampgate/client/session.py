"""A session as an application uses it: it outlives its connections, and its subscriptions come with it."""

# Autobahn's options carry no annotations:
# mypy: allow-untyped-calls

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from autobahn.wamp.types import PublishOptions

from wampgate.client.life import Closed, Life
from wampgate.client.losses import SLOW_READER
from wampgate.client.overlap import overlap
from wampgate.client.place import Place, Position
from wampgate.client.private_topics import listen
from wampgate.client.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType
    from typing import Self

    from wampgate.client.link import Address, Link, Runtime
    from wampgate.client.losses import Gap, Lost
    from wampgate.client.plan import Returning, State
    from wampgate.client.renewing import Token
    from wampgate.client.subscription import Handler, Match

__all__ = ["Closed", "Session"]


class Session:
    """A session of a realm. An async context manager: it has joined on entry, and left on exit.

    What is asked while there is no connection waits for the next one; what was asked when
    a connection was lost fails with Autobahn's TransportLost or ApplicationError.
    """

    def __init__(
        self,
        runtime: Runtime,
        address: Address,
        token: Token,
        returning: Returning,
        on_state: Callable[[State], object] | None,
    ) -> None:
        self._runtime = runtime
        self._subscriptions: dict[Subscription, None] = {}
        self._life = Life(
            runtime, address, token, returning, resumed=self._resumed, revoked=self._revoked, on_state=on_state
        )

    async def __aenter__(self) -> Self:
        self.spawn(self._life.run())
        try:
            await self._life.joined()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._life.state

    async def wait_closed(self) -> State:
        """How it has ended for good, once it has."""
        return await self._life.closed()

    async def close(self) -> None:
        """Leave, and stay away."""
        await self._life.close()

    def retry(self) -> None:
        """Connect now instead of when the wait is over."""
        self._life.retry()

    async def subscribe(
        self,
        topic: str,
        handler: Handler,
        *,
        match: Match = "exact",
        recover: bool = True,
        after: Position | None = None,
        on_gap: Callable[[Gap], object] | None = None,
        on_lost: Callable[[Lost], object] | None = None,
    ) -> Subscription:
        """Receive a topic's events, until it is unsubscribed, taken back, or the session ends.

        Args:
            topic: a topic, or with ``match`` a pattern.
            handler: takes each :class:`~wampgate.client.place.Event`.
            match: how topics are matched.
            recover: whether events that were published while there was no connection come too, each
                once and in order, where the router keeps a history.
            after: where to go on from, if not with what is published from now on.
            on_gap: told where events may be missing.
            on_lost: told when the router has taken the subscription back.

        Raises:
            ApplicationError: the router refuses (Autobahn's).
            Closed: the session has ended.
        """
        place = Place(after) if recover or after else None
        subscription = Subscription(self, topic, handler, match=match, place=place, on_gap=on_gap, on_lost=on_lost)
        while True:
            link = await self._life.joined()
            self._subscriptions[subscription] = None
            try:
                await subscription.make(link)
            except Exception:
                self.forget(subscription)
                if self.uses(link):
                    raise
            else:
                return subscription

    async def publish(self, topic: str, *args: Any, options: PublishOptions | None = None, **kwargs: Any) -> int | None:
        """Publish an event; its id, or None if ``options`` don't ask for an answer (without them it is asked for).

        Raises:
            ApplicationError, TransportLost: it is refused, or the answer is lost (Autobahn's).
            Closed: the session has ended.
        """
        link = await self._life.joined()
        answer = link.publish(topic, *args, options=options or PublishOptions(acknowledge=True), **kwargs)
        return None if answer is None else int((await answer).id)

    async def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call a procedure; Autobahn's result, and its ``options``.

        Raises:
            ApplicationError, TransportLost: it fails, or the answer is lost (Autobahn's).
            Closed: the session has ended.
        """
        return await (await self._life.joined()).call(procedure, *args, **kwargs)

    # --- for its subscriptions ---

    def holds(self, subscription: Subscription) -> bool:
        """Whether a subscription is still wanted."""
        return subscription in self._subscriptions

    def forget(self, subscription: Subscription) -> None:
        """A subscription is not wanted any more."""
        self._subscriptions.pop(subscription, None)

    def uses(self, link: Link) -> bool:
        """Whether a connection is the one in use."""
        return self._life.uses(link)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Have a coroutine run by itself."""
        self._runtime.spawn(work)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        over = self._runtime.flag()
        self._runtime.later(seconds, over.set)
        await over.wait()

    # --- after each join ---

    def _resumed(self, link: Link) -> None:
        expiring = partial(self._life.tokens.warned, link)
        self.spawn(listen(link, missed=partial(self._missed, link), revoked=self._revoked, expiring=expiring))
        for subscription in self._subscriptions:
            self.spawn(subscription.renew(link))

    def _missed(self, link: Link, gap: Gap) -> None:
        # Of a slow reader's losses each subscription is told by its own pattern, unless they are too many.
        same = [held for held in self._subscriptions if (held.topic, held.match) == (gap.topic, gap.match)]
        if gap.why != SLOW_READER or not same:
            same = [held for held in self._subscriptions if overlap(held.topic, held.match, gap.topic, gap.match)]
        for held in same:
            held.missed(link, gap)

    def _revoked(self, subscription: int | None, reason: str, message: str = "the router took it back") -> None:
        for held in [held for held in self._subscriptions if held.id is not None and held.id == subscription]:
            held.lost(reason, message)
