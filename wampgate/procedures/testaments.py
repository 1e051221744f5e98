"""``wamp.session.add_testament`` and ``flush_testaments``: what a session leaves ("Session Testament")."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from wampgate.core.buckets import PUBLISHES
from wampgate.core.errors import RequestRefused, uri
from wampgate.core.procedures import when_decided
from wampgate.core.testament import Testament
from wampgate.core.uri import is_uri
from wampgate.core.visibility import is_inside
from wampgate.wire.messages import PublishOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.core.decisions import Decision
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm
    from wampgate.core.testament import Scope


class TestamentProcedures:
    """Adds and takes back testaments of the caller's own session.

    A testament is authorized and counted as a publication when it is added, and authorized once
    more when it is read.
    """

    def __init__(self, realm: Realm) -> None:
        self._realm = realm

    def procedures(self) -> Mapping[str, Callable[[Asked], None]]:
        """Each procedure by its name. Each raises RequestRefused for arguments that are none of its own."""
        return {"wamp.session.add_testament": self.add, "wamp.session.flush_testaments": self.flush}

    def add(self, asked: Asked) -> None:
        """Keep ``topic``, ``args``, ``kwargs`` and ``publish_options`` for the end of ``scope``."""
        values = asked.arguments("topic", "args", "kwargs", "publish_options", "scope")
        scope, options = _scope_of(values), _options_of(values)
        testament = _testament_of(values, options)
        if is_inside(asked.caller):
            raise RequestRefused(uri.FEATURE_NOT_SUPPORTED, "a single request is no session that could leave anything")
        # Each is published once at the most, so what bounds publications bounds these.
        if (excess := self._realm.requests.count(asked.caller, PUBLISHES)) is not None:
            raise excess
        when_decided(
            self._realm.authorize(asked.caller, "publish", testament.topic, "exact"),
            partial(self._decided, asked, scope, testament, options),
        )

    def flush(self, asked: Asked) -> None:
        """Forget the testaments of ``scope``; the result is how many they were."""
        asked.result(self._realm.testaments.flush(asked.caller, _scope_of(asked.arguments("scope"))))

    def _decided(
        self, asked: Asked, scope: Scope, testament: Testament, options: PublishOptions, decision: Decision
    ) -> None:
        if not asked.caller.established:
            return
        try:
            if not decision.allowed:
                raise self._realm.requests.refusal(asked.caller, "publish", testament.topic, "exact", decision)
            if options.disclose_me and decision.disclose == "never":
                raise _NOT_DISCLOSED
            self._realm.testaments.add(asked.caller, scope, testament)
        except RequestRefused as refusal:
            asked.refuse(refusal)
        else:
            asked.result()


def _testament_of(values: Mapping[str, Any], options: PublishOptions) -> Testament:
    topic, args, kwargs = values.get("topic"), values.get("args"), values.get("kwargs")
    args = [] if args is None else args
    kwargs = {} if kwargs is None else kwargs
    if not isinstance(topic, str) or not isinstance(args, list) or not isinstance(kwargs, dict):
        raise _BAD_ARGUMENTS
    if not all(isinstance(key, str) for key in kwargs):
        raise _BAD_ARGUMENTS
    if not is_uri(topic):
        raise RequestRefused(uri.INVALID_URI, "the topic is not a URI")
    return Testament.of(topic, options, args, kwargs)


def _options_of(values: Mapping[str, Any]) -> PublishOptions:
    given = values.get("publish_options")
    try:
        return msgspec.convert({} if given is None else given, PublishOptions)
    except msgspec.ValidationError as error:
        raise RequestRefused(uri.INVALID_ARGUMENT, f"publish_options: {error}") from None


def _scope_of(values: Mapping[str, Any]) -> Scope:
    scope = values.get("scope")
    if scope is None:
        return "destroyed"
    if scope not in ("detached", "destroyed"):
        raise RequestRefused(uri.INVALID_ARGUMENT, 'the scope is "destroyed" or "detached"')
    return cast("Scope", scope)


_BAD_ARGUMENTS: Final = RequestRefused(
    uri.INVALID_ARGUMENT,
    "wamp.session.add_testament takes (topic: str, args: list = [], kwargs: dict = {},"
    ' publish_options: dict = {}, scope: str = "destroyed")',
)
_NOT_DISCLOSED: Final = RequestRefused(
    uri.DISCLOSE_ME_DISALLOWED, "the publisher's identity is not disclosed on this topic"
)
