"""Records who calls the administrative procedures: with what, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from wampgate.core.errors import RequestRefused, StoreUnavailable, uri
from wampgate.core.procedures import Asked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from wampgate.core.realm import Realm
    from wampgate.wire.payload import Payload

    Procedure = Callable[[Asked], Awaitable[None] | None]

ACTS: Final = frozenset(
    {
        "wamp.session.kill",
        "wamp.session.kill_all",
        "wamp.session.kill_by_authid",
        "wamp.session.kill_by_authrole",
        "wampgate.authorization.forget",
        "wampgate.configuration.reload",
        "wampgate.log.set_level",
        "wampgate.sessions.kill",
    }
)
"""What changes something: each call is told of."""

LOOKS: Final = frozenset(
    {
        "wampgate.audit.recent",
        "wampgate.explain",
        "wampgate.log.levels",
        "wampgate.status.get",
        "wampgate.status.refusals",
        "wampgate.status.sessions",
        "wampgate.status.topics",
        "wampgate.usage.organizations",
    }
)
"""What shows something that is not the caller's own: who looks is told of, and how often; not each time."""

_SHOWN: Final = frozenset(
    {
        "action",
        "address",
        "authid",
        "authrole",
        "event",
        "level",
        "match",
        "organization",
        "part",
        "reason",
        "session",
        "uri",
        "user",
    }
)
"""The arguments whose values are told: names of persons and things. Of all others it is told that they were given."""


def audited(realm: Realm, name: str, procedure: Procedure) -> Procedure:
    """A procedure whose calls are recorded, if it is an administrative one; else the procedure itself."""
    if name not in ACTS and name not in LOOKS:
        return procedure

    def call(asked: Asked) -> Awaitable[None] | None:
        watched = _Watched(asked, realm, name)
        try:
            answering = procedure(watched)
        except RequestRefused as refusal:
            watched.note(refusal.error)
            raise
        return None if answering is None else watched.noted(answering)

    return call


class _Watched(Asked):
    """A call that is recorded once it is answered. It stands before the call itself, and has its interface."""

    __slots__ = ("_asked", "_given", "_name", "_noted", "_realm")

    def __init__(self, asked: Asked, realm: Realm, name: str) -> None:
        # All that the parent class does, the call itself does: this one has no request of its own.
        self.caller = asked.caller
        self.payload = asked.payload
        self._asked = asked
        self._realm = realm
        self._name = name
        self._given: dict[str, Any] = {}
        self._noted = False

    def arguments(self, *names: str) -> dict[str, Any]:
        """See :meth:`wampgate.core.procedures.Asked.arguments`."""
        self._given = self._asked.arguments(*names)
        return self._given

    def result(self, *args: Any, **kwargs: Any) -> None:
        """See :meth:`wampgate.core.procedures.Asked.result`."""
        # How many sessions were ended, for one: a number, or nothing that belongs here.
        self.note("done" if len(args) != 1 or type(args[0]) is not int else f"done: {args[0]}")
        self._asked.result(*args, **kwargs)

    def result_of(self, payload: Payload) -> None:
        """See :meth:`wampgate.core.procedures.Asked.result_of`."""
        self.note("done")
        self._asked.result_of(payload)

    def refuse(self, refusal: RequestRefused) -> None:
        """See :meth:`wampgate.core.procedures.Asked.refuse`."""
        self.note(refusal.error)
        self._asked.refuse(refusal)

    def later(self, answering: Awaitable[None]) -> None:
        """See :meth:`wampgate.core.procedures.Asked.later`."""
        self._asked.later(self.noted(answering))

    def note(self, outcome: str) -> None:
        """Record the call and what came of it, once."""
        if self._noted:
            return
        self._noted = True
        self._realm.record(
            "looked" if self._name in LOOKS else "called",
            self.caller,
            procedure=self._name,
            arguments=told_arguments(self._given),
            outcome=outcome,
        )

    def noted(self, answering: Awaitable[None]) -> Coroutine[Any, Any, None]:
        """A coroutine's end, recorded if it refuses."""

        async def answer() -> None:
            try:
                await answering
            except RequestRefused as refusal:
                self.note(refusal.error)
                raise
            except StoreUnavailable:
                self.note(uri.AUTHORIZATION_FAILED)
                raise

        return answer()


def told_arguments(given: Mapping[str, Any]) -> str:
    """Arguments as the records hold them: names of persons and things; of the rest, that they were there."""
    return ", ".join(f"{name}={_told(name, value)}" for name, value in given.items() if value is not None)


def _told(name: str, value: Any) -> str:
    if name in _SHOWN and isinstance(value, str | int):
        return repr(value)
    if name == "token_hash" and isinstance(value, str) and _is_hash(value):
        return f"{value[:12]}…"
    return "…"


def _is_hash(text: str) -> bool:
    """Whether a text is the SHA-256 of something; a token that stands in its place is not to be told."""
    return len(text) == 64 and not set(text) - set("0123456789abcdef")
