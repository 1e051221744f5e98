"""A mistake of the router's own in the midst of a reload: nothing has changed, and the operator may try again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from unit.composition.test_judging import configuration
from unit.composition.test_there_and_back import started

from wampgate.composition.reload import Reloadable, Reloading
from wampgate.config.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.config.errors import Problem

REALM = {"name": "realm1", "authentication": {"anonymous": {}}}


def silent(**more: Any) -> Any:
    """A configuration that listens nowhere."""
    return replace(configuration(REALM, **more), listen=())


class Stumbling:
    """A part of the router that fails as nobody has thought of, until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.applied: list[Any] = []

    async def apply(self, after: Any) -> Sequence[str]:
        if not self.mended:
            raise RuntimeError("nobody has thought of this")
        self.applied.append(after)
        return ()


def test_a_mistake_changes_nothing_and_keeps_no_later_reload_out() -> None:
    before, after = silent(), silent(expiry_warning_seconds=7)
    running = started(before)
    stumbling = Stumbling()
    reloading = Reloading(
        running, lambda: after, "router.json", [Reloadable(("limits",), stumbling.apply, renews=True)]
    )
    told: list[tuple[Sequence[str], Sequence[Problem]]] = []
    reloading.told.append(lambda changed, problems: told.append((list(changed), problems)))

    outcome: list[Any] = []
    Deferred.fromCoroutine(reloading.reload()).addBoth(outcome.append)
    assert outcome.pop().check(ConfigurationError) is ConfigurationError
    assert running.process.configuration is before
    assert running.process.router.counters["reload_failed"] == 1
    assert "a mistake of wampgate's own" in str(told[0][1][0])

    stumbling.mended = True
    Deferred.fromCoroutine(reloading.reload()).addBoth(outcome.append)
    assert outcome == [["expiry_warning_seconds"]]
    assert stumbling.applied == [after]
    assert running.process.configuration is after


def test_each_reload_is_told_of_before_the_next_begins() -> None:
    first, second = (silent(expiry_warning_seconds=seconds) for seconds in (1, 2))
    running = started(silent())
    waits: Deferred[None] = Deferred()
    heard: list[str] = []
    texts = iter([first, second])

    def reread() -> Any:
        heard.append("read")
        return next(texts)

    async def apply(_after: Any) -> Sequence[str]:
        await waits
        return ()

    reloading = Reloading(running, reread, "router.json", [Reloadable(("limits",), apply, renews=True)])
    reloading.told.append(lambda _changed, _problems: heard.append("told"))
    for _ in range(2):
        Deferred.fromCoroutine(reloading.reload())
    assert heard == ["read"]
    waits.callback(None)
    assert heard == ["read", "told", "read", "told"]
