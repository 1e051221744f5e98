"""The conformance suites run over each serializer of the Basic Profile ("Serializers")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from raw_wamp import SERIALIZERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Peer


@pytest.fixture(params=SERIALIZERS)
def serializer(request: pytest.FixtureRequest) -> str:
    """The serializer of the session that is looked at."""
    return str(request.param)


@pytest.fixture
def alice(join: Callable[..., Peer], serializer: str) -> Peer:
    """A session in the serialization under test."""
    return join("alice", serializer)


@pytest.fixture
def bob(join: Callable[..., Peer], serializer: str) -> Peer:
    """Another one."""
    return join("bob", serializer)


@pytest.fixture
def carol(join: Callable[..., Peer]) -> Peer:
    """A third one, in JSON whatever the others speak."""
    return join("carol")
