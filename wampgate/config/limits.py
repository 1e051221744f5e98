"""The limits in router.json: how much one client may use, and all together."""

from typing import Annotated, ClassVar

from msgspec import Meta

from wampgate.config.section import Check, Section
from wampgate.config.values import Count, CountOrNone, MessageBytes, QueueBytes, Rate, Seconds

TestamentCount = Annotated[int, Meta(ge=0, le=10_000, description="a whole number from 0 (none) to 10000")]
PrefixBits = Annotated[int, Meta(ge=16, le=128, description="a number of bits from 16 to 128")]


class Limits(Section, frozen=True, kw_only=True):
    """How much one client may use, and all together. ``docs/limits.md`` says what happens beyond.

    Attributes:
        message_bytes: the longest message, in bytes, after reassembly and inflation.
        connections: open connections in all.
        connections_per_address: open connections from one address; 0 for no limit.
        ipv6_prefix_bits: how much of an IPv6 address counts as one address, here and in all limits per address.
        unauthenticated_connections: connections that have not joined yet.
        header_seconds: for the whole HTTP header, from the connection's first moment.
        hello_seconds: from the WebSocket's opening to HELLO.
        join_seconds: from the WebSocket's opening to WELCOME.
        outbox_bytes: what may wait for one session's socket.
        stalled_seconds: how long a socket may take nothing while something waits for it.
        inbox_messages: messages of one session that may wait for a decision.
        subscriptions_per_session: subscriptions that one session holds.
        registrations_per_session: registrations that one session holds.
        calls_per_session: calls of one session that are not answered yet.
        testaments_per_session: publications that one session leaves for its end; 0 for none.
        testament_bytes_per_session: what those take together; each counts 500 more than its payload, topic
            and options.
        sessions_per_authid: sessions under one authid in one realm; 0 for no limit.
        subscribes_per_second_per_session: SUBSCRIBE and REGISTER messages, together; 0 for no limit,
            as with all that follow.
        publishes_per_second_per_session: PUBLISH messages, and calls of ``wampgate.publish``.
        calls_per_second_per_session: CALL messages.
        subscribes_per_second_per_authid: the same of all sessions under one authid in one realm.
        publishes_per_second_per_authid: likewise.
        calls_per_second_per_authid: likewise.
        subscribes_per_second_per_address: the same of all sessions from one address.
        publishes_per_second_per_address: likewise.
        calls_per_second_per_address: likewise.
        burst_seconds: how many seconds' worth of each rate may come at once.
        excess_messages_per_session: how many messages over a rate are refused before the session is closed;
            0 for never.
        fragments_per_message: WebSocket fragments of one message.
        ping_seconds: between the pings on a connection; one that was silent since the last ping is dropped.
        failed_logins_per_address_per_minute: tokens that were not accepted.
        failed_logins_per_minute: the same of all addresses; beyond it, each has only one. 0 for no limit.
        http_body_bytes: the longest body of a backend's HTTP request.
        batch_publications: publications in one request to ``/publish/batch``.
        idempotency_keys: answers that are kept for repeats, of one authid in one realm.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "outbox_bytes",
            ("outbox_bytes", "message_bytes"),
            "at least message_bytes, or no reader could take the longest message",
            lambda outbox, message: None if outbox >= message else f"{outbox}, with message_bytes {message}",
        ),
    )

    message_bytes: MessageBytes = 2**20
    connections: Count = 20_000
    connections_per_address: CountOrNone = 1_000
    ipv6_prefix_bits: PrefixBits = 64
    unauthenticated_connections: Count = 2_000
    header_seconds: Seconds = 5.0
    hello_seconds: Seconds = 5.0
    join_seconds: Seconds = 10.0
    outbox_bytes: QueueBytes = 2**20
    stalled_seconds: Seconds = 10.0
    inbox_messages: Count = 128
    subscriptions_per_session: Count = 1_000
    registrations_per_session: Count = 1_000
    calls_per_session: Count = 1_000
    testaments_per_session: TestamentCount = 10
    testament_bytes_per_session: QueueBytes = 16_384
    sessions_per_authid: CountOrNone = 1_000
    subscribes_per_second_per_session: Rate = 500.0
    publishes_per_second_per_session: Rate = 10_000.0
    calls_per_second_per_session: Rate = 10_000.0
    subscribes_per_second_per_authid: Rate = 0.0
    publishes_per_second_per_authid: Rate = 0.0
    calls_per_second_per_authid: Rate = 0.0
    subscribes_per_second_per_address: Rate = 0.0
    publishes_per_second_per_address: Rate = 0.0
    calls_per_second_per_address: Rate = 0.0
    burst_seconds: Seconds = 10.0
    excess_messages_per_session: CountOrNone = 1_000
    fragments_per_message: Count = 1_024
    ping_seconds: Seconds = 30.0
    failed_logins_per_address_per_minute: Count = 50
    failed_logins_per_minute: CountOrNone = 5_000
    http_body_bytes: MessageBytes = 2**20
    batch_publications: Count = 100
    idempotency_keys: Count = 10_000
