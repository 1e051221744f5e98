"""Who answers which procedure: registrations with their callees, and which of them a call goes to.

"Pattern-based Registration" says which registration a call finds, "Shared
Registration" which of its callees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.core.errors import RequestRefused, uri
from wampgate.core.ids import sequential_ids
from wampgate.core.matching import PatternMap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from wampgate.core.interfaces import RegistrationObserver
    from wampgate.core.session import Session
    from wampgate.wire.messages import Invoke, Match, RegisterOptions


class Callee:
    """One session on one registration.

    Attributes:
        session: who answers.
        disclose_caller: whether it asks to be told who calls.
        forward_timeout: whether it watches over timeouts itself.
        concurrency: how many invocations it takes at a time; 0 for any number.
        running: how many it has now; counted only where ``concurrency`` is a bound.
    """

    __slots__ = ("concurrency", "disclose_caller", "forward_timeout", "running", "session")

    def __init__(self, session: Session, options: RegisterOptions) -> None:
        self.session = session
        self.running = 0
        self.take(options)

    def take(self, options: RegisterOptions) -> None:
        """Answer by these options from now on; what runs goes on and counts."""
        self.disclose_caller = options.disclose_caller
        self.forward_timeout = options.forward_timeout
        self.concurrency = options.concurrency or 0

    @property
    def free(self) -> bool:
        """Whether it takes one more invocation."""
        return not self.concurrency or self.running < self.concurrency


class Registration:
    """One procedure, or pattern of procedures, with all who answer it; they share its id.

    Attributes:
        id: the registration id.
        procedure: its URI or pattern.
        match: how ``procedure`` is to be read.
        invoke: which callee answers a call.
        created: when it came to be, in seconds since 1970.
        callees: in the order in which they registered.
        plain_callee: who answers every call in the plainest way: the only callee of a procedure (no
            pattern), that takes any number of invocations and does not ask who calls. None otherwise.
    """

    __slots__ = ("_next", "callees", "created", "id", "invoke", "match", "plain_callee", "procedure")

    def __init__(self, registration_id: int, procedure: str, match: Match, invoke: Invoke, created: float) -> None:
        self.id = registration_id
        self.procedure = procedure
        self.match = match
        self.invoke = invoke
        self.created = created
        self.callees: list[Callee] = []
        self.plain_callee: Session | None = None
        self._next = 0

    def check_shared(self, options: RegisterOptions) -> None:
        """See that one more callee may answer it.

        Raises:
            RequestRefused: those who do share it with no one, or in another way.
        """
        if self.invoke == "single" or self.invoke != options.invoke:
            how = "by one callee alone" if self.invoke == "single" else f"with invoke={self.invoke}"
            raise RequestRefused(
                uri.PROCEDURE_ALREADY_EXISTS, f"the procedure {self.procedure} is registered already, {how}"
            )

    def callee_of(self, session: Session) -> Callee | None:
        """A session's place among the callees; None if it has none."""
        return next((callee for callee in self.callees if callee.session is session), None)

    def take(self, session: Session, options: RegisterOptions) -> bool:
        """Make a session a callee, or change the options of one; whether it is new."""
        callee = self.callee_of(session)
        if callee is None:
            self.callees.append(Callee(session, options))
        else:
            callee.take(options)
        self._see_who_is_there()
        return callee is None

    def remove(self, session: Session) -> None:
        """Take a callee out; whose turn it is stays."""
        for index, callee in enumerate(self.callees):
            if callee.session is session:
                del self.callees[index]
                if index < self._next:
                    self._next -= 1
                break
        self._see_who_is_there()

    def _see_who_is_there(self) -> None:
        alone = self.callees[0] if len(self.callees) == 1 else None
        plain = alone is not None and self.match == "exact" and not (alone.concurrency or alone.disclose_caller)
        self.plain_callee = alone.session if alone is not None and plain else None

    def pick(self, choose: Callable[[int], int]) -> Callee | None:
        """Whom the next call goes to ("Shared Registration"); None if none takes one more.

        A callee that has as many invocations as it takes is passed over.

        Args:
            choose: draws a number from 0 up to its argument, that excluded.
        """
        callees = self.callees
        if len(callees) == 1:
            callee = callees[0]
            return callee if callee.free else None
        if self.invoke == "roundrobin":
            return self._pick_in_turn()
        if self.invoke == "random":
            free = [callee for callee in callees if callee.free]
            return free[choose(len(free))] if free else None
        order: Iterable[Callee] = reversed(callees) if self.invoke == "last" else callees
        return next((callee for callee in order if callee.free), None)

    def _pick_in_turn(self) -> Callee | None:
        count = len(self.callees)
        for step in range(count):
            index = (self._next + step) % count
            if self.callees[index].free:
                self._next = (index + 1) % count
                return self.callees[index]
        return None


class Registrations:
    """The registrations of one realm.

    Attributes:
        exact: those that are no patterns, by their procedures.
        observer: told of what comes and goes; None if nobody wants to know.
    """

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self._ids = sequential_ids()
        self.exact: dict[str, Registration] = {}
        self._patterns: PatternMap[Registration] = PatternMap()
        self._by_id: dict[int, Registration] = {}
        self.observer: RegistrationObserver | None = None

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Registration]:
        return iter(self._by_id.values())

    def by_id(self, registration_id: int) -> Registration | None:
        """The registration with an id; None if there is none."""
        return self._by_id.get(registration_id)

    def get(self, procedure: str, match: Match) -> Registration | None:
        """The registration of exactly this procedure or pattern; None if there is none."""
        return self.exact.get(procedure) if match == "exact" else self._patterns.get(procedure, match)

    def best(self, procedure: str) -> Registration | None:
        """Which registration answers a call ("Calls matching multiple registrations"); None if none does."""
        registration = self.exact.get(procedure)
        if registration is None and len(self._patterns):
            return self._patterns.best(procedure)
        return registration

    def add(self, session: Session, procedure: str, options: RegisterOptions) -> Registration:
        """Make a session a callee; once more is the same registration with other options.

        Raises:
            RequestRefused: others answer it who share it with no one, or in another way.
        """
        registration = self.get(procedure, options.match)
        if registration is None:
            registration = self._create(session, procedure, options)
        else:
            registration.check_shared(options)
        if not registration.take(session, options):
            return registration
        if session.registrations is None:
            session.registrations = {}
        session.registrations[registration.id] = registration
        if self.observer is not None:
            self.observer.registered(session, registration)
        return registration

    def remove(self, session: Session, registration: Registration) -> None:
        """Take a session off a registration that it holds; the last one ends it."""
        registration.remove(session)
        if session.registrations is not None:
            session.registrations.pop(registration.id, None)
        ended = not registration.callees
        if ended:
            del self._by_id[registration.id]
            if registration.match == "exact":
                del self.exact[registration.procedure]
            else:
                self._patterns.remove(registration.procedure, registration.match)
        if self.observer is not None:
            self.observer.unregistered(session, registration)
            if ended:
                self.observer.deleted(session, registration)

    def _create(self, session: Session, procedure: str, options: RegisterOptions) -> Registration:
        registration = Registration(next(self._ids), procedure, options.match, options.invoke, self._wall_clock())
        self._by_id[registration.id] = registration
        if options.match == "exact":
            self.exact[procedure] = registration
        else:
            self._patterns.set(procedure, options.match, registration)
        if self.observer is not None:
            self.observer.created(session, registration)
        return registration
