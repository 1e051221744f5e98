"""What backends send and what they get, as types; the OpenAPI document is made of the same ones."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from wampgate.core.uri import MAX_LENGTH
from wampgate.wire.messages import MAX_ID

MAX_TIMEOUT_MS: Final = 600_000
DEFAULT_TIMEOUT_MS: Final = 60_000

NO_ARGS: Final = Raw(b"[]")
NO_KWARGS: Final = Raw(b"{}")

# JSON knows one kind of number: a backend whose language writes 7.0 for 7 means 7.
Id = Annotated[int, Meta(ge=1, le=MAX_ID)] | Annotated[float, Meta(ge=1, le=MAX_ID)]
_COMPONENT: Final = r"[^\s.#\u0000-\u001f\u007f-\u009f]+"
Topic = Annotated[
    str,
    Meta(
        description="A URI by WAMP's loose rules: `organization.7`.",
        extra_json_schema={"maxLength": MAX_LENGTH, "pattern": rf"^({_COMPONENT}\.)*{_COMPONENT}$"},
    ),
]
Procedure = Topic
Args = Annotated[
    Raw, Meta(description="The positional arguments, any JSON values.", extra_json_schema={"type": "array"})
]
Kwargs = Annotated[
    Raw, Meta(description="The keyword arguments, any JSON values by name.", extra_json_schema={"type": "object"})
]
RealmName = Annotated[str | None, Meta(description="The realm; may be left out where the router has one only.")]
Organization = Annotated[str | None, Meta(description="The organization to act for, where the realm requires one.")]


def _no_args() -> Raw:
    return NO_ARGS


def _no_kwargs() -> Raw:
    return NO_KWARGS


class _Body(Struct, forbid_unknown_fields=True, kw_only=True):
    """A JSON object of which every member is known: a mistyped one must not be ignored in silence."""


class Options(_Body, omit_defaults=True):
    """Who receives an event, as PUBLISH.Options says it in WAMP."""

    exclude: Annotated[list[Id], Meta(description="Session ids that don't receive it.")] | None = None
    exclude_authid: list[str] | None = None
    exclude_authrole: list[str] | None = None
    eligible: Annotated[list[Id], Meta(description="The only session ids that receive it.")] | None = None
    eligible_authid: list[str] | None = None
    eligible_authrole: list[str] | None = None
    disclose_me: Annotated[bool, Meta(description="Tell receivers who publishes, where a rule allows that.")] = False


class Publication(_Body):
    """An event to publish."""

    topic: Topic
    args: Args = field(default_factory=_no_args)
    kwargs: Kwargs = field(default_factory=_no_kwargs)
    options: Options = field(default_factory=Options)


class PublishBody(Publication):
    """The body of `POST /publish`."""

    realm: RealmName = None
    organization: Organization = None


class BatchBody(_Body):
    """The body of `POST /publish/batch`: published in this order."""

    publications: Annotated[list[Publication], Meta(min_length=1)]
    realm: RealmName = None
    organization: Organization = None


class CallOptions(_Body):
    """How to call, as CALL.Options says it in WAMP."""

    disclose_me: Annotated[bool, Meta(description="Tell the callee who calls, where a rule allows that.")] = False


class CallBody(_Body):
    """The body of `POST /call`."""

    procedure: Procedure
    args: Args = field(default_factory=_no_args)
    kwargs: Kwargs = field(default_factory=_no_kwargs)
    options: CallOptions = field(default_factory=CallOptions)
    timeout_ms: Annotated[float, Meta(ge=1, le=MAX_TIMEOUT_MS, description="How long to wait for the answer.")] = (
        DEFAULT_TIMEOUT_MS
    )
    realm: RealmName = None
    organization: Organization = None


AnyBody = PublishBody | BatchBody | CallBody


class Problem(Struct, omit_defaults=True, kw_only=True):
    """What went wrong (RFC 9457), with WAMP's own words for it."""

    type: str
    title: Annotated[str, Meta(description="What the status means.")]
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: Annotated[str, Meta(description="What happened, and what to do.")]
    error: Annotated[str, Meta(description="The WAMP error URI.")] = ""
    args: Annotated[list[Any], Meta(description="What the callee's error carries.")] = []
    kwargs: Annotated[dict[str, Any], Meta(description="What the callee's error carries, by name.")] = {}


class Published(Struct):
    """An event was published."""

    publication: Annotated[int, Meta(ge=1, le=MAX_ID, description="The publication id.")]


class Outcome(Struct):
    """What became of one publication of several: it has an id, or a problem."""

    publication: Annotated[int, Meta(ge=1, le=MAX_ID, description="The publication id.")] | UnsetType = UNSET
    problem: Problem | UnsetType = UNSET


class BatchAnswer(Struct):
    """What became of each publication, in their order."""

    results: list[Outcome]


class CallAnswer(Struct):
    """What the callee answered."""

    args: Args
    kwargs: Kwargs
