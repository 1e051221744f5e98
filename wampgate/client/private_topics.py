"""What wampgate tells each session alone: what was missed, what was taken back, that its token ends soon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wampgate.client.joining import KEYWORDS
from wampgate.client.losses import Gap

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.client.link import Link


async def listen(
    link: Link,
    *,
    missed: Callable[[Gap], None],
    revoked: Callable[[int | None, str, str], None],
    expiring: Callable[[float], None],
) -> None:
    """Subscribe to these topics; another router than wampgate refuses that, and nothing is heard then.

    Args:
        link: a connection that has joined.
        missed: told of a gap.
        revoked: told a subscription's id, the reason (a URI) and a message.
        expiring: told how many seconds the token has left.
    """

    def on_gap(*_: Any, topic: str, match: str, why: str, since: str | None, dropped: int | None, **__: Any) -> None:
        missed(Gap(topic, match, why, since, dropped))

    def on_revoked(*_: Any, subscription: int | None = None, reason: str = "", message: str = "", **__: Any) -> None:
        revoked(subscription, reason, message)

    def on_expiring(*_: Any, seconds: float, **__: Any) -> None:
        expiring(seconds)

    handlers: dict[str, Callable[..., None]] = {
        "wampgate.gap": on_gap,
        "wampgate.revoked": on_revoked,
        "wampgate.auth.expiring": on_expiring,
    }
    # All are sent before the first is waited for, and so before any other subscription.
    asked = [link.subscribe(_by_keywords(handler), topic, None) for topic, handler in handlers.items()]
    for answer in asked:
        try:
            await answer
        except Exception:  # noqa: BLE001, S112 - refused, or the connection is lost, which is told otherwise
            continue


def _by_keywords(handler: Callable[..., None]) -> Callable[..., None]:
    """A handler that gets an event's keyword arguments as they were published."""
    return lambda *args, **kwargs: handler(*args, **kwargs.get(KEYWORDS, {}))
