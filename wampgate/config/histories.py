"""Where and how much a realm keeps of its topics: the sections of router.json for histories."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from wampgate.config.section import Check, Section, Unique
from wampgate.config.values import BridgeName, CaFile, Count, QueueBytes, RedisUrl, StateFolder, StoreSeconds

MEMORY: Final = "memory"

EventCount = Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")]
HistoryBytes = Annotated[int, Meta(ge=1_000, le=2**30, description="a number of bytes from 1000 to 1073741824")]
Age = Annotated[float, Meta(gt=0, le=31_536_000, description="a number of seconds over 0, at most 31536000")]
HistoryStoreName = BridgeName
KeyPrefix = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]{1,64}$",
        description="a prefix of keys: 1 to 64 printable ASCII characters without spaces",
    ),
]


class RedisHistory(Section, frozen=True, kw_only=True, tag_field="type", tag="redis"):
    """Keeps histories in a Redis stream as well, so that they outlive the process.

    Attributes:
        name: what topics call it.
        url: where Redis is, with user and password; ``rediss://`` for TLS.
        ca_file: the authorities that vouch for Redis' certificate (PEM),
            relative to router.json's folder; null for the system's.
        state_folder: where the router keeps that it ended in order, relative to
            router.json's folder; null for nowhere: then no position outlives it.
        prefix: what all its keys begin with. Each router needs one of its own.
        queue_bytes: what may wait for Redis; beyond it nothing waits, and a new epoch begins.
        timeout_seconds: how long Redis may leave a command unanswered before it counts as lost.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "ca_file",
            ("ca_file", "url"),
            "a rediss:// url beside it, or null",
            lambda ca_file, url: None if ca_file is None or url.reveal().startswith("rediss:") else "a url without TLS",
        ),
        Check(
            "name",
            ("name",),
            "another name than memory, which is what keeps nothing beyond the process",
            lambda name: None if name != MEMORY else "memory",
        ),
    )

    name: HistoryStoreName = "redis"
    url: RedisUrl
    ca_file: CaFile | None = None
    state_folder: StateFolder | None = None
    prefix: KeyPrefix = "wampgate:history"
    queue_bytes: QueueBytes = 2**24
    timeout_seconds: StoreSeconds = 5.0


class Histories(Section, frozen=True, kw_only=True):
    """What all histories of a realm may take together; the topic that was quiet the longest goes first.

    Attributes:
        topics: so many topics.
        bytes: so many bytes, counted as for one topic.
        stores: where histories can be kept beside the memory.
    """

    topics: Count = 10_000
    bytes: HistoryBytes = 2**26
    stores: Annotated[
        tuple[RedisHistory, ...], Meta(description="a list of history stores", extra={"unique": Unique(("name",))})
    ] = ()
