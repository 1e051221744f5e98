"""What sessions of a realm may do, as router.json says it."""

from typing import Annotated, ClassVar

from msgspec import Meta

from wampgate.config.dynamic import DynamicAuthorizations, decided_twice
from wampgate.config.section import Check, Section, Unique
from wampgate.config.templates import variables
from wampgate.config.values import CacheSeconds, OrganizationRoot, Role, Seconds, TopicTemplate
from wampgate.core.decisions import Action, Disclosure
from wampgate.core.uri import is_pattern, is_reserved
from wampgate.wire.messages import Match


def _grants_reserved(actions: tuple[Action, ...], uri: str, match: Match, allow: bool) -> str | None:
    """How the rule would let someone publish or register where only the router may; None if it does not."""
    if not allow or not {"publish", "register"} & set(actions):
        return None
    reached = is_pattern(uri, match) and is_reserved(uri, match)
    return f"what reaches there by match {match}" if reached else None


class Rule(Section, frozen=True, kw_only=True):
    """What a role may do. Of all rules that match, the most specific decides; without one the answer is no.

    Attributes:
        role: whom it concerns.
        actions: any of ``subscribe``, ``publish``, ``call``, ``register``.
        uri: the topic or procedure, or a pattern of them.
        match: how ``uri`` is to be read.
        allow: false forbids what a less specific rule allows.
        disclose: whether receivers learn who publishes or calls.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "uri",
            ("uri", "match"),
            "a URI (or pattern) that fits match",
            lambda uri, match: None if is_pattern(uri, match) else f"what is none for {match}",
        ),
        Check(
            "uri",
            ("actions", "uri", "match", "allow"),
            'nothing of "wamp" and "wampgate" where actions has publish or register and allow is true',
            _grants_reserved,
        ),
        Check(
            "actions",
            ("actions",),
            "each action once",
            lambda actions: None if len(set(actions)) == len(actions) else "one twice",
        ),
    )

    role: Role
    actions: Annotated[tuple[Action, ...], Meta(min_length=1, description="a list of at least one action")]
    uri: str
    match: Match = "exact"
    allow: bool = True
    disclose: Disclosure = "on_request"


Rules = Annotated[
    tuple[Rule, ...],
    Meta(description="a list of rules", extra={"unique": Unique(("uri", "role", "match"), each="actions")}),
]


def _strange_variables(topic: str) -> str | None:
    """A template's variables other than the two that are known here; None if there are no others."""
    others = [name for name in variables(topic) or () if name not in ("user", "organization")]
    return ", ".join(f"{{{name}}}" for name in others) or None


class Topic(Section, frozen=True, kw_only=True):
    """Topics that belong to a user or to an organization; the most specific one that covers a request decides.

    Attributes:
        topic: the template: ``{user}`` is the session's own user id,
            ``{organization}`` any organization that the user belongs to.
        below: whether all topics below it are meant too.
        role: the membership role that it takes; null for any member.
        actions: what the user may do there.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check("topic", ("topic",), "no variables but {user} and {organization}", _strange_variables),
    )

    topic: TopicTemplate
    below: bool = True
    role: str | None = None
    actions: Annotated[tuple[Action, ...], Meta(min_length=1, description="a list of at least one action")] = (
        "subscribe",
    )


Topics = Annotated[tuple[Topic, ...], Meta(description="a list of topics", extra={"unique": Unique(("topic", "role"))})]


class Authorization(Section, frozen=True, kw_only=True):
    """What sessions of a realm may do.

    Attributes:
        organization: the first components of organizations' topics. A member of 7
            may subscribe to ``organization.7`` and to what is below it; null
            switches that off.
        topics: more topics that belong to users and organizations. One that needs a
            role also restricts every pattern that reaches into it.
        cache_seconds: how long a decision that asked the store is kept.
        sweep_seconds: how often the store is asked for all who are here, whatever
            it has told; what a lost notification costs at most.
        rules: everything else.
        dynamic: procedures of yours that decide for some roles where nothing else does.
    """

    checks: ClassVar[tuple[Check, ...]] = (Check("dynamic", ("dynamic",), "each role once", decided_twice),)

    organization: OrganizationRoot | None = "organization"
    topics: Topics = ()
    cache_seconds: CacheSeconds = 5.0
    sweep_seconds: Seconds = 60.0
    rules: Rules = ()
    dynamic: DynamicAuthorizations = ()
