"""Traces of what is published and called, as router.json says them."""

from importlib.util import find_spec
from typing import Annotated, ClassVar

from msgspec import Meta

from wampgate.config.section import Check, Section
from wampgate.config.values import Role


def _no_library(_: object) -> str | None:
    """What is missing to export traces; None if nothing is."""
    try:
        found = find_spec("opentelemetry.sdk") and find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:
        found = None
    return None if found else "none of it"


class Tracing(Section, frozen=True, kw_only=True):
    """OpenTelemetry traces, exported by OTLP over HTTP.

    Attributes:
        endpoint: where they are exported to; null for what ``OTEL_EXPORTER_OTLP_ENDPOINT`` says, or
            ``http://localhost:4318/v1/traces``.
        service: the name by which the router appears in them.
        ratio: the share of messages that are traced, of those of which no trusted role decides.
        trusted_roles: roles whose own decision (the sampled flag of ``traceparent``) is followed.
    """

    checks: ClassVar[tuple[Check, ...]] = (
        Check(
            "service",
            ("service",),
            'the packages of OpenTelemetry to be installed (pip install "wampgate[tracing]")',
            _no_library,
        ),
    )

    endpoint: (
        Annotated[str, Meta(pattern=r"^https?://\S+$", description="a URL that begins with http:// or https://")] | None
    ) = None
    service: Annotated[str, Meta(min_length=1, description="a name")] = "wampgate"
    ratio: Annotated[float, Meta(ge=0, le=1, description="a number from 0 to 1")] = 0.01
    trusted_roles: Annotated[tuple[Role, ...], Meta(description="a list of roles")] = ()
