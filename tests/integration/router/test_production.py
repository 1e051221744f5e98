"""Tokens and memberships from a real Postgres, events from a real Redis: they arrive at members only."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import static_configuration, ticket_of
from raw_wamp import Aborted, Peer, WampError
from raw_websocket import Closed
from redis_server import RedisServer
from router_process import RouterProcess

from .production import PASSWORD, Production, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# Captured from PHP's rase-/socket.io-php-emitter 0.7: in("organization.7")->emit("news", ["data" => "hi"]).
DIALECT_A = bytes.fromhex(
    "9283a47479706502a46461746192a46e65777381a464617461a26869a36e7370a12f"
    "82a5726f6f6d7391ae6f7267616e697a6174696f6e2e37a5666c61677390"
)
# Captured from socket.io-emitter 1.1, on the channel socket.io#/#organization.7#.
DIALECT_B = bytes.fromhex(
    "93a7656d697474657283a47479706502a46461746192a46e65777381a464617461a26869a36e7370a12f"
    "82a5726f6f6d7391ae6f7267616e697a6174696f6e2e37a5666c61677380"
)


@pytest.fixture(scope="module")
def production() -> Iterator[Production]:
    with Production() as production:
        wait_for_redis(production)
        yield production


def wait_for_redis(production: Production, seconds: float = 10.0) -> None:
    """Wait until the bridge listens: Redis counts who a message reached."""
    deadline = time.monotonic() + seconds
    while not production.redis.publish("channel.nobody", "null"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def received(peer: Peer, count: int = 1) -> list[list[Any]]:
    """The payloads of the next events."""
    return [peer.event()[4:] for _ in range(count)]


@pytest.mark.parametrize("serializer", ["json", "msgpack", "cbor"])
def test_what_is_published_on_redis_arrives_at_members_only(production: Production, serializer: str) -> None:
    anna, bert, cleo = (production.peer(user, serializer) for user in ("anna", "bert", "cleo"))
    anna.subscribe("organization.7")
    anna.subscribe("organization.8")
    bert.subscribe("organization.8")
    for peer, organization in ((bert, 7), (cleo, 7), (cleo, 8)):
        with pytest.raises(WampError) as refused:
            peer.subscribe(f"organization.{organization}")
        assert refused.value.uri == "wamp.error.not_authorized"
    assert production.redis.publish("channel.7", '{"text":"hi"}') == 1
    assert production.redis.publish("channel.8", '{"text":"to eight"}') == 1
    assert received(anna, 2) == [[[], {"text": "hi"}], [[], {"text": "to eight"}]]
    assert received(bert) == [[[], {"text": "to eight"}]]
    assert cleo.events() == []


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        pytest.param("socket.io#emitter", DIALECT_A, id="A"),
        pytest.param("socket.io#/#organization.7#", DIALECT_B, id="B"),
    ],
)
def test_what_the_emitters_send_arrives(production: Production, channel: str, message: bytes) -> None:
    anna, bert = production.peer("anna"), production.peer("bert")
    anna.subscribe("organization.7")
    bert.subscribe("organization.8")
    assert production.redis.publish(channel, message) == 1
    ((args, *kwargs),) = received(anna)
    assert "news" in args
    assert {"data": "hi"} in [*args, *kwargs]
    assert bert.events() == []


def test_poison_on_redis_is_dropped_and_the_bridge_goes_on(production: Production) -> None:
    anna = production.peer("anna")
    anna.subscribe("organization.7")
    for channel, message in (
        ("channel.7", b"{not json"),
        ("channel.7", b"\x80\x04\x95pickled."),
        ("channel.7", b"[" * 100_000),
        ("channel.7.news", b"{}"),
        ("channel.", b"{}"),
        ("channel.7\n", b"{}"),
        ("channel.*", b"{}"),
        ("channel.\xff".encode("latin-1"), b"{}"),
        ("socket.io#emitter", b"\xdd\xff\xff\xff\xff"),
        ("socket.io#emitter", b"a:1:{}"),
        ("socket.io#/#organization.7#", b"\xc1"),
        ("socket.io#/#wamp.session.on_join#", DIALECT_B),
    ):
        production.redis.publish(channel, message)
    production.redis.publish("channel.7", '"after all"')
    assert received(anna) == [[["after all"]]]


def test_events_keep_the_order_of_redis(production: Production) -> None:
    anna = production.peer("anna")
    anna.subscribe("organization.7")
    for number in range(200):
        production.redis.publish("channel.7", str(number))
    assert received(anna, 200) == [[[number]] for number in range(200)]


def test_a_membership_that_ends_is_no_grant_any_more(production: Production) -> None:
    production.add("dora", ["9"])
    dora = production.peer("dora")
    dora.unsubscribe(dora.subscribe("organization.9"))
    production.execute("DELETE FROM organization_members WHERE user_id = 'dora'")
    with pytest.raises(WampError) as refused:
        dora.subscribe("organization.9")
    assert refused.value.uri == "wamp.error.not_authorized"


def test_a_session_ends_when_its_token_expires(production: Production) -> None:
    production.add("emil", ["7"], life="1.5 seconds")
    start = time.monotonic()
    emil = production.peer("emil")
    emil.subscribe("organization.7")
    goodbye = emil.receive()
    assert goodbye[0] == 6
    assert goodbye[2] == "wampgate.close.token_expired"
    assert 1 < time.monotonic() - start < 3
    # After GOODBYE nothing is accepted and nothing comes.
    emil.send(32, 7, {}, "organization.7")
    production.redis.publish("channel.7", '"too late"')
    assert emil.closed()[0] == 1008
    with pytest.raises(Aborted) as aborted:
        production.peer("emil")
    assert aborted.value.reason == "wamp.error.authentication_denied"


@pytest.mark.parametrize(
    "ticket",
    [
        "' OR '1'='1",
        "'; DROP TABLE oauth_access_tokens; --",
        "%(token)s",
        "\\x00",
        "x\0y",
        "😀" * 100,
        "x" * 5000,
        "%s%n",
    ],
)
def test_tickets_are_never_part_of_a_query(production: Production, ticket: str) -> None:
    with Peer(production.router.port) as peer, pytest.raises(Aborted) as aborted:
        peer.join(ticket)
    assert aborted.value.reason == "wamp.error.authentication_denied"
    production.peer("anna").subscribe("organization.7")


def test_no_password_is_in_the_log(production: Production) -> None:
    log = production.router.log()
    assert production.postgres.password not in log
    assert PASSWORD not in log
    for user in ("anna", "bert", "emil"):
        assert token_of(user) not in log


def test_without_redis_the_router_works_all_the_same_and_finds_it_later() -> None:
    redis = RedisServer()
    configuration = static_configuration()
    configuration["realms"][0]["bridges"] = [
        {
            "type": "redis",
            "url": redis.url,
            "ping_seconds": 0.5,
            "rules": [{"dialect": "plain", "channel": "channel.{id}", "topic": "com.example.{id}"}],
        }
    ]
    with RouterProcess(configuration) as process, Peer(process.port).join(ticket_of("alice")) as alice:
        subscription = alice.subscribe("com.example.7")
        alice.publish("com.example.7", ["own"], exclude_me=False)
        assert alice.event()[4] == ["own"]
        with redis:
            deadline = time.monotonic() + 15
            while not redis.publish("channel.7", '"from redis"'):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert alice.event()[1] == subscription


def test_a_store_that_is_down_at_the_start_refuses_until_it_is_there() -> None:
    configuration = static_configuration()
    configuration["realms"][0]["store"] = {
        "type": "postgres",
        "dsn": "postgresql://u:canary-of-the-dsn@127.0.0.1:1/none",
        "timeout_seconds": 1,
    }
    with RouterProcess(configuration) as process:
        with Peer(process.port).join(ticket_of("alice")) as alice:
            assert alice.publish("com.example.t") > 0
        # Told by ABORT, or by the close code alone, after which stock clients come back.
        with Peer(process.port) as peer, pytest.raises((Aborted, Closed)) as refused:
            peer.join("some token")
        reason: Any = refused.value.reason  # type: ignore[attr-defined]  # both have one
        assert reason == "wamp.error.authentication_failed"
        assert "canary-of-the-dsn" not in process.log()
