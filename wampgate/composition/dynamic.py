"""Makes what asks procedures of the user's of the sections in router.json, and says through whom they are called."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from wampgate.authorization.organization import OrganizationAuthorizer
from wampgate.authorization.rules import Rule, Rules
from wampgate.authorization.templates import TopicTemplate
from wampgate.composition.authorization import templates_of
from wampgate.config.dynamic import deciding_in
from wampgate.core.local_caller import CALLER, LocalCaller

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from wampgate.authentication.dynamic import DynamicAuthenticator
    from wampgate.authorization.dynamic import AuthorizerProcedure, DynamicAuthorizer
    from wampgate.authorization.memberships import Memberships
    from wampgate.composition.realm import RealmParts
    from wampgate.config import model
    from wampgate.config.dynamic import DynamicAuthentication, DynamicAuthorization
    from wampgate.core.deadlines import Deadlines
    from wampgate.core.decisions import Action
    from wampgate.core.guesses import Guesses
    from wampgate.core.interfaces import Authorizer

_EVERY: Final[frozenset[Action]] = frozenset({"subscribe", "publish", "call", "register"})

_WAITING: Final = 20
"""For each question that may be with a procedure so many may wait for a place: then their time is over anyway."""


def deciding_procedures(realms: Iterable[model.Realm], name: str) -> frozenset[str]:
    """The procedures that are registered in one realm and by which is decided, there or elsewhere."""
    return frozenset(each.procedure for realm in realms for each in deciding_in(realm) if each.realm == name)


def caller_grants(deciding: Collection[str]) -> Iterator[Rule]:
    """What lets the router call these procedures, and no others."""
    for procedure in deciding:
        yield Rule(
            CALLER.authrole,
            frozenset({"call"}),
            procedure,
            "exact",
            allow=True,
            disclose="on_request",
            name="the section dynamic",
        )


def dynamic_authenticator_of(realm: model.Realm, now: Callable[[], float]) -> DynamicAuthenticator | None:
    """What asks who someone is; None where no procedure says that."""
    section = realm.authentication.dynamic
    if section is None:
        return None
    # Loaded only where a procedure says who someone is, or what it may do.
    from wampgate.authentication.dynamic import DynamicAuthenticator  # noqa: PLC0415

    return DynamicAuthenticator(
        realm.name,
        section.procedure,
        methods=section.methods,
        role=section.role,
        reserved=[principal.authid for principal in realm.authentication.principals],
        now=now,
    )


def dynamic_authorizer_of(
    realm: model.Realm,
    static: Authorizer,
    rules: Rules,
    memberships: Memberships | None,
    *,
    deciding: Collection[str],
    now: Callable[[], float],
) -> DynamicAuthorizer | None:
    """What asks what someone may do; None where all is static and nothing is decided here.

    Args:
        realm: the section.
        static: decides first.
        rules: the static rules alone.
        memberships: of the realm's users; None if there are none.
        deciding: the procedures that are registered in this realm and by which is decided.
        now: the router's monotonic clock.
    """
    authorization = realm.authorization
    if not authorization.dynamic and not deciding:
        return None
    from wampgate.authorization.dynamic import DynamicAuthorizer  # noqa: PLC0415

    templates = [replace(template, actions=_EVERY) for template in _templates_of(authorization)]
    procedures: Mapping[str, AuthorizerProcedure] = {
        role: procedure
        for section in authorization.dynamic
        for procedure in [_procedure_of(realm.name, section, now)]
        for role in section.roles
    }
    return DynamicAuthorizer(
        static,
        rules,
        owners=OrganizationAuthorizer(Rules([]), memberships, root=None, templates=templates),
        templates=templates,
        procedures=procedures,
        deciding=deciding,
    )


def bind_dynamic(parts: Iterable[RealmParts], deadlines: Deadlines, guesses: Guesses) -> None:
    """Say in which realm each procedure is called, now that all realms are there."""
    parts = list(parts)
    realm_by_name = {part.realm.name: part.realm for part in parts}

    def caller_of(part: RealmParts, section: DynamicAuthentication | DynamicAuthorization) -> LocalCaller:
        return LocalCaller(
            realm_by_name[section.realm or part.realm.name],
            deadlines,
            seconds=section.deadline_seconds,
            limit=section.calls,
            waiting=section.calls * _WAITING,
        )

    for part in parts:
        authenticator = part.configuration.authentication.dynamic
        if part.dynamic_authenticator is not None and authenticator is not None:
            part.dynamic_authenticator.bind(caller_of(part, authenticator), guesses)
        if part.dynamic_authorizer is not None:
            for section in part.configuration.authorization.dynamic:
                part.dynamic_authorizer.bind(section.roles, caller_of(part, section))


def _templates_of(authorization: model.Authorization) -> list[TopicTemplate]:
    root = authorization.organization
    organizations = [] if root is None else [TopicTemplate.parse(f"{root}.{{organization}}", below=True)]
    return [*organizations, *templates_of(authorization)]


def _procedure_of(realm: str, section: DynamicAuthorization, now: Callable[[], float]) -> AuthorizerProcedure:
    from wampgate.authorization.dynamic import AuthorizerProcedure  # noqa: PLC0415
    from wampgate.authorization.kept_decisions import KeptDecisions  # noqa: PLC0415

    kept = KeptDecisions(now, seconds=section.cache_seconds, limit=section.max_cached)
    return AuthorizerProcedure(realm, section.procedure, kept, most=section.calls * _WAITING)
