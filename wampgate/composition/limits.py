"""Makes the core's limits of the section in router.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.core.buckets import Buckets, Rates
from wampgate.core.limits import SessionLimits
from wampgate.transports.outbox import OutboxLimits
from wampgate.transports.places import ConnectionLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.config.limits import Limits


def session_limits_of(limits: Limits) -> SessionLimits:
    """What one session may have at a time."""
    return SessionLimits(
        inbox=limits.inbox_messages,
        subscriptions=limits.subscriptions_per_session,
        registrations=limits.registrations_per_session,
        calls=limits.calls_per_session,
        testaments=limits.testaments_per_session,
        testament_bytes=limits.testament_bytes_per_session,
        excess=limits.excess_messages_per_session,
        sessions_per_authid=limits.sessions_per_authid,
    )


def connection_limits_of(limits: Limits) -> ConnectionLimits:
    """How many connections may be open."""
    return ConnectionLimits(
        limits.connections,
        limits.connections_per_address,
        limits.unauthenticated_connections,
        limits.ipv6_prefix_bits,
    )


def outbox_limits_of(limits: Limits) -> OutboxLimits:
    """What may wait for one peer, and how long."""
    return OutboxLimits(limits.outbox_bytes, limits.stalled_seconds)


def buckets_of(limits: Limits, now: Callable[[], float]) -> Buckets:
    """What counts the sessions' messages, by the configured rates."""
    return Buckets(
        session=Rates(
            limits.subscribes_per_second_per_session,
            limits.publishes_per_second_per_session,
            limits.calls_per_second_per_session,
        ),
        authid=Rates(
            limits.subscribes_per_second_per_authid,
            limits.publishes_per_second_per_authid,
            limits.calls_per_second_per_authid,
        ),
        address=Rates(
            limits.subscribes_per_second_per_address,
            limits.publishes_per_second_per_address,
            limits.calls_per_second_per_address,
        ),
        burst_seconds=limits.burst_seconds,
        now=now,
    )
