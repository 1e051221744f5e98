"""The listener for operators: metrics, readiness, the status page, and what they do there."""

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta

from wampgate.config.formats import endpoint_kind, is_private_endpoint
from wampgate.config.section import Check, Section
from wampgate.config.values import Count, Endpoint

DEFAULT_ADMIN_ENDPOINT: Final = "tcp:8081:interface=127.0.0.1"
"""Loopback only, as all that an operator alone should see."""


def _exposed(endpoint: str, public: bool) -> str | None:
    """Why an endpoint may be reached from elsewhere; None where it may not, or was meant to."""
    if public or is_private_endpoint(endpoint):
        return None
    return f"{endpoint_kind(endpoint)}: without a loopback interface"


class Admin(Section, frozen=True, kw_only=True):
    """Where operators look and act: ``/metrics``, ``/health/ready``, the status page, WAMP at ``/ws``, HTTP calls.

    Attributes:
        endpoint: a Twisted server endpoint, as those of ``listen``. It has places for connections of its own, so that
            crowded public listeners keep no operator out.
        public: has to be true for an endpoint that others than this machine can reach: metrics and readiness are
            told to everyone who comes, without a login.
        metrics: whether ``/metrics`` is served, for Prometheus: ``docs/metrics.md``.
        status_page: whether the status page is served at ``/``. What it shows, a role's rules say: ``docs/status.md``.
        ready_without: any of ``stores`` and ``bridges``: what may be away while ``/health/ready`` says that the router
            should be given clients.
        connections: how many connections may be open there at once.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "endpoint",
            ("endpoint", "public"),
            "an endpoint of this machine alone (tcp: or ssl: with interface=127.0.0.1, or unix:), since metrics"
            " and status are told to everyone who comes; or public = true beside it, behind a firewall or a proxy",
            _exposed,
        ),
        Check(
            "ready_without",
            ("ready_without",),
            "each thing once",
            lambda names: None if len(set(names)) == len(names) else "one twice",
        ),
    )

    endpoint: Endpoint = DEFAULT_ADMIN_ENDPOINT
    public: bool = False
    metrics: bool = True
    status_page: bool = True
    ready_without: Annotated[
        tuple[Literal["stores", "bridges"], ...], Meta(description='a list of any of "stores" and "bridges"')
    ] = ()
    connections: Count = 256
