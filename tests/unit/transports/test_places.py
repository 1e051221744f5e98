"""Places for connections: how many there are of each kind, who is told, and that each comes back."""

from __future__ import annotations

from wampgate.transports.places import ConnectionLimits, Places


class Counted:
    """Places, and for whom there were none."""

    def __init__(self, **limits: int) -> None:
        self.full: list[tuple[str, str]] = []
        self.joined = 0
        self.places = Places(
            ConnectionLimits(**limits), lambda: self.joined, lambda host, limit: self.full.append((host, limit))
        )


def test_in_all() -> None:
    counted = Counted(total=2)
    assert [counted.places.enter("203.0.113.1") for _ in range(3)] == [True, True, False]
    assert counted.full == [("203.0.113.1", "connections")]
    counted.places.leave()
    assert counted.places.enter("203.0.113.2")
    assert not counted.places.enter("203.0.113.2")


def test_of_those_who_have_not_joined() -> None:
    counted = Counted(unauthenticated=1)
    assert counted.places.enter("203.0.113.1")
    assert not counted.places.enter("203.0.113.1")
    assert counted.full == [("203.0.113.1", "unauthenticated_connections")]
    counted.joined = 1
    assert counted.places.enter("203.0.113.1")
    assert not counted.places.enter("203.0.113.1")


def test_of_an_address() -> None:
    counted = Counted(per_address=1)
    assert counted.places.count("2001:db8::1") == "2001:db8::/64"
    assert counted.places.count("2001:db8::2") is None
    assert counted.full == [("2001:db8::2", "connections_per_address")]
    assert counted.places.count("2001:db8:0:1::1") is not None
    counted.places.uncount("2001:db8::/64")
    assert counted.places.count("2001:db8::2") == "2001:db8::/64"
    assert all(Counted(per_address=0).places.count("203.0.113.1") for _ in range(3))


def test_for_being_told_that_there_is_none() -> None:
    places = Counted().places
    assert [places.turn_away() for _ in range(66)] == [True] * 64 + [False] * 2
    places.gone()
    assert [places.turn_away() for _ in range(2)] == [True, False]
