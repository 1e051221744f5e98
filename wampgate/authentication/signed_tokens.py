"""Puts together what reading signed tokens takes: the keys, what a token has to say, and the deny list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wampgate.authentication.deny_list import DenyList
from wampgate.authentication.jwt import JwtTokens
from wampgate.authentication.key_download import KeyDownload
from wampgate.authentication.key_source import FileKeys, FixedKeys, UrlKeys
from wampgate.authentication.keys import UnusableKeys, secret_key
from wampgate.tls import trust_root_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from twisted.internet.base import ReactorBase

    from wampgate.authentication.jwt import Expected
    from wampgate.authentication.key_source import KeySource
    from wampgate.authentication.keys import KeySet


@dataclass(frozen=True, slots=True)
class SignedTokenReader:
    """What was put together.

    Attributes:
        tokens: reads them.
        url_keys: keys to be fetched when the router starts; None if there are none to fetch.
        deny_list: to be watched; None without one.
    """

    tokens: JwtTokens
    url_keys: UrlKeys | None
    deny_list: DenyList | None


def make_reader(
    reactor: ReactorBase,
    *,
    keys_file: Path | None = None,
    keys_url: str | None = None,
    secret: str | None = None,
    ca_file: Path | None = None,
    expected: Expected,
    denied_file: Path | None = None,
    now: Callable[[], float],
) -> SignedTokenReader:
    """A reader of signed tokens.

    Args:
        reactor: Twisted's.
        keys_file: a JWK set, or a public key in PEM; this, ``keys_url`` or ``secret``.
        keys_url: where a JWK set is published.
        secret: what issuer and router share.
        ca_file: PEM certificates to trust for ``keys_url``; None for the platform's.
        expected: what a token has to say.
        denied_file: the deny list; None for none.
        now: the monotonic clock, in seconds.

    Raises:
        ValueError: a file, a host or the secret can't be used; says which and why, without the secret.
    """
    deny_list = None if denied_file is None else DenyList(denied_file)
    if keys_url is not None:
        download = KeyDownload(reactor, keys_url, trust_root_of(None if ca_file is None else str(ca_file)))
        url_keys = UrlKeys(keys_url, download, now)
        return SignedTokenReader(JwtTokens(url_keys, expected, deny_list), url_keys, deny_list)
    keys: KeySource = FileKeys(keys_file, now) if keys_file is not None else FixedKeys(_secret_keys(secret or ""))
    return SignedTokenReader(JwtTokens(keys, expected, deny_list), None, deny_list)


def _secret_keys(secret: str) -> KeySet:
    try:
        return secret_key(secret)
    except UnusableKeys as error:
        raise ValueError(f"authentication.ticket.jwt.secret can't be used: {error}") from None
