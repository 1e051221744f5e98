"""Whether what goes out to Redis would come in again: refused before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wampgate.config.bridges import RedisBridge
from wampgate.config.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wampgate.config.model import Configuration, Realm


def loops(configuration: Configuration) -> list[Problem]:
    """Every out rule whose channel an in rule of the same realm reads, on the same Redis."""
    return [
        problem
        for place, realm in enumerate(configuration.realms)
        for problem in _loops(("realms", place, "bridges"), realm)
    ]


def refuse_loops(source: str, configuration: Configuration) -> None:
    """See that nothing that goes out would come in again.

    Args:
        source: the configuration file's name.
        configuration: what it says.

    Raises:
        ConfigurationError: something would, with one line for each.
    """
    found = loops(configuration)
    if found:
        raise ConfigurationError(source, found)


def _loops(at: tuple[str | int, ...], realm: Realm) -> Iterator[Problem]:
    bridges = [(place, bridge) for place, bridge in enumerate(realm.bridges) if isinstance(bridge, RedisBridge)]
    if not any(bridge.out for _, bridge in bridges):
        return
    # The dialects are loaded only where something goes out: the start is to be quick.
    from wampgate.composition.channels import reads, same_redis  # noqa: PLC0415

    for place, sender in bridges:
        for number, rule in enumerate(sender.out):
            for reader in (bridge for _, bridge in bridges if same_redis(bridge, sender)):
                if reads(reader, rule):
                    yield Problem(
                        (*at, place, "out", number, "channel"),
                        f"expected a channel that no rule of this realm reads, got one that bridge {reader.name} reads",
                    )
