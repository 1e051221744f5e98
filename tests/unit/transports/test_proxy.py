"""Who is behind a proxy: which word is believed, and whose it is, down to the last byte of a PROXY header."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.transports.proxy import (
    MAX_PROXY_HEADER,
    Client,
    ProxyHeaderError,
    TrustedProxies,
    looks_proxied,
    network_of,
    plain_host,
    proxy_header,
)

PROXY = Client("10.0.0.1", 40000)
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def behind(forwarded_for: str | None, *, peer: str = "10.0.0.1", trusted: tuple[str, ...] = ("10.0.0.0/8",)) -> str:
    return TrustedProxies(trusted).client(Client(peer, 1), forwarded_for, None).host


@pytest.mark.parametrize(
    ("forwarded_for", "host"),
    [
        (None, "10.0.0.1"),
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        # What a client claims of itself stands on the left.
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.9.9.9, 203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("198.51.100.1,203.0.113.7,10.0.0.3,10.0.0.2", "203.0.113.7"),
        # All are proxies: the outermost one asks for itself.
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        # Something else than an address ends at the proxy that wrote it.
        ("203.0.113.7, unknown", "10.0.0.1"),
        ("203.0.113.7, unknown, 10.0.0.2", "10.0.0.2"),
        ("", "10.0.0.1"),
        (",", "10.0.0.1"),
        ("203.0.113.7,", "10.0.0.1"),
        ("203.0.113.7, 1.2.3", "10.0.0.1"),
        ("203.0.113.7, ::1%\x1b[31m", "10.0.0.1"),
        ("203.0.113.7\x00", "10.0.0.1"),
        ("localhost", "10.0.0.1"),
        # With ports, as some write them, and IPv6 in its forms.
        ("203.0.113.7:5000", "203.0.113.7"),
        ("203.0.113.7:x", "10.0.0.1"),
        ("203.0.113.7:99999", "10.0.0.1"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("[2001:db8::7]:5000", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.7, ::ffff:10.0.0.2", "203.0.113.7"),
    ],
)
def test_the_rightmost_hop_that_is_no_trusted_proxy_is_the_client(forwarded_for: str | None, host: str) -> None:
    assert behind(forwarded_for) == host


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("127.0.0.1", ()),
        ("127.0.0.1", ("10.0.0.0/8",)),
        ("11.0.0.1", ("10.0.0.0/8",)),
        ("unix", ("10.0.0.0/8",)),
        ("10.0.0.1", ("unix",)),
        ("2001:db8::1", ("10.0.0.0/8", "2001:db9::/32")),
    ],
)
def test_nobody_else_is_believed(peer: str, trusted: tuple[str, ...]) -> None:
    assert behind("203.0.113.7", peer=peer, trusted=trusted) == peer
    assert TrustedProxies(trusted).client(Client(peer, 1), "203.0.113.7", "https") == Client(peer, 1)


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("unix", ("unix",)),
        ("2001:db8::1", ("2001:db8::/32",)),
        ("fe80::1%eth0", ("fe80::/10",)),
        ("10.0.0.1", ("10.0.0.1",)),
    ],
)
def test_who_is_named_is_believed(peer: str, trusted: tuple[str, ...]) -> None:
    assert behind("203.0.113.7", peer=peer, trusted=trusted) == "203.0.113.7"


@pytest.mark.parametrize(
    ("proto", "secure"),
    [
        (None, None),
        ("https", True),
        ("HTTPS", True),
        ("wss", True),
        ("http", False),
        ("https, http", False),
        ("", False),
    ],
)
def test_the_scheme_is_the_nearest_proxys_word(proto: str | None, secure: bool | None) -> None:
    assert TrustedProxies(["10.0.0.0/8"]).client(PROXY, "203.0.113.7", proto).secure is secure


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_header_makes_it_stumble(forwarded_for: str, proto: str) -> None:
    client = TrustedProxies(["10.0.0.0/8"]).client(PROXY, forwarded_for, proto)
    # What comes out is an address, whatever went in: it may stand in a log.
    assert plain_host(client.host) == client.host
    assert client.host.isascii()
    assert client.host.isprintable()


# --- the PROXY protocol ---


def v2(command: int = 0x21, family: int = 0x11, body: bytes | None = None) -> bytes:
    if body is None:
        body = socket.inet_aton("203.0.113.7") + socket.inet_aton("10.0.0.1") + struct.pack("!HH", 5000, 443)
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


IPV6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2 + struct.pack("!HH", 5000, 443)
MAPPED = socket.inet_pton(socket.AF_INET6, "::ffff:203.0.113.7") * 2 + struct.pack("!HH", 5000, 443)


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (b"PROXY TCP4 203.0.113.7 10.0.0.1 5000 443\r\n", Client("203.0.113.7", 5000)),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 5000 443\r\n", Client("2001:db8::7", 5000)),
        (b"PROXY TCP6 ::ffff:203.0.113.7 ::1 5000 443\r\n", Client("203.0.113.7", 5000)),
        (b"PROXY UNKNOWN\r\n", PROXY),
        (b"PROXY UNKNOWN ffff:f:f:f ::1 1 2\r\n", PROXY),
        (v2(), Client("203.0.113.7", 5000)),
        (v2(family=0x12), Client("203.0.113.7", 5000)),
        (v2(family=0x21, body=IPV6), Client("2001:db8::7", 5000)),
        (v2(family=0x21, body=MAPPED), Client("203.0.113.7", 5000)),
        (v2(body=v2()[16:] + b"\x04\x00\x01x" * 20), Client("203.0.113.7", 5000)),
        (v2(command=0x20), PROXY),
        (v2(command=0x20, body=b""), PROXY),
        (v2(family=0x00, body=b""), PROXY),
        (v2(family=0x31, body=b"/" * 216), PROXY),
    ],
    ids=repr,
)
def test_a_header_tells_who_is_there(header: bytes, client: Client) -> None:
    assert proxy_header(header + b"GET /", PROXY) == (client, len(header))
    # However it is cut: nothing is decided before it is there, and nothing refused.
    for end in range(len(header)):
        assert proxy_header(header[:end], PROXY) is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET /ws HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\n",
        b"P\r\n",
        b"PROXY\r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP5 203.0.113.7 10.0.0.1 5000 443\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 5000\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 99999 443\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 -1 443\r\n",
        b"PROXY TCP4 evil.example 10.0.0.1 5000 443\r\n",
        b"PROXY TCP4 203.0.113.7  10.0.0.1 5000 443\r\n",
        b"PROXY TCP6 ::1%\x1b[31m ::1 5000 443\r\n",
        b"PROXY TCP4 " + b"1" * 100,
        b"\r\n\r\n\0\r\nQUIT\r\0\0\0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        v2(command=0x11),
        v2(command=0x22),
        v2(body=b"short"),
        v2(family=0x21),
        SIGNATURE + struct.pack("!BBH", 0x21, 0x11, MAX_PROXY_HEADER),
        SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 0xFFFF),
    ],
    ids=repr,
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        proxy_header(data, PROXY)


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(lambda data: SIGNATURE + data)))
def test_no_bytes_make_it_stumble(data: bytes) -> None:
    try:
        found = proxy_header(data, PROXY)
    except ProxyHeaderError:
        return
    assert found is None or found[1] <= len(data)


def test_a_header_where_none_is_expected_is_recognized() -> None:
    assert looks_proxied(v2())
    assert looks_proxied(b"PROXY TCP4 203.0.113.7 10.0.0.1 5000 443\r\n")
    assert not looks_proxied(b"PRI * HTTP/2.0\r\n")


@pytest.mark.parametrize(
    ("host", "bits", "network"),
    [
        ("203.0.113.7", 64, "203.0.113.7"),
        ("203.0.113.7", 16, "203.0.113.7"),
        ("unix", 64, "unix"),
        ("2001:db8::7", 64, "2001:db8::/64"),
        ("2001:db8:0:0:ffff:ffff:ffff:ffff", 64, "2001:db8::/64"),
        ("2001:db8:0:1::7", 64, "2001:db8:0:1::/64"),
        ("2001:db8:0:1::7", 48, "2001:db8::/48"),
        ("2001:db8::7", 128, "2001:db8::7"),
        ("::1", 64, "::/64"),
        ("fe80::1%eth0", 64, "fe80::/64"),
    ],
)
def test_what_limits_count_by(host: str, bits: int, network: str) -> None:
    assert network_of(host, bits) == network


def test_an_ipv4_address_in_ipv6_counts_as_what_it_is() -> None:
    assert network_of(plain_host("::ffff:203.0.113.7")) == "203.0.113.7"
    assert network_of("::ffff:203.0.113.7") == "203.0.113.7"
