"""Which texts are host names, origins, endpoints, URLs, names, queries and templates."""

import pytest

from wampgate.config import formats, templates
from wampgate.transports.proxy import TrustedProxies


@pytest.mark.parametrize(
    "text",
    ["localhost", "news.example.org", "news.example.org:8443", "10.0.0.1", "[::1]", "[2001:db8::1]:80", "my_service"],
)
def test_hosts(text):
    assert formats.is_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.example.org",
        "Example.org",
        "example.org.",
        "a..b",
        "-a",
        "a-",
        "a:0",
        "a:65536",
        "a:",
        "::1",
        "[::g]",
        "[1]",
        "https://a",
        "a/b",
        "a b",
        "a\n",
        "a" * 64,
        ".".join(["abcdefg"] * 40),
        "münchen.example",
        "a:٣",
    ],
)
def test_no_hosts(text):
    assert not formats.is_host(text)


@pytest.mark.parametrize(
    "text",
    ["https://app.example.org", "http://localhost:3000", "https://[::1]:8443", "capacitor://localhost", "http://a:443"],
)
def test_origins(text):
    assert formats.is_origin(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "null",
        "app.example.org",
        "https://app.example.org/",
        "https://app.example.org:443",
        "http://a:80",
        "HTTPS://a",
        "https://A",
        "https://a/b",
        "https://user@a",
        "https://",
        "https://*.a",
    ],
)
def test_no_origins(text):
    assert not formats.is_origin(text)


@pytest.mark.parametrize(
    "text",
    [
        "tcp:8080",
        "tcp:0",
        "tcp:port=8080",
        "tcp:interface=127.0.0.1:port=80",
        r"tcp:8080:interface=\:\:1",
        "unix:/run/x.sock",
        "ssl:443:privateKey=k.pem:certKey=c.pem",
        "systemd:domain=INET:index=0",
        "haproxy:tcp:8080",
        "tls:/etc/certs",
    ],
)
def test_endpoints(text):
    assert formats.is_endpoint(text)


@pytest.mark.parametrize(
    "text", ["", "8080", "tcp", "tcp:", "tcp:http", "tcp:65536", "TCP:80", "tcp:port=x", ":80", "ssl:x"]
)
def test_no_endpoints(text):
    assert not formats.is_endpoint(text)


@pytest.mark.parametrize("text", ["10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "::1", "2001:db8::/32", "unix"])
def test_proxies(text):
    assert formats.is_proxy(text)
    assert TrustedProxies([text]) is not None


@pytest.mark.parametrize(
    "text",
    ["", "*", "proxy.example.org", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "UNIX", "fe80::1%eth0", "10.0.0.0/8 ", "7"],
)
def test_no_proxies(text):
    assert not formats.is_proxy(text)


@pytest.mark.parametrize(
    "text",
    [
        "redis://localhost",
        "redis://localhost:6379/0",
        "rediss://user:p%40ss@redis.example.org:6380/15",
        "redis://:pw@[::1]:1/",
    ],
)
def test_redis_urls(text):
    assert formats.is_redis_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "redis://",
        "redis:///0",
        "http://localhost",
        "redis://h:x",
        "redis://h:70000",
        "redis://h:0",
        "redis://h/a",
        "redis://h/0/1",
        "redis://h?db=1",
        "redis://h#1",
        "redis://u:p#w@h",
        "redis://u@h",
        "redis://u:%ff@h",
        "redis://u:p@[h",
        "redis://h\n",
        "redis://h /",
    ],
)
def test_no_redis_urls(text):
    assert not formats.is_redis_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://login.example.org/.well-known/jwks.json",
        "https://login.example.org:8443/keys?version=2",
        "https://10.0.0.1/keys",
        "https://[2001:db8::1]/keys",
        "http://localhost:8080/keys",
        "http://127.0.0.1/keys",
        "http://[::1]:80/keys",
    ],
)
def test_urls_of_keys(text):
    assert formats.is_keys_url(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "keys.json",
        "https://",
        "https:///keys",
        "http://login.example.org/keys",
        "http://10.0.0.1/keys",
        "http://localhost.example/keys",
        "http://127.0.0.1.example/keys",
        "http://user@localhost/keys",
        "https://user:password@login.example.org/keys",
        "https://login.example.org/keys#1",
        "https://login.example.org/a b",
        "https://login.example.org/\n",
        "https://login.example.org\\@evil.example/",
        "https://login_.example.org/keys",
        "https://login.example.org:0/keys",
        "https://login.example.org:70000/keys",
        "https://l\u00f6gin.example.org/keys",
        "file:///etc/passwd",
        "ftp://login.example.org/keys",
    ],
)
def test_no_urls_of_keys(text):
    assert not formats.is_keys_url(text)


@pytest.mark.parametrize(("text", "accepted"), [("sub", True), ("https://a/b c", True), ("", False), ("a\n", False)])
def test_claims(text, accepted):
    assert formats.is_claim_text(text) is accepted


@pytest.mark.parametrize("text", ["postgresql://h/d", "postgres://h", "host=x dbname=y", " service = main", "dbname=y"])
def test_postgres_dsns(text):
    assert formats.is_postgres_dsn(text)


@pytest.mark.parametrize("text", ["", "localhost", "mysql://h", "=x"])
def test_no_postgres_dsns(text):
    assert not formats.is_postgres_dsn(text)


@pytest.mark.parametrize("text", ["member", "Member-2", "a.b:c_d", "7", "wampgates"])
def test_roles(text):
    assert formats.is_role(text)


@pytest.mark.parametrize("text", ["", "a b", "-a", "wampgate", "wampgate.bridge", "a" * 65, "rôle", "a\n"])
def test_no_roles(text):
    assert not formats.is_role(text)


@pytest.mark.parametrize("text", ["backend", "7", "jürgen@example.org", "a/b"])
def test_authids(text):
    assert formats.is_authid(text)


@pytest.mark.parametrize("text", ["", "a b", "a\n", "a\x1b", "wampgate", "wampgate.x", "a" * 129, "\u202e"])
def test_no_authids(text):
    assert not formats.is_authid(text)


@pytest.mark.parametrize("text", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+1"])
def test_time_zones(text):
    assert formats.is_time_zone(text)


@pytest.mark.parametrize("text", ["", "UTC'", "a b", "/etc", "a/b/c/d", "A" * 65])
def test_no_time_zones(text):
    assert not formats.is_time_zone(text)


@pytest.mark.parametrize(
    ("zone", "known"), [("UTC", True), ("Etc/UTC", True), ("Mars/Olympus", False), ("../x", False)]
)
def test_known_time_zones(zone, known):
    assert formats.is_known_time_zone(zone) is known


@pytest.mark.parametrize(
    ("query", "accepted"),
    [
        ("WHERE t = :token", True),
        ("WHERE t = :token OR u = :token", True),
        ("WHERE t = :token AND x = 'it''s :not a :parameter'", True),
        ("WHERE t = :token AND x = :other", False),
        ("WHERE t = :token AND f(x, :timezone) > 0", True),
        ("WHERE t = :timezone", False),
        ("WHERE t = ?", False),
        ("WHERE t = :token AND x = ?", False),
        ("WHERE t = ':token'", False),
        ("WHERE t = :tokens", False),
        ("", False),
    ],
)
def test_sqlite_queries(query, accepted):
    assert formats.sqlite_query_of("token")(query) is accepted


@pytest.mark.parametrize(
    ("query", "accepted"),
    [
        ("WHERE t = %(token)s", True),
        ("WHERE t = %(token)s::text AND u LIKE 'a%%'", True),
        ("WHERE t = %(token)s AND u LIKE 'a%'", False),
        ("WHERE t = %(token)s AND f(x, %(timezone)s) > 0", True),
        ("WHERE t = %(timezone)s", False),
        ("WHERE t = %s", False),
        ("WHERE t = %%(token)s", False),
        ("WHERE t = %(token)d", False),
        ("", False),
    ],
)
def test_postgres_queries(query, accepted):
    assert formats.postgres_query_of("token")(query) is accepted


@pytest.mark.parametrize(
    "template", ["channel.{organization}", "{organization}", "a{b}c", "{a}-{b}", "{organization}/{kind}", "x y"]
)
def test_sources(template):
    assert templates.is_source(template)


@pytest.mark.parametrize(
    "template",
    ["", "{", "}", "{}", "{A}", "{a b}", "{a}{b}", "{a}.{a}", "{{a}}", "{1}", "{organization}-{kind}", "{é}"],
)
def test_no_sources(template):
    assert not templates.is_source(template)


@pytest.mark.parametrize("template", ["organization.{organization}", "a", "a.{b}.c.{d}", "news.{organization}.wamp"])
def test_topics(template):
    assert templates.is_topic(template)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "{organization}",
        "{a}.b",
        "a.x{b}",
        "a.{b}x",
        "a..{b}",
        "a.{b}.",
        "a.{b c}",
        "a b.{c}",
        "wamp.{a}",
        "wampgate",
        "a.{b}.{b}",
        "a.{b}{c}",
        "a.{b",
        "a#.{b}",
    ],
)
def test_no_topics(template):
    assert not templates.is_topic(template)
