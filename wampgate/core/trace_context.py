"""To which trace a message belongs: W3C's Trace Context, carried from publishers and callers to who receives.

The router hands it on whether or not it records traces itself; what is not of W3C's form stays behind.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from wampgate.wire.messages import TracedAttributes

    Details = TypeVar("Details", bound=TracedAttributes)

_PARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_STATE: Final = re.compile(r"[\x20-\x7e\t]{1,512}")


class TraceContext(NamedTuple):
    """Where in which trace something happens.

    Attributes:
        parent: W3C's ``traceparent``.
        state: W3C's ``tracestate``; None without one.
    """

    parent: str
    state: str | None = None


def trace_context(parent: str | None, state: str | None = None) -> TraceContext | None:
    """The context that two texts say; None if the first one is missing or not of W3C's form."""
    if parent is None or _PARENT.fullmatch(parent) is None:
        return None
    return TraceContext(parent, state if state is not None and _STATE.fullmatch(state) else None)


def context_of(attributes: TracedAttributes) -> TraceContext | None:
    """To which trace a message belongs, by its options; None for none."""
    return trace_context(attributes.traceparent, attributes.tracestate)


def traced(details: Details, context: TraceContext) -> Details:
    """Options or details that may be written to, with a context."""
    details.traceparent, details.tracestate = context
    return details
