"""``wampgate.publish(topic, args=[], kwargs={}, options={})``: an event on the caller's behalf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeGuard

import msgspec

from wampgate.core.buckets import PUBLISHES
from wampgate.core.errors import RequestRefused, uri
from wampgate.core.procedures import when_decided
from wampgate.core.trace_context import traced
from wampgate.core.uri import is_uri
from wampgate.wire.messages import PublishOptions
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from wampgate.core.decisions import Decision
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm

NAME: Final = "wampgate.publish"


class Publish:
    """Publishes as its caller: authorized, limited and disclosed as the caller itself would be.

    The result is the publication's id.
    """

    def __init__(self, realm: Realm) -> None:
        self._realm = realm

    def __call__(self, asked: Asked) -> None:
        """Answer a call.

        Raises:
            RequestRefused: its arguments are not of the right number, names or types, or the caller publishes too much.
        """
        topic, payload, options = _event_of(asked)
        caller = asked.caller
        # What PUBLISH would count against, this does too, or the limit would be none.
        if (excess := self._realm.requests.count(caller, PUBLISHES)) is not None:
            raise excess

        def decided(decision: Decision) -> None:
            if not caller.established:
                return
            try:
                if not decision.allowed:
                    raise self._realm.requests.refusal(caller, "publish", topic, "exact", decision)
                asked.result(self._realm.broker.publish(caller, topic, options, payload, decision.disclose))
            except RequestRefused as refusal:
                asked.refuse(refusal)

        when_decided(self._realm.authorize(caller, "publish", topic, "exact"), decided)


def _event_of(asked: Asked) -> tuple[str, Payload, PublishOptions]:
    values = asked.arguments("topic", "args", "kwargs", "options")
    topic = values.get("topic")
    args = values.get("args")
    kwargs = values.get("kwargs")
    args = [] if args is None else args
    kwargs = {} if kwargs is None else kwargs
    if not isinstance(topic, str) or not isinstance(args, list) or not _is_kwargs(kwargs):
        raise _BAD_ARGUMENTS
    if not is_uri(topic):
        raise RequestRefused(uri.INVALID_URI, "the topic is not a URI")
    given = values.get("options")
    try:
        options = msgspec.convert({} if given is None else given, PublishOptions)
    except msgspec.ValidationError as error:
        raise RequestRefused(uri.INVALID_ARGUMENT, f"options: {error}") from None
    if asked.trace is not None and options.traceparent is None:
        traced(options, asked.trace)
    return topic, Payload(args, kwargs), options


def _is_kwargs(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


_BAD_ARGUMENTS: Final = RequestRefused(
    uri.INVALID_ARGUMENT, "wampgate.publish takes (topic: str, args: list = [], kwargs: dict = {}, options: dict = {})"
)
