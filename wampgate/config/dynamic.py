"""The sections of router.json for procedures of the user's that decide: who someone is, and what it may do."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from wampgate.config.section import Section
from wampgate.config.values import CacheSeconds, Count, RealmName, Role, StoreSeconds
from wampgate.core.matching import covers
from wampgate.core.uri import is_reserved, is_uri

Procedure = Annotated[
    str,
    Meta(
        description='a procedure\'s URI outside "wamp." and "wampgate.", such as "com.example.authenticate"',
        extra={"accepts": lambda text: is_uri(text) and not is_reserved(text)},
    ),
]
Method = Literal["ticket", "wampcra", "scram", "cryptosign", "tls", "anonymous"]


class DynamicAuthentication(Section, frozen=True, kw_only=True):
    """A procedure of yours that says who someone is. ``docs/dynamic.md`` tells what it is asked and answers.

    Attributes:
        procedure: the procedure. Rules say who may register it; nobody else answers.
        realm: the realm where it is registered; null for this one.
        methods: the authmethods that it is asked for, after the configuration and the store.
        role: the role where its answer has none; null if each answer has to have one.
        deadline_seconds: an answer that takes longer counts as none.
        calls: so many questions are with it at a time; others wait.
    """

    procedure: Procedure
    realm: RealmName | None = None
    methods: Annotated[tuple[Method, ...], Meta(min_length=1, description="a list of at least one authmethod")]
    role: Role | None = None
    deadline_seconds: StoreSeconds = 2.0
    calls: Count = 100


class DynamicAuthorization(Section, frozen=True, kw_only=True):
    """A procedure of yours that decides where neither a rule nor a topic does. ``docs/dynamic.md``.

    Attributes:
        roles: whose requests it decides; each role in one section only.
        procedure: the procedure. Rules say who may register it; nobody else answers.
        realm: the realm where it is registered; null for this one.
        deadline_seconds: an answer that takes longer counts as none.
        cache_seconds: how long its answers are kept, for the same principal and the same request.
        max_cached: so many answers are kept.
        calls: so many questions are with it at a time; others wait.
    """

    roles: Annotated[tuple[Role, ...], Meta(min_length=1, description="a list of at least one role")]
    procedure: Procedure
    realm: RealmName | None = None
    deadline_seconds: StoreSeconds = 2.0
    cache_seconds: CacheSeconds = 5.0
    max_cached: Count = 10_000
    calls: Count = 100


DynamicAuthorizations = Annotated[
    tuple[DynamicAuthorization, ...], Meta(description="a list of sections with roles and a procedure")
]


# --- what has to hold between the sections ---


class Deciding(NamedTuple):
    """A procedure by which is decided, and the realm where it is registered."""

    realm: str
    procedure: str


def deciding_in(realm: Any) -> Iterator[Deciding]:
    """The procedures by which a realm decides.

    Args:
        realm: its section.
    """
    authenticator = realm.authentication.dynamic
    for section in ([] if authenticator is None else [authenticator]) + list(realm.authorization.dynamic):
        yield Deciding(section.realm or realm.name, section.procedure)


def decided_twice(sections: Sequence[DynamicAuthorization]) -> str | None:
    """A role that stands in two sections, or twice in one; None if there is none."""
    seen: set[str] = set()
    for role in (role for section in sections for role in section.roles):
        if role in seen:
            return f"{role!r} twice"
        seen.add(role)
    return None


def methods_that_are_off(section: DynamicAuthentication | None, **methods: object) -> str | None:
    """A method that the procedure is asked for and that is off; None if there is none."""
    for name in () if section is None else section.methods:
        if name != "anonymous" and methods[name] is None:
            return f"{name}, which has no section"
    return None


def anonymous_twice(section: DynamicAuthentication | None, anonymous: object) -> str | None:
    """Whether both the configuration and the procedure would say who an anonymous session is."""
    return "both" if section is not None and "anonymous" in section.methods and anonymous is not None else None


def judges_of_themselves(authorization: Any) -> str | None:
    """A role that is decided about by a procedure, and may register one; None if there is none.

    It could lock itself out, or let itself in. That an authorizer's procedure is elsewhere makes no difference.
    """
    procedures = [section.procedure for section in authorization.dynamic]
    for role in (role for section in authorization.dynamic for role in section.roles):
        for procedure in procedures:
            if role in _registering(authorization.rules, procedure):
                return f"{role!r}, which rules let register {procedure}"
    return None


def unanswered(realms: Sequence[Any]) -> str | None:
    """A procedure that nobody could register, or that is to be in a realm that is not there; None if there is none."""
    realm_by_name = {realm.name: realm for realm in realms}
    for realm in realms:
        for deciding in deciding_in(realm):
            home = realm_by_name.get(deciding.realm)
            if home is None:
                return f"no realm {deciding.realm!r} for {deciding.procedure}"
            if not _registering(home.authorization.rules, deciding.procedure):
                return f"no rule of realm {deciding.realm!r} for {deciding.procedure}"
    return None


def _registering(rules: Iterable[Any], procedure: str) -> set[str]:
    """The roles that a rule lets register a procedure, whatever a narrower one says."""
    return {
        rule.role
        for rule in rules
        if rule.allow and "register" in rule.actions and covers(rule.uri, rule.match, procedure, "exact")
    }
