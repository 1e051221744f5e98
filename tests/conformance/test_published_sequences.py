"""The specification's own vectors for sequences of messages, played against a running router.

They are not part of this repository: see ``unit/wire/test_vectors.py`` for where they are looked for.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from conftest import rule, static_configuration
from raw_rawsocket import RawPeer
from raw_wamp import Peer
from router_process import RouterProcess
from unit.wire.test_vectors import VECTORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raw_wamp import Wamp

SEQUENCES: Final = sorted((VECTORS / "multisession").glob("*/*.json")) + sorted(
    (VECTORS / "singlesession").glob("*/*.json")
)

ELEMENTS: Final[dict[str, tuple[int, tuple[str, ...]]]] = {
    "SUBSCRIBE": (32, ("request_id", "options", "topic")),
    "SUBSCRIBED": (33, ("request_id", "subscription_id")),
    "PUBLISH": (16, ("request_id", "options", "topic")),
    "PUBLISHED": (17, ("request_id", "publication_id")),
    "EVENT": (36, ("subscription_id", "publication_id", "details")),
    "REGISTER": (64, ("request_id", "options", "procedure")),
    "REGISTERED": (65, ("request_id", "registration_id")),
    "CALL": (48, ("request_id", "options", "procedure")),
    "INVOCATION": (68, ("request_id", "registration_id", "details")),
    "YIELD": (70, ("request_id", "options")),
    "RESULT": (50, ("request_id", "details")),
}
CHOSEN: Final = {"subscription_id", "publication_id", "registration_id"}
"""What the router chooses: the same name has the same number throughout."""


def wire(message: dict[str, Any], numbers: dict[tuple[str, int], int]) -> list[Any]:
    """A vector's message as the array that it is on the wire, with the numbers that the router has chosen."""
    code, names = ELEMENTS[message["type"]]
    elements = [
        numbers.get((name, message[name]), message[name]) if name in CHOSEN else message[name] for name in names
    ]
    payload = [message[name] for name in ("args", "kwargs") if name in message]
    return [code, *elements, *payload]


@pytest.fixture(scope="module")
def open_router() -> Iterator[RouterProcess]:
    """A router on which everyone may do everything that the vectors do."""
    configuration = static_configuration()
    actions = ("subscribe", "publish", "call", "register")
    configuration["realms"][0]["authorization"]["rules"].append(rule("guest", actions, "com.myapp.", "prefix"))
    with RouterProcess(configuration) as process:
        yield process


@pytest.fixture
def play(open_router: RouterProcess, serializer: str, transport: str) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Plays a sequence: says what clients say, and expects what the router is to say."""
    peers: dict[str, Wamp] = {}

    def play(vector: dict[str, Any]) -> None:
        for session in vector["sessions"]:
            opened = (RawPeer if transport == "rawsocket" else Peer)(open_router.port, serializer)
            roles: dict[str, Any] = {role: {} for role in session["roles"]}
            peers[session["session_id"]] = opened.join(realm=session["realm"], roles=roles)
        numbers: dict[tuple[str, int], int] = {}
        for step in vector["sequence"]:
            message = step["message"]
            if step["from"] != "router":
                peers[step["from"]].send(*wire(message, numbers))
                continue
            heard = peers[step["to"]].receive()
            _, names = ELEMENTS[message["type"]]
            for place, name in enumerate(names, 1):
                if name in CHOSEN:
                    numbers.setdefault((name, message[name]), heard[place])
            assert heard == wire(message, numbers), step["description"]
        for peer in peers.values():
            assert peer.events() == []

    yield play
    for peer in peers.values():
        peer.close()


def test_the_sequences_are_there() -> None:
    if not VECTORS.exists():
        pytest.skip(f"the specification's vectors are not at {VECTORS}: set WAMP_VECTORS to where they are")
    assert SEQUENCES


@pytest.mark.parametrize("path", SEQUENCES, ids=lambda path: path.stem)
def test_a_published_sequence(play: Callable[[dict[str, Any]], None], path: Any) -> None:
    play(json.loads(path.read_text()))
