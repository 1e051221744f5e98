"""Where a Postgres is: what its DSN says, with host names resolved without blocking and secrets kept out of texts."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

import psycopg2.extensions
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IResolutionReceiver
from zope.interface import implementer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from twisted.internet.base import ReactorBase
    from twisted.internet.interfaces import IAddress, IHostResolution

SECRETS: Final = ("password", "sslpassword")

# Not the database's business, and the first of them may block while libpq looks for a Kerberos ticket.
_DEFAULTS: Final = {"gssencmode": "disable", "client_encoding": "UTF8", "fallback_application_name": "wampgate"}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class PostgresAddress:
    """A DSN, read once.

    Args:
        dsn: libpq's ``host=… dbname=…`` or ``postgresql://…``; what it lacks, libpq takes from
            the environment (``PGHOST``, ``PGPASSWORD``, …).

    Raises:
        ValueError: libpq can't read it. The text does not repeat it, since it holds a password.
    """

    def __init__(self, dsn: str) -> None:
        self._given = _parse(dsn)
        hosts = self._given.get("host") or os.environ.get("PGHOST", "")
        if any("@" in host[1:] for host in hosts.split(",")):
            raise ValueError("the host in the Postgres DSN holds an '@': in a password, write it as %40")
        self._hosts = hosts.split(",")
        self._ports = (self._given.get("port") or os.environ.get("PGPORT", "")).split(",")
        if len(self._ports) not in (1, len(self._hosts)):
            raise ValueError("the Postgres DSN names more ports than one, but not one per host")

    def __str__(self) -> str:
        """For the log: host, port and database."""
        database = self._given.get("dbname") or os.environ.get("PGDATABASE") or "(default)"
        return f"{','.join(self._hosts) or '(default)'}:{','.join(self._ports) or '5432'}/{database}"

    def __repr__(self) -> str:
        return f"<PostgresAddress {self}>"

    async def parameters(self, addresses_of: Callable[[str], Deferred[list[str]]], rotation: int) -> dict[str, str]:
        """What to connect with: as given, and ``hostaddr`` beside ``host`` so that libpq resolves nothing.

        ``host`` stays, since TLS compares the certificate with it. A name of several
        addresses is written once for each.

        Args:
            addresses_of: resolves a host name; an empty list if it can't.
            rotation: start with the address of this number, counted round: libpq waits for
                a silent one for ever, so the next attempt has to begin with another.

        Raises:
            LookupError: no host name could be resolved; says which.
        """
        if not self._needs_resolution():
            return _DEFAULTS | self._given
        targets = []
        for host, port in zip(self._hosts, self._ports * (len(self._hosts) // len(self._ports)), strict=True):
            targets += [(host, address, port) for address in await self._addresses(host, addresses_of)]
        if not targets:
            raise LookupError(f"the host name {','.join(self._hosts)} can't be resolved")
        first = rotation % len(targets)
        hosts, addresses, ports = zip(*targets[first:], *targets[:first], strict=True)
        there = {"host": ",".join(hosts), "hostaddr": ",".join(addresses), "port": ",".join(ports)}
        return _DEFAULTS | self._given | there

    def _needs_resolution(self) -> bool:
        """False where libpq is told the address, connects to a local socket, or reads a service file."""
        told = ("hostaddr", "service")
        return (
            any(self._hosts)
            and not any(key in self._given for key in told)
            and not any(f"PG{key.upper()}" in os.environ for key in told)
        )

    @staticmethod
    async def _addresses(host: str, addresses_of: Callable[[str], Deferred[list[str]]]) -> Iterable[str]:
        if not host or host[0] in "/@":
            return [""]
        return [host] if isIPAddress(host) or isIPv6Address(host) else await addresses_of(host)

    def redacted(self, text: str) -> str:
        """A text of libpq's as one line without control characters and without the DSN's secrets."""
        text = _CONTROL.sub(" ", text).strip()
        for secret in filter(None, (self._given.get(key) for key in SECRETS)):
            text = text.replace(secret, "***").replace(quote(secret, safe=""), "***")
        return text


def _parse(dsn: str) -> dict[str, str]:
    unreadable = ValueError("the Postgres DSN can't be read: expected 'host=… dbname=…' or 'postgresql://…'")
    if "\x00" in dsn:  # where C stops reading
        raise unreadable
    try:
        return cast("dict[str, str]", psycopg2.extensions.parse_dsn(dsn))
    except (psycopg2.Error, ValueError):  # a ValueError for a lone surrogate
        raise unreadable from None


class HostNames:
    """Resolves host names in the reactor's way; of each name at most one resolution is under way.

    A dead DNS server holds a thread for half a minute. Were each attempt to begin
    another resolution, the reactor's few threads would soon all be held.
    """

    def __init__(self, reactor: ReactorBase) -> None:
        self._reactor = reactor
        self._waiting: dict[str, list[Deferred[list[str]]]] = {}

    def addresses_of(self, name: str) -> Deferred[list[str]]:
        """A name's IP addresses, in the resolver's order; an empty list if it has none."""
        waiter: Deferred[list[str]] = Deferred()
        if name in self._waiting:
            self._waiting[name].append(waiter)
        else:
            self._waiting[name] = [waiter]
            receiver = _Addresses(lambda addresses: self._resolved(name, addresses))
            # zope's interfaces mean nothing to mypy: it takes "self" for the first argument.
            resolver: Any = self._reactor.nameResolver
            resolver.resolveHostName(receiver, name)
        return waiter

    def _resolved(self, name: str, addresses: list[str]) -> None:
        for waiter in self._waiting.pop(name):
            if not waiter.called:
                waiter.callback(addresses)


@implementer(IResolutionReceiver)
class _Addresses:
    """Collects what the resolver finds."""

    def __init__(self, complete: Callable[[list[str]], None]) -> None:
        self._complete = complete
        self._found: dict[str, None] = {}

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:  # noqa: N802, N803 - Twisted's names
        """Nothing to do."""

    def addressResolved(self, address: IAddress) -> None:  # noqa: N802 - Twisted's name
        """Remember one."""
        host: Any = getattr(address, "host", None)
        if isinstance(host, str):
            self._found[host] = None

    def resolutionComplete(self) -> None:  # noqa: N802 - Twisted's name
        """Hand them on."""
        self._complete(list(self._found))
