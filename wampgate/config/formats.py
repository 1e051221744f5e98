"""Which texts router.json accepts where a type alone does not say it: host names, origins, endpoints, queries."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"(?P<name>{_LABEL}(?:\.{_LABEL})*|\[(?P<ipv6>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{{1,5}}))?")
_ORIGIN: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[^/]+)")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_ROLE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}", re.ASCII)
_BRIDGE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}", re.ASCII)
_UNESCAPED_COLON: Final = re.compile(r"(?<!\\):")
_REDIS_PATH: Final = re.compile(r"(?:/[0-9]{0,9})?", re.ASCII)
_SQL_LITERAL: Final = re.compile(r"'(?:[^']|'')*'")
_CONTROL_OR_SPACE: Final = re.compile(r"[\s\x00-\x20\x7f]")


def is_host(text: str) -> bool:
    """Whether a text is what a ``Host`` header holds, in lower case: a name or address, with or without port."""
    match = _HOST.fullmatch(text)
    if match is None or len(match["name"]) > 253:
        return False
    if match["ipv6"] is not None and not _is_ipv6(match["ipv6"]):
        return False
    return match["port"] is None or _is_port(match["port"], least=1)


def is_origin(text: str) -> bool:
    """Whether a text is what a browser puts into ``Origin``: scheme, host, and any port but the scheme's own."""
    match = _ORIGIN.fullmatch(text)
    if match is None or not is_host(match["host"]):
        return False
    default = _DEFAULT_PORTS.get(match["scheme"])
    return default is None or not match["host"].endswith(default)


def is_endpoint(text: str) -> bool:
    """Whether a text has the form of a Twisted server endpoint: ``kind:argument:…``, with a port for tcp and ssl.

    Which kinds there are depends on what is installed, so only listening can tell.
    """
    kind, *arguments = _UNESCAPED_COLON.split(text)
    if not re.fullmatch(r"[a-z][a-z0-9]*", kind) or not arguments or not arguments[0]:
        return False
    if kind not in ("tcp", "ssl"):
        return True
    named = (argument.removeprefix("port=") for argument in arguments if argument.startswith("port="))
    return _is_port(next(named, arguments[0]), least=0)


def is_proxy(text: str) -> bool:
    """Whether a text names peers that may be proxies: an address, a network without host bits, or ``unix``."""
    try:
        return text == "unix" or ("%" not in text and bool(ip_network(text)))
    except ValueError:
        return False


def endpoint_kind(endpoint: str) -> str:
    """The first word of a Twisted server endpoint, such as ``tcp``, ``ssl`` or ``unix``."""
    return _UNESCAPED_COLON.split(endpoint)[0]


def is_private_endpoint(endpoint: str) -> bool:
    """Whether nothing but this machine can reach a Twisted server endpoint, by its text: loopback, or a Unix socket."""
    kind, *arguments = _UNESCAPED_COLON.split(endpoint)
    if kind == "unix":
        return True
    interfaces = [argument.partition("=")[2] for argument in arguments if argument.startswith("interface=")]
    return kind in ("tcp", "ssl") and bool(interfaces) and _is_loopback(interfaces[-1].replace("\\:", ":"))


def is_redis_url(text: str) -> bool:
    """Whether a text is ``redis://`` or ``rediss://``, with host, and optionally user, password, port and database.

    A user is not named without a password; both are percent-encoded UTF-8.
    """
    if _CONTROL_OR_SPACE.search(text) or "?" in text or "#" in text:
        return False
    try:
        url = urlsplit(text)
        port = url.port
        user, password = (unquote(part or "", errors="strict") for part in (url.username, url.password))
    except ValueError:
        return False
    named = bool(url.hostname) and (port is None or port > 0) and (not user or bool(password))
    return url.scheme in ("redis", "rediss") and named and _REDIS_PATH.fullmatch(url.path) is not None


def is_keys_url(text: str) -> bool:
    """Whether a text is an ``https://`` URL, or an ``http://`` one of this machine, in ASCII and without a password."""
    if not text.isascii() or _CONTROL_OR_SPACE.search(text) or "#" in text or "\\" in text:
        return False
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        return False
    # A host name may hold "_", but no certificate is made for it.
    if not host or port == 0 or "_" in host or not is_host(url.netloc.lower()):
        return False
    return url.scheme == "https" or (url.scheme == "http" and _is_loopback(host))


def is_open_origin(origin: str) -> bool:
    """Whether an origin's pages come unencrypted, and not from this machine."""
    url = urlsplit(origin)
    return url.scheme == "http" and not _is_loopback(url.hostname or "")


def is_claim_text(text: str) -> bool:
    """Whether a text can be what a claim is called or says."""
    return 0 < len(text) <= 256 and text.isprintable()


def is_postgres_dsn(text: str) -> bool:
    """Whether a text has one of libpq's two forms: a URL, or ``key=value`` pairs."""
    return text.startswith(("postgresql://", "postgres://")) or re.match(r"\s*[a-z_]+\s*=", text) is not None


def is_role(text: str) -> bool:
    """Whether a text is a role's name. ``wampgate`` and what begins with ``wampgate.`` are the router's own."""
    return _ROLE.fullmatch(text) is not None and not _is_the_routers(text)


def is_authid(text: str) -> bool:
    """Whether a text is a principal's authid. ``wampgate`` and what begins with ``wampgate.`` are the router's own."""
    return 0 < len(text) <= 128 and text.isprintable() and " " not in text and not _is_the_routers(text)


def is_bridge_name(text: str) -> bool:
    """Whether a text names a bridge, in logs and metrics."""
    return _BRIDGE.fullmatch(text) is not None


def is_sha256(text: str) -> bool:
    """Whether a text is a SHA-256 in lower-case hexadecimal."""
    return _SHA256.fullmatch(text) is not None


def is_time_zone(text: str) -> bool:
    """Whether a text has the form of a time zone's name; the database knows which there are."""
    return len(text) <= 64 and _ZONE.fullmatch(text) is not None


def is_known_time_zone(text: str) -> bool:
    """Whether a text names a time zone that this machine knows; UTC needs no database of zones."""
    if text in ("UTC", "Etc/UTC"):
        return True
    try:
        return is_time_zone(text) and bool(ZoneInfo(text).key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def postgres_query_of(*parameters: str) -> Callable[[str], bool]:
    """Whether a query names each ``%(parameter)s``, maybe ``%(timezone)s``, and nothing else by a percent sign.

    ``%%`` is a literal percent sign.
    """

    def accepts(query: str) -> bool:
        rest = query.replace("%%", "").replace("%(timezone)s", "")
        named = [f"%({parameter})s" for parameter in parameters]
        missing = [name for name in named if name not in rest]
        for name in named:
            rest = rest.replace(name, "")
        return not missing and "%" not in rest

    return accepts


def sqlite_query_of(parameter: str) -> Callable[[str], bool]:
    """Whether a query names ``:parameter``, maybe ``:timezone``, and no other parameter outside its literals."""

    def accepts(query: str) -> bool:
        rest = _SQL_LITERAL.sub("''", query)
        named = set(re.findall(r"(?<![\w:]):(\w+)", rest))
        return named - {"timezone"} == {parameter} and "?" not in rest

    return accepts


def _is_the_routers(name: str) -> bool:
    return name == "wampgate" or name.startswith("wampgate.")


def _is_port(text: str, *, least: int) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) is not None and least <= int(text) <= 65535


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True
