"""What one session may hold or have in flight."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one session may hold or have in flight.

    Attributes:
        inbox: requests that wait for an authorizer; then reading stops.
        subscriptions, registrations, calls: at the same time; the next one is refused.
        testaments: publications that wait for its end; the next one is refused. 0 for none.
        testament_bytes: what those take together, each with 500 bytes more than it says.
        excess: messages over a rate; then the session ends. 0 for never.
        sessions_per_authid: at the same time; the next one can't join. 0 for no limit.
    """

    inbox: int = 128
    subscriptions: int = 1000
    registrations: int = 1000
    calls: int = 1000
    testaments: int = 10
    testament_bytes: int = 16_384
    excess: int = 1000
    sessions_per_authid: int = 0
