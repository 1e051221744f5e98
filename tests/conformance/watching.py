"""What the conformance suites of the meta API share: a router whose clients may use it, and listeners to its events."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from conftest import rule, static_configuration
from raw_wamp import CALL, ERROR, WampError

if TYPE_CHECKING:
    from raw_wamp import Wamp

ISO_8601 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def watched_configuration() -> dict[str, Any]:
    """router.json by which alice, bob and carol may use all of the meta API."""
    configuration = static_configuration()
    configuration["realms"][0]["authorization"]["rules"].append(
        rule("client", ["call", "subscribe"], "wamp.", "prefix")
    )
    return configuration


class Ears:
    """A session's subscriptions to meta events, and what it hears by them."""

    def __init__(self, peer: Wamp, *topics: str) -> None:
        self.peer = peer
        self._topic_by_subscription = {peer.subscribe(topic): topic for topic in topics}

    def heard(self) -> list[tuple[str, list[Any]]]:
        """The events up to now, without those that the shared router's other sessions cause."""
        return [(self._topic_by_subscription[event[1]], event[4]) for event in self.peer.events()]

    def heard_of(self, session: int) -> list[tuple[str, list[Any]]]:
        """Those about one session."""
        return [
            (topic, args)
            for topic, args in self.heard()
            if args[0] == session or (isinstance(args[0], dict) and args[0]["session"] == session)
        ]


def refused(peer: Wamp, procedure: str, *args: Any, **kwargs: Any) -> str:
    """The error of a call that has to fail."""
    with pytest.raises(WampError) as error:
        peer.call(procedure, list(args), kwargs)
    assert error.value.message[:2] == [ERROR, CALL]
    return error.value.uri


def without_created(details: dict[str, Any]) -> dict[str, Any]:
    """Details without the time, which has to be one."""
    assert ISO_8601.fullmatch(details["created"])
    return {key: value for key, value in details.items() if key != "created"}
