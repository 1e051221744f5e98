"""Redis URLs: their parts, and that no secret is shown."""

from __future__ import annotations

import pytest

from wampgate.bridge.redis_url import InvalidRedisUrl, RedisAddress, parse_redis_url

SECRET = "c4nary"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", RedisAddress("localhost")),
        ("redis://localhost:6380", RedisAddress("localhost", 6380)),
        ("redis://localhost/0", RedisAddress("localhost")),
        ("redis://localhost/", RedisAddress("localhost")),
        ("rediss://redis.example:6380/15", RedisAddress("redis.example", 6380, tls=True, database=15)),
        ("redis://[::1]:7000", RedisAddress("::1", 7000)),
        ("redis://:secret@h", RedisAddress("h", password="secret")),
        ("redis://bridge:secret@h", RedisAddress("h", username="bridge", password="secret")),
        ("redis://br%40dge:p%40ss%2Fw%23%3F%25rd@h", RedisAddress("h", username="br@dge", password="p@ss/w#?%rd")),
        ("redis://b:gr%C3%BC%C3%9F%20e@h", RedisAddress("h", username="b", password="grüß e")),
    ],
)
def test_parts(url: str, address: RedisAddress) -> None:
    parsed = parse_redis_url(url)
    assert parsed == address
    assert (parsed.username, parsed.password) == (address.username, address.password)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        f"http://u:{SECRET}@h",
        f"redis:///{SECRET}",
        "redis://",
        "redis://h:0",
        f"redis://u:{SECRET}@h:port",
        f"redis://u:{SECRET}@h:70000",
        f"redis://u:{SECRET}/x@h",
        f"redis://u:{SECRET}#x@h",
        f"redis://u:{SECRET}?x@h",
        f"redis://{SECRET}@h",
        f"redis://u:{SECRET}%ff@h",
        f"redis://u:{SECRET}@[::1",
        f"redis://u:{SECRET}@h/db",
        f"redis://u:{SECRET}@h/-1",
        f"redis://u:{SECRET}@h/99999999999",
        f"redis://u:{SECRET}@h/0?x=1",
    ],
)
def test_wrong_url_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(InvalidRedisUrl) as caught:
        parse_redis_url(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_neither_user_nor_password_is_shown() -> None:
    address = parse_redis_url(f"rediss://user-{SECRET}:{SECRET}@redis.example:6380")
    assert SECRET not in repr(address) + str(address)
    assert str(address) == "rediss://redis.example:6380"
    assert str(parse_redis_url("redis://[::1]")) == "redis://[::1]:6379"
