"""The dynamic authorizer: a WAMP procedure of the user's decides where neither a rule nor a topic template does.

In this order a request is decided: by the static rules, where one speaks of it; by
the templates of users' and organizations' topics; then by the procedure. What could
reach a user's or organization's topic it is asked about for those only whom the
topic belongs to: no answer opens one to anyone else. What could reach the router's
own topics and procedures it is never asked about.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from wampgate.authorization.kept_decisions import request_of
from wampgate.authorization.organization import NO_RULE
from wampgate.authorization.templates import Asked
from wampgate.core.decisions import Decision, Pending
from wampgate.core.errors import uri
from wampgate.core.local_caller import Unanswered
from wampgate.core.matching import overlaps
from wampgate.core.uri import is_reserved

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from wampgate.authorization.kept_decisions import KeptDecisions, Request
    from wampgate.authorization.rules import Rules
    from wampgate.authorization.templates import TopicTemplate
    from wampgate.core.decisions import Action, Disclosure
    from wampgate.core.interfaces import Authorizer, Principal
    from wampgate.core.local_caller import LocalCaller, Outcome
    from wampgate.wire.messages import Match

_TRIES: Final = 3
"""So often a question is asked again because the rights changed while it was answered."""

_SHARE: Final = 4
"""One authid may have this part of all questions under way: the others must find a place too."""

_TEMPLATES_KEPT: Final = 10_000


class _Question:
    """What is being asked, and who waits for the answer; stale once the rights have changed since."""

    __slots__ = ("request", "stale", "tries", "waiting", "who")

    def __init__(self, who: Principal, request: Request) -> None:
        self.who = who
        self.request = request
        self.waiting: list[Pending[Decision]] = []
        self.stale = False
        self.tries = 0


class AuthorizerProcedure:
    """One procedure that decides, with what it has said lately.

    Many who wait for the same answer ask once. An answer counts for the principal, the
    action, the URI and the match policy that it was given for.

    Args:
        realm: the realm whose sessions it decides about.
        procedure: what is called, with (session, uri, action, options), as Crossbar does it.
        kept: keeps its answers.
        most: so many questions may be under way.

    Attributes:
        kept: keeps its answers.
    """

    def __init__(self, realm: str, procedure: str, kept: KeptDecisions, *, most: int = 1000) -> None:
        self._realm = realm
        self._procedure = procedure
        self._name = f"the dynamic authorizer {procedure}"
        self.kept = kept
        self._most_of_one = max(1, most // _SHARE)
        self._caller: LocalCaller | None = None
        self._questions: dict[tuple[str, Request], _Question] = {}
        self._under_way: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._under_way.total()

    def bind(self, caller: LocalCaller) -> None:
        """Say through whom it is called; before that it decides nothing."""
        self._caller = caller

    def ask(self, who: Principal, action: Action, subject: str, match: Match) -> Decision | Pending[Decision]:
        """What it says, or has said of the same request."""
        request = request_of(who, action, subject, match)
        kept = self.kept.find(who.authid, request)
        if kept is not None:
            return kept
        question = self._questions.get((who.authid, request))
        if question is None:
            if self._under_way[who.authid] >= self._most_of_one:
                return self._failed(f"{self._most_of_one} questions about this authid wait already")
            question = _Question(who, request)
        answer: Pending[Decision] = Pending()
        question.waiting.append(answer)
        if len(question.waiting) == 1:
            self._send(question)
        return answer

    def forget(self, authid: str) -> None:
        """Nothing that it has said of an authid holds any more, nor what it is about to say."""
        self.kept.forget(authid)
        if authid in self._under_way:
            for key in [key for key in self._questions if key[0] == authid]:
                self._questions.pop(key).stale = True

    def forget_user(self, user: str) -> None:
        """The same of all that a user is called."""
        asking = {question.who.authid for question in self._questions.values() if question.who.user == user}
        for authid in asking.union(self.kept.authids_of(user)):
            self.forget(authid)

    def _send(self, question: _Question) -> None:
        who, (*_, action, subject, match) = question.who, question.request
        self._questions[who.authid, question.request] = question
        if self._caller is None:
            self._answered(question, Unanswered(uri.NO_SUCH_PROCEDURE, "it is not there yet"))
            return
        self._under_way[who.authid] += 1
        arguments = (self._told(who), subject, action, {} if match == "exact" else {"match": match})
        self._caller.call(self._procedure, arguments).then(lambda outcome: self._came(question, outcome))

    def _told(self, who: Principal) -> Mapping[str, Any]:
        """What it is told of who asks. No session id: an answer is for all sessions of the same principal."""
        return {
            "realm": self._realm,
            "authid": who.authid,
            "authrole": who.authrole,
            "authmethod": who.authmethod,
            "authprovider": who.authprovider,
            "authextra": dict(who.extra),
            "user": who.user,
        }

    def _came(self, question: _Question, outcome: Outcome) -> None:
        authid = question.who.authid
        self._under_way[authid] -= 1
        if not self._under_way[authid]:
            del self._under_way[authid]
        if question.stale:
            self._ask_again(question)
        else:
            self._answered(question, outcome)

    def _ask_again(self, question: _Question) -> None:
        """Ask anew for those who wait: the answer may be older than what has changed."""
        newer = self._questions.get((question.who.authid, question.request))
        if newer is not None:
            newer.waiting += question.waiting
        elif question.tries < _TRIES:
            question.stale = False
            question.tries += 1
            self._send(question)
        else:
            _resolve(question, self._failed("the rights change faster than it can be asked"))

    def _answered(self, question: _Question, outcome: Outcome) -> None:
        authid, request = question.who.authid, question.request
        del self._questions[authid, request]
        decision, keep = self._read(outcome)
        if keep:
            self.kept.keep(authid, request, decision)
        _resolve(question, decision)

    def _read(self, outcome: Outcome) -> tuple[Decision, bool]:
        """The decision, and whether it may be kept."""
        if isinstance(outcome, Unanswered):
            if outcome.error == uri.NOT_AUTHORIZED:
                return Decision(False, self._name), False
            return self._failed(outcome.message), False
        args, kwargs = outcome.args, outcome.kwargs
        value = dict(kwargs) if kwargs and not args else args[0] if len(args) == 1 and not kwargs else None
        if isinstance(value, bool):
            value = {"allow": value}
        try:
            allow, disclose, cache = _fields(value)
        except _Nonsense as error:
            return self._failed(f"it answers nonsense: {error}"), False
        return Decision(allow, self._name, disclose=disclose), cache

    def _failed(self, why: str) -> Decision:
        return Decision(False, f"{self._name}: {why}", failed=True)


def _resolve(question: _Question, decision: Decision) -> None:
    for answer in question.waiting:
        answer.resolve(decision)


class _Nonsense(Exception):
    """An answer that means nothing; the text says which field is wrong and how."""


def _fields(value: object) -> tuple[bool, Disclosure, bool]:
    """What an answer says: allow, disclose, cache.

    Raises:
        _Nonsense: it is none; says which field is wrong and how.
    """
    if not isinstance(value, dict):
        raise _Nonsense("true, false or an object with allow was expected")
    for name, each in value.items():
        if name not in ("allow", "disclose", "cache"):
            raise _Nonsense(f"unknown field {name!r:.60}; the fields are allow, cache, disclose")
        if not isinstance(each, bool) and not (name == "disclose" and each in _DISCLOSURES.values()):
            raise _Nonsense(f"{name}: true or false was expected")
    if "allow" not in value:
        raise _Nonsense("allow: it is missing")
    disclose = value.get("disclose", False)
    return value["allow"], _DISCLOSURES.get(disclose, disclose), value.get("cache", True)


_DISCLOSURES: Final[Mapping[Any, Disclosure]] = {False: "on_request", True: "always", "never": "never"}


class DynamicAuthorizer:
    """Static rules and templates first, then the procedure of the role, if it has one.

    Whoever may register a procedure that decides is decided about by what is static
    alone, and so is who may register it: it must neither lock itself out nor let
    itself in.

    Args:
        static: the rules and templates.
        rules: the rules alone.
        owners: decides by the templates alone, as if each held for every action.
        templates: all of them.
        procedures: by role.
        deciding: the procedures in this realm by which is decided here or elsewhere.
    """

    def __init__(
        self,
        static: Authorizer,
        rules: Rules,
        *,
        owners: Authorizer,
        templates: Sequence[TopicTemplate],
        procedures: Mapping[str, AuthorizerProcedure],
        deciding: Collection[str],
    ) -> None:
        self._static = static
        self._rules = rules
        self._owners = owners
        self._templates = tuple(templates)
        self._deciding = tuple(deciding)
        self._procedures = tuple(dict.fromkeys(procedures.values()))
        self._procedure_by_role = {
            role: procedure for role, procedure in procedures.items() if not self._decides_for_others(role)
        }
        self._owned = lru_cache(_TEMPLATES_KEPT)(self._is_owned)

    @property
    def hits(self) -> int:
        """How often what a procedure has said before was enough, ever."""
        return sum(procedure.kept.hits for procedure in self._procedures)

    @property
    def misses(self) -> int:
        """How often a procedure had to be asked, ever."""
        return sum(procedure.kept.misses for procedure in self._procedures)

    def authorize(self, who: Principal, action: Action, subject: str, match: Match) -> Decision | Pending[Decision]:
        """See :meth:`wampgate.core.interfaces.Authorizer.authorize`."""
        if action == "register" and any(overlaps(subject, match, each, "exact") for each in self._deciding):
            return self._rules.decide(who.authrole, action, subject, match) or NO_RULE
        answer = self._static.authorize(who, action, subject, match)
        procedure = self._procedure_by_role.get(who.authrole)
        # What is the router's own, its procedures above all, a rule alone gives away.
        if answer is not NO_RULE or procedure is None or is_reserved(subject, match):
            return answer
        if not self._owned(subject, match):
            return procedure.ask(who, action, subject, match)
        return _map(
            self._owners.authorize(who, action, subject, match),
            lambda owner: _of_owner(owner, procedure.ask(who, action, subject, match)) if owner.allowed else owner,
        )

    def bind(self, roles: Iterable[str], caller: LocalCaller) -> None:
        """Say through whom the procedures of some roles are called."""
        for role in roles:
            if role in self._procedure_by_role:
                self._procedure_by_role[role].bind(caller)

    def forget(self, authid: str) -> None:
        """What procedures have said of an authid holds no more."""
        for procedure in self._procedures:
            procedure.forget(authid)

    def forget_user(self, user: str) -> None:
        """The same of all that a user is called."""
        for procedure in self._procedures:
            procedure.forget_user(user)

    def _decides_for_others(self, role: str) -> bool:
        """Whether rules let a role register one of the procedures that decide."""
        decisions = (self._rules.decide(role, "register", each, "exact") for each in self._deciding)
        return any(decision is not None and decision.allowed for decision in decisions)

    def _is_owned(self, subject: str, match: Match) -> bool:
        """Whether something that a request could match belongs to a user or an organization."""
        asked = Asked.of(subject, match)
        return any(template.meets(asked) for template in self._templates)


def _of_owner(owner: Decision, answer: Decision | Pending[Decision]) -> Decision | Pending[Decision]:
    """An answer about an owner's own topic, with the time since when it is its own."""
    return _map(answer, lambda decision: replace(decision, since=owner.since) if decision.allowed else decision)


def _map(
    answer: Decision | Pending[Decision], make: Callable[[Decision], Decision | Pending[Decision]]
) -> Decision | Pending[Decision]:
    """What is made of an answer, now or when it is there; that may take its time, too."""
    if isinstance(answer, Decision):
        return make(answer)
    later: Pending[Decision] = Pending()

    def decided(decision: Decision) -> None:
        made = make(decision)
        if isinstance(made, Decision):
            later.resolve(made)
        else:
            made.then(later.resolve)

    answer.then(decided)
    return later
