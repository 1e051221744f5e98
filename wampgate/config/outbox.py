"""Events that a backend commits together with its data: the section of router.json for an outbox table in Postgres."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from wampgate.config.section import Check, Section, Unique
from wampgate.config.streams import Entries
from wampgate.config.values import BridgeName, PostgresDsn, StoreSeconds
from wampgate.core.uri import is_pattern, is_reserved
from wampgate.wire.messages import Match

KeptSeconds = Annotated[
    float, Meta(ge=60, le=31_536_000, description="a number of seconds from 60 to 31536000 (a year)")
]


def _reaches_reserved(uri: str, match: Match) -> str | None:
    return "what reaches there" if is_pattern(uri, match) and is_reserved(uri, match) else None


class OutboxTopic(Section, frozen=True, kw_only=True):
    """Topics that an outbox may publish to.

    Attributes:
        uri: the topic, or a pattern of topics.
        match: how ``uri`` is to be read.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "uri",
            ("uri", "match"),
            "a URI (or pattern) that fits match",
            lambda uri, match: None if is_pattern(uri, match) else f"what is none for {match}",
        ),
        Check("uri", ("uri", "match"), 'nothing of "wamp" and "wampgate"', _reaches_reserved),
    )

    uri: str
    match: Match = "exact"


class PostgresOutbox(Section, frozen=True, kw_only=True, tag_field="type", tag="postgres-outbox"):
    """Events from the table ``wampgate_outbox``, each delivered at least once; ``docs/outbox.md``.

    Attributes:
        name: for logs and metrics.
        dsn: how to connect: libpq's URL or its ``key=value`` form, of a role of its own.
        listen_dsn: a direct connection to the same database, where ``dsn`` leads
            through a PgBouncer; new rows are heard of through it.
        node: this router's name among all that read the table. Each needs one of
            its own, and the same one after a restart.
        topics: what may be published to; rows for other topics are laid aside.
        offset: where a router begins that was never here: with what is ``new``, or
            with the ``oldest`` row that is there.
        poll_seconds: how often rows are looked for whose notification was lost.
        timeout_seconds: an answer that takes longer counts as none.
        count: so many rows are read at a time, at most.
        retention_seconds: rows that all routers have published are removed when
            they are as old; null leaves that to you.
        dead_letter_seconds: the same for rows that were laid aside.
    """

    name: BridgeName = "outbox"
    dsn: PostgresDsn
    listen_dsn: PostgresDsn | None = None
    node: BridgeName = "router"
    topics: Annotated[
        tuple[OutboxTopic, ...],
        Meta(
            min_length=1,
            description="a list of at least one section with a uri",
            extra={"unique": Unique(("uri", "match"))},
        ),
    ]
    offset: Literal["new", "oldest"] = "new"
    poll_seconds: StoreSeconds = 1.0
    timeout_seconds: StoreSeconds = 3.0
    count: Entries = 500
    retention_seconds: KeptSeconds | None = 86_400.0
    dead_letter_seconds: KeptSeconds | None = 2_592_000.0
