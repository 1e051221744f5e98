"""The router's own procedures: a session inside the realm that answers their invocations."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from wampgate.core.decisions import Decision
from wampgate.core.errors import RequestRefused, StoreUnavailable, uri
from wampgate.core.interfaces import Principal
from wampgate.core.local import local_session
from wampgate.core.trace_context import context_of
from wampgate.wire.messages import Error, Invocation, RegisterOptions, Yield, YieldOptions
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence

    from wampgate.core.decisions import Pending
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session
    from wampgate.core.trace_context import TraceContext
    from wampgate.wire.messages import Message

    Procedure: TypeAlias = Callable[["Asked"], Awaitable[None] | None]

ROUTER: Final = Principal("wampgate", "wampgate", "router", "router")


class Asked:
    """One call of a procedure; it is answered exactly once.

    Attributes:
        caller: whose rights the procedure acts with.
        payload: the call's arguments.
        trace: to which trace the call belongs; None for none.
    """

    __slots__ = ("_procedures", "_request", "caller", "payload", "trace")

    def __init__(
        self,
        procedures: Procedures,
        request: int,
        caller: Session,
        payload: Payload,
        trace: TraceContext | None = None,
    ) -> None:
        self._procedures = procedures
        self._request = request
        self.caller = caller
        self.payload = payload
        self.trace = trace

    def arguments(self, *names: str) -> dict[str, Any]:
        """The arguments by name, whether they came by position or by name; only those that were given.

        Raises:
            RequestRefused: too many, unknown, or given twice.
        """
        by_position = dict(zip(names, self.payload.args, strict=False))
        by_name = self.payload.kwargs
        if (
            len(self.payload.args) > len(names)
            or not set(by_name) <= set(names)
            or not set(by_position).isdisjoint(by_name)
        ):
            raise RequestRefused(uri.INVALID_ARGUMENT, f"the arguments are: {', '.join(names) or 'none'}")
        return {**by_position, **by_name}

    def result(self, *args: Any, **kwargs: Any) -> None:
        """Answer."""
        self._procedures.answer(self._request, list(args), kwargs)

    def result_of(self, payload: Payload) -> None:
        """Answer with a payload, which may answer others as well: it is encoded once for all."""
        self._procedures.pass_on(self._request, payload)

    def refuse(self, refusal: RequestRefused) -> None:
        """Answer with an error."""
        self._procedures.refuse(self._request, refusal)

    def later(self, answering: Awaitable[None]) -> None:
        """Let a coroutine answer, started now; it may raise what the procedure itself may."""
        self._procedures.finish(self, answering)


class Procedures:
    """Registers procedures in a realm and hands their calls out.

    Args:
        realm: where.
        run: starts a coroutine.
        watch: puts what is to be told of calls before a procedure of a name; None for nothing.
    """

    def __init__(
        self,
        realm: Realm,
        run: Callable[[Coroutine[Any, Any, None]], None],
        watch: Callable[[Realm, str, Procedure], Procedure] | None = None,
    ) -> None:
        self._realm = realm
        self._run = run
        self._watch = watch
        self._session = local_session(realm, ROUTER, self._receive)
        self._procedure_by_registration: dict[int, Procedure] = {}
        self._registration_by_name: dict[str, int] = {}
        self._added: set[str] = set()

    def add(self, name: str, procedure: Procedure) -> None:
        """Register a procedure: a function, or one that makes a coroutine. It may raise RequestRefused.

        One of the same name takes the other's place; its registration stays what it was.
        """
        if self._watch is not None:
            procedure = self._watch(self._realm, name, procedure)
        self._added.add(name)
        there = self._registration_by_name.get(name)
        if there is not None:
            self._procedure_by_registration[there] = procedure
            return
        registration = self._realm.dealer.register(self._session, name, RegisterOptions(disclose_caller=True))
        self._procedure_by_registration[registration.id] = procedure
        self._registration_by_name[name] = registration.id

    @contextmanager
    def anew(self) -> Iterator[None]:
        """Take back what is not added again within; what was called already is still answered."""
        self._added.clear()
        yield
        for name in [name for name in self._registration_by_name if name not in self._added]:
            registration = self._registration_by_name.pop(name)
            self._realm.dealer.unregister(self._session, registration)
            del self._procedure_by_registration[registration]

    def answer(self, request: int, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Send a result to the caller of a request, if it is still there."""
        self.pass_on(request, Payload(args, kwargs))

    def pass_on(self, request: int, payload: Payload) -> None:
        """The same with a payload that is made already."""
        self._realm.receive(self._session, Yield(request, YieldOptions()), payload)

    def refuse(self, request: int, refusal: RequestRefused) -> None:
        """Send an error to the caller of a request, if it is still there."""
        error = Error(Invocation.code, request, {}, refusal.error)
        self._realm.receive(self._session, error, Payload([refusal.message]))

    def finish(self, asked: Asked, answering: Awaitable[None]) -> None:
        """Start a coroutine that answers a call."""
        self._run(_finish(asked, answering))

    def _receive(self, message: Message, payload: Payload) -> None:
        if not isinstance(message, Invocation):
            return
        pending = (self._session.invocations or {}).get(message.request)
        # A caller that has left since then has no rights left to act with.
        if pending is None or not pending.caller.established:
            return
        asked = Asked(self, message.request, pending.caller, payload, context_of(message.details))
        try:
            later = self._procedure_by_registration[message.registration](asked)
        except RequestRefused as refusal:
            asked.refuse(refusal)
            return
        if later is not None:
            self.finish(asked, later)


async def _finish(asked: Asked, later: Awaitable[None]) -> None:
    """Await a procedure's coroutine; whatever happens, the call gets its answer."""
    try:
        await later
    except RequestRefused as refusal:
        asked.refuse(refusal)
    except StoreUnavailable:
        asked.refuse(RequestRefused(uri.AUTHORIZATION_FAILED, "the store does not answer; try again"))


def when_decided(answer: Decision | Pending[Decision], act: Callable[[Decision], None]) -> None:
    """Act on a decision, now or when it is there."""
    if isinstance(answer, Decision):
        act(answer)
    else:
        answer.then(act)
