"""Where connections are taken, and what is served there."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from wampgate.config.credentials import ClientCertificates
from wampgate.config.formats import endpoint_kind
from wampgate.config.section import Check, Section
from wampgate.config.values import Endpoint


class Listen(Section, frozen=True, kw_only=True):
    """Where connections are taken.

    Attributes:
        endpoint: a Twisted server endpoint: ``tcp:``, ``ssl:``, ``unix:``,
            ``systemd:`` and what else is installed. Paths in it are relative to
            the working directory.
        proxy_protocol: whether a trusted proxy stands before it that begins each
            connection with a PROXY protocol header (version 1 or 2).
        client_certificates: null, or whose certificates clients of an ``ssl:`` endpoint may show.
        reuse_port: whether another process may listen on the same port, such as the router that is to take this one's
            place (SO_REUSEPORT); ``docs/operating.md``.
        serves: any of ``wamp`` (WebSockets at ``/ws``, and RawSocket), ``page`` and ``backend`` (HTTP for
            backends: ``docs/http.md``); ``/health/live`` is answered everywhere.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "proxy_protocol",
            ("endpoint", "proxy_protocol"),
            "false with an ssl: endpoint, where the PROXY protocol header would come before TLS",
            lambda endpoint, proxied: "true" if proxied and endpoint_kind(endpoint) == "ssl" else None,
        ),
        Check(
            "endpoint",
            ("endpoint",),
            "an endpoint without haproxy:, which believes everyone; set proxy_protocol beside the endpoint itself",
            lambda endpoint: "haproxy:" if endpoint_kind(endpoint) == "haproxy" else None,
        ),
        Check(
            "reuse_port",
            ("endpoint", "reuse_port"),
            "false, or an endpoint of kind tcp: or ssl:",
            lambda endpoint, shares: (
                f"true with an endpoint of kind {endpoint_kind(endpoint)}"
                if shares and endpoint_kind(endpoint) not in ("tcp", "ssl")
                else None
            ),
        ),
        Check(
            "serves",
            ("serves",),
            "each thing once",
            lambda serves: None if len(set(serves)) == len(serves) else "one twice",
        ),
        Check(
            "client_certificates",
            ("endpoint", "client_certificates"),
            "null, or an ssl: endpoint beside it",
            lambda endpoint, section: (
                f"an endpoint of kind {endpoint_kind(endpoint)}"
                if section and endpoint_kind(endpoint) != "ssl"
                else None
            ),
        ),
    )

    endpoint: Endpoint
    proxy_protocol: bool = False
    client_certificates: ClientCertificates | None = None
    reuse_port: bool = False
    serves: Annotated[
        tuple[Literal["wamp", "page", "backend"], ...],
        Meta(min_length=1, description='a list of at least one of "wamp", "page" and "backend"'),
    ] = ("wamp", "page")
