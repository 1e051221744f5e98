"""``wamp.registration.list``, ``lookup``, ``match``, ``get``, ``list_callees``, ``count_callees``.

The "Registration Meta API". A registration is there for whoever may call what is registered;
its callees are those whom the caller sees. The router's own procedures are not listed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.meta import registration_details
from wampgate.core.procedures import when_decided
from wampgate.core.visibility import is_inside
from wampgate.procedures.answers import checked_id, checked_text, ids_answer, ids_by_match_answer, match_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wampgate.core.decisions import Decision, Pending
    from wampgate.core.procedures import Asked
    from wampgate.core.realm import Realm
    from wampgate.core.registrations import Registration
    from wampgate.core.session import Session
    from wampgate.core.sifting import Sifter


class MetaRegistrations:
    """Answers for the registrations of one realm.

    Args:
        realm: whose registrations.
        sifter: looks through them.
    """

    def __init__(self, realm: Realm, sifter: Sifter) -> None:
        self._realm = realm
        self._sifter = sifter

    def procedures(self) -> Mapping[str, Callable[[Asked], None]]:
        """Each procedure by its name. Each raises RequestRefused for arguments that are none of its own."""
        return {
            "wamp.registration.list": self.list_ids,
            "wamp.registration.lookup": self.lookup,
            "wamp.registration.match": self.match,
            "wamp.registration.get": self.get,
            "wamp.registration.list_callees": self.list_callees,
            "wamp.registration.count_callees": self.count_callees,
        }

    def list_ids(self, asked: Asked) -> None:
        """The ids of all registrations, by match policy."""
        asked.arguments()

        def answer(registrations: list[Registration]) -> None:
            ids_by_match_answer(asked, ((each.id, each.match) for each in registrations))

        registrations = self._realm.dealer.registrations
        self._sifter.sift(asked, lambda: registrations, partial(self._decide, asked.caller), answer)

    def lookup(self, asked: Asked) -> None:
        """The id of the registration of a procedure or pattern; None without one."""
        values = asked.arguments("procedure", "options")
        procedure, match = checked_text(values, "procedure"), match_of(values)
        self._find(asked, self._realm.dealer.registrations.get(procedure, match))

    def match(self, asked: Asked) -> None:
        """The id of the registration to which a call of a procedure goes; None if it goes nowhere."""
        procedure = checked_text(asked.arguments("procedure"), "procedure")
        self._find(asked, self._realm.dealer.registrations.best(procedure))

    def get(self, asked: Asked) -> None:
        """What there is to know of a registration."""
        self._of(asked, lambda registration: asked.result(registration_details(registration)))

    def list_callees(self, asked: Asked) -> None:
        """The ids of a registration's callees."""

        def answer(sessions: list[Session]) -> None:
            ids_answer(asked, [session.id for session in sessions])

        self._of(asked, lambda registration: self._callees(asked, registration, answer))

    def count_callees(self, asked: Asked) -> None:
        """How many callees a registration has."""

        def answer(sessions: list[Session]) -> None:
            asked.result(len(sessions))

        self._of(asked, lambda registration: self._callees(asked, registration, answer))

    def _find(self, asked: Asked, registration: Registration | None) -> None:
        """Answer with a registration's id, if the caller may know of it."""
        found = [] if registration is None else [registration]
        self._sifter.sift(
            asked,
            lambda: found,
            partial(self._decide, asked.caller),
            lambda seen: asked.result(seen[0].id if seen else None),
        )

    def _decide(self, caller: Session, registration: Registration) -> bool | Decision | Pending[Decision]:
        if not _sessions(registration):
            return False
        return self._realm.authorize(caller, "call", registration.procedure, registration.match)

    def _of(self, asked: Asked, answer: Callable[[Registration], None]) -> None:
        """Answer for the registration that a call names.

        Raises:
            RequestRefused: there is none with this id.
        """
        number = checked_id(asked.arguments("registration"), "registration")
        registration = self._realm.dealer.registrations.by_id(number)
        if registration is None or not _sessions(registration):
            raise _NO_SUCH_REGISTRATION
        decision = self._realm.authorize(asked.caller, "call", registration.procedure, registration.match)
        when_decided(decision, partial(self._decided, asked, registration, answer))

    def _decided(
        self, asked: Asked, registration: Registration, answer: Callable[[Registration], None], decision: Decision
    ) -> None:
        if not asked.caller.established:
            return
        if decision.allowed:
            answer(registration)
            return
        # The log tells what the caller must not learn: ids can be guessed.
        refusal = self._realm.requests.refusal(
            asked.caller, "call", registration.procedure, registration.match, decision
        )
        asked.refuse(refusal if decision.failed else _NO_SUCH_REGISTRATION)

    def _callees(self, asked: Asked, registration: Registration, then: Callable[[list[Session]], None]) -> None:
        caller, sees = asked.caller, self._realm.visibility.sees
        self._sifter.sift(asked, lambda: _sessions(registration), lambda session: sees(caller, session), then)


def _sessions(registration: Registration) -> list[Session]:
    """A registration's callees, without the router's own sessions."""
    return [callee.session for callee in registration.callees if not is_inside(callee.session)]


_NO_SUCH_REGISTRATION: Final = RequestRefused(
    uri.NO_SUCH_REGISTRATION, "there is no registration with this id that this session could call"
)
