"""Where events come from that must not be lost: the section of router.json for a bridge that reads Redis Streams."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from wampgate.config.dialects import AnyCableRule, StreamRule, StreamRules
from wampgate.config.secret import Secret
from wampgate.config.section import Check, Section
from wampgate.config.values import BridgeName, CaFile, RedisUrl, StateFolder, StoreSeconds

Entries = Annotated[int, Meta(ge=1, le=10_000, description="a number of entries from 1 to 10000")]
KeySuffix = Annotated[
    str,
    Meta(
        description='1 to 64 printable characters, such as ":dead"',
        extra={"accepts": lambda text: 0 < len(text) <= 64 and text.isprintable()},
    ),
]


def _ca_without_tls(ca_file: Path | None, url: Secret) -> str | None:
    return None if ca_file is None or url.reveal().startswith("rediss:") else "a url without TLS"


def _dead_letters_read(dead_letter_suffix: str | None, rules: Sequence[StreamRule]) -> str | None:
    streams = {stream_of(rule) for rule in rules}
    read = [] if dead_letter_suffix is None else sorted(streams & {f"{name}{dead_letter_suffix}" for name in streams})
    return f"one that makes {read[0]!r}" if read else None


class RedisStreamsBridge(Section, frozen=True, kw_only=True, tag_field="type", tag="redis-streams"):
    """Events from Redis Streams, each delivered at least once.

    Attributes:
        name: for logs and metrics.
        url: where Redis is, with user, password and database; ``rediss://`` for TLS.
        ca_file: the authorities that vouch for Redis' certificate (PEM),
            relative to router.json's folder; null for the system's.
        ping_seconds: a Redis that leaves a ping unanswered for as long is given
            up and connected to anew.
        state_folder: where the router keeps how far it has read, relative to
            router.json's folder; no two routers may share it.
        offset: where a router begins that has read nothing yet: with what is
            ``new``, or with the ``oldest`` entry that is there.
        count: so many entries of a stream are asked for at a time, at most.
        dead_letter: what is appended to a stream's key to make that of its
            dead letters; null for none.
        group: null; consumer groups can't be used.
        rules: which entries become events on which topics.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check("ca_file", ("ca_file", "url"), "a rediss:// url beside it, or null", _ca_without_tls),
        Check(
            "group",
            ("group",),
            "null: in a consumer group each entry would reach the clients of one router only, and no other; "
            "every router reads every entry itself",
            lambda group: None if group is None else "a consumer group",
        ),
        Check(
            "dead_letter",
            ("dead_letter", "rules"),
            "a suffix that makes the key of no stream of rules",
            _dead_letters_read,
        ),
    )

    name: BridgeName = "redis-streams"
    url: RedisUrl
    ca_file: CaFile | None = None
    ping_seconds: StoreSeconds = 2.0
    state_folder: StateFolder
    offset: Literal["new", "oldest"] = "new"
    count: Entries = 500
    dead_letter: KeySuffix | None = ":dead"
    group: str | None = None
    rules: StreamRules


def stream_of(rule: StreamRule) -> str:
    """The key of the stream that a rule reads."""
    return rule.channel if isinstance(rule, AnyCableRule) else rule.stream
