"""The router's own procedures: ``wampgate.publish``. Each acts with the rights of its caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeGuard

import msgspec

from wampgate.core.decisions import Decision
from wampgate.core.errors import RequestRefused, uri
from wampgate.core.interfaces import Principal
from wampgate.core.local import local_session
from wampgate.core.uri import is_uri
from wampgate.wire.messages import (
    Error,
    Invocation,
    PublishOptions,
    RegisterOptions,
    Yield,
    YieldOptions,
)
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.core.decisions import Pending
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.wire.messages import Message

ROUTER: Final = Principal("wampgate", "wampgate", "router", "router")


class Procedures:
    """Registers the router's own procedures in a realm and answers their invocations."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self._session = local_session(realm, ROUTER, self._receive)
        self._procedure_by_registration: dict[int, Callable[[int, Session, Payload], None]] = {}
        for name, procedure in (("wampgate.publish", self._publish),):
            registration = realm.dealer.register(self._session, name, RegisterOptions(disclose_caller=True))
            self._procedure_by_registration[registration.id] = procedure

    def _receive(self, message: Message, payload: Payload) -> None:
        if not isinstance(message, Invocation):
            return
        pending = (self._session.invocations or {}).get(message.request)
        # A caller that has left since then has no rights left to act with.
        if pending is not None and pending.caller.established:
            try:
                self._procedure_by_registration[message.registration](message.request, pending.caller, payload)
            except RequestRefused as refusal:
                self._fail(message.request, refusal)

    def _publish(self, request: int, caller: Session, payload: Payload) -> None:
        """``wampgate.publish(topic, args=[], kwargs={}, options={}) -> publication id``."""
        topic, args, kwargs, options = _publish_arguments(payload)
        decision = self._realm.authorize(caller, "publish", topic, "exact")

        def decided(decision: Decision) -> None:
            if not caller.established:
                return
            try:
                self._yield(request, self._publish_as(caller, topic, options, Payload(args, kwargs), decision))
            except RequestRefused as refusal:
                self._fail(request, refusal)

        _when_decided(decision, decided)

    def _publish_as(
        self, caller: Session, topic: str, options: PublishOptions, payload: Payload, decision: Decision
    ) -> int:
        if decision.failed:
            raise RequestRefused(uri.AUTHORIZATION_FAILED, "it could not be decided whether this is allowed; try again")
        if not decision.allowed:
            raise RequestRefused(uri.NOT_AUTHORIZED, f"this session may not publish {topic}")
        return self._realm.broker.publish(caller, topic, options, payload, decision.disclose)

    def _yield(self, request: int, result: Any) -> None:
        self._realm.receive(self._session, Yield(request, YieldOptions()), Payload([result]))

    def _fail(self, request: int, refusal: RequestRefused) -> None:
        error = Error(Invocation.code, request, {}, refusal.error)
        self._realm.receive(self._session, error, Payload([refusal.message]))


def _when_decided(answer: Decision | Pending[Decision], act: Callable[[Decision], None]) -> None:
    if isinstance(answer, Decision):
        act(answer)
    else:
        answer.then(act)


def _publish_arguments(payload: Payload) -> tuple[str, list[Any], dict[str, Any], PublishOptions]:
    """The arguments of ``wampgate.publish``, given by position or by name.

    Raises:
        RequestRefused: they are not of the right number, names or types.
    """
    values = dict(zip(_PUBLISH_PARAMETERS, payload.args, strict=False))
    unknown = set(payload.kwargs) - set(_PUBLISH_PARAMETERS)
    if len(payload.args) > len(_PUBLISH_PARAMETERS) or unknown or set(values) & set(payload.kwargs):
        raise _BAD_ARGUMENTS
    values.update(payload.kwargs)
    topic = values.get("topic")
    args = values.get("args")
    kwargs = values.get("kwargs")
    args = [] if args is None else args
    kwargs = {} if kwargs is None else kwargs
    if not isinstance(topic, str) or not isinstance(args, list) or not _is_kwargs(kwargs):
        raise _BAD_ARGUMENTS
    if not is_uri(topic):
        raise RequestRefused(uri.INVALID_URI, "the topic is not a URI")
    options = values.get("options")
    try:
        options = msgspec.convert({} if options is None else options, PublishOptions)
    except msgspec.ValidationError as error:
        raise RequestRefused(uri.INVALID_ARGUMENT, f"options: {error}") from None
    if options.opaque:
        raise RequestRefused(uri.FEATURE_NOT_SUPPORTED, "this router does not announce payload passthru mode")
    return topic, args, kwargs, options


def _is_kwargs(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


_PUBLISH_PARAMETERS: Final = ("topic", "args", "kwargs", "options")
_BAD_ARGUMENTS: Final = RequestRefused(
    uri.INVALID_ARGUMENT, "wampgate.publish takes (topic: str, args: list = [], kwargs: dict = {}, options: dict = {})"
)
