"""How the router ends: the section ``drain`` of router.json."""

from typing import Annotated

from msgspec import Meta

from wampgate.config.section import Section

DrainSeconds = Annotated[float, Meta(ge=0, le=3600, description="a number of seconds from 0 to 3600")]


class Drain(Section, frozen=True, kw_only=True):
    """What becomes of the sessions when the router is told to end; ``docs/operating.md``.

    Attributes:
        delay_seconds: so long it goes on as ever, but says that it is not ready: for load balancers that look now and
            then where to send clients.
        seconds: then sessions are closed, spread over so long; over less where there are few.
        calls_seconds: a session with a call in flight stays until it is answered, but no longer than this.
    """

    delay_seconds: DrainSeconds = 0.0
    seconds: DrainSeconds = 5.0
    calls_seconds: DrainSeconds = 5.0
