"""Fixtures that several suites share, and a loud word at the end about whatever could not be tested here."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
import unit.core.profiles  # noqa: F401 - loads the Hypothesis profile for all tests
from raw_wamp import Peer
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

CLIENTS = ("alice", "bob", "carol")


def ticket_of(authid: str) -> str:
    """The ticket of a principal of :func:`static_configuration`."""
    return f"the-ticket-of-{authid}"


def principal(authid: str, role: str) -> dict[str, str]:
    return {"authid": authid, "role": role, "ticket_sha256": sha256(ticket_of(authid).encode()).hexdigest()}


def rule(role: str, actions: Sequence[str], uri: str, match: str = "exact", **more: Any) -> dict[str, Any]:
    return {"role": role, "actions": list(actions), "uri": uri, "match": match} | more


def static_configuration(*, limits: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """router.json without a store: alice, bob and carol may do everything below ``com.example.``.

    ``backend`` may publish to organizations, sessions without a name (``guest``) may subscribe below ``com.example.``.
    """
    every = ("subscribe", "publish", "call", "register")
    realm = {
        "name": "realm1",
        "authentication": {
            "ticket": {},
            "anonymous": {"role": "guest"},
            "principals": [*(principal(name, "client") for name in CLIENTS), principal("backend", "backend")],
        },
        "authorization": {
            "rules": [
                rule("client", every, "com.example.", "prefix"),
                rule("client", ["call"], "wampgate.publish"),
                rule("guest", ["subscribe"], "com.example.", "prefix"),
                rule("client", every, "com.example.secret.", "prefix", disclose="never"),
                rule("client", ["publish", "call"], "com.example.open.", "prefix", disclose="always"),
                rule("backend", ["publish", "subscribe"], "organization.", "prefix"),
                rule("backend", ["call"], "wampgate.publish"),
            ]
        },
    }
    return {
        "listen": [{"endpoint": "tcp:0:interface=127.0.0.1"}],
        "limits": limits or {},
        "realms": [realm],
    } | more


@pytest.fixture(scope="session")
def router() -> Iterator[RouterProcess]:
    """A router of static principals that tests share and leave as it was; it may not have logged a traceback."""
    with RouterProcess(static_configuration()) as process:
        yield process


@pytest.fixture(scope="session")
def demo() -> Iterator[RouterProcess]:
    """The demo, shared likewise."""
    with RouterProcess() as process:
        yield process


@pytest.fixture
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Peer]]:
    """Opens WebSockets, on the shared router if none is named, and closes them at the end."""
    peers: list[Peer] = []

    def connect(process: RouterProcess | None = None, serializer: str = "json", **more: Any) -> Peer:
        process = process or request.getfixturevalue("router")
        peer = Peer(process.port, serializer, **more)
        peers.append(peer)
        return peer

    yield connect
    for peer in peers:
        peer.close()


@pytest.fixture(scope="session")
def tickets() -> Callable[[str], str]:
    """The tickets of the shared router's principals."""
    return ticket_of


@pytest.fixture
def join(connect: Callable[..., Peer]) -> Callable[..., Peer]:
    """Opens sessions: of a principal of the shared router, or of whoever has the ticket that is given."""

    def join(
        who: str | None = "alice",
        serializer: str = "json",
        *,
        process: RouterProcess | None = None,
        ticket: str | None = None,
        realm: str = "realm1",
        hello: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Peer:
        ticket = ticket or (None if who is None else ticket_of(who))
        return connect(process, serializer, **more).join(ticket, realm=realm, **(hello or {}))

    return join


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in red what was skipped: a green run that tested half must not look like one that tested all."""
    reasons: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get("skipped", []):
        place, _, reason = report.longrepr if isinstance(report.longrepr, tuple) else (report.nodeid, 0, "")
        reasons.setdefault(reason.removeprefix("Skipped: "), []).append(place)
    if reasons:
        terminalreporter.section("NOT TESTED ON THIS MACHINE", red=True, bold=True)
    for reason, places in sorted(reasons.items()):
        terminalreporter.line(f"{len(places)} skipped: {reason}", red=True)
