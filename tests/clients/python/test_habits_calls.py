"""Stock Autobahn Python's options of calls and registrations: patterns, sharing, progress, canceling, timeouts."""

# Autobahn and pytest-twisted carry no annotations:
# mypy: allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]  # it ships no types
from autobahn.wamp.cryptobox import KeyRing
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallOptions, CallResult, RegisterOptions
from clients.habits_router import habits_configuration
from clients.python.stock_components import Components, Received, eventually, over_every_way
from raw_wamp import random_name
from router_process import RouterProcess
from twisted.internet.defer import CancelledError, Deferred, gatherResults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMEOUT_MILLISECONDS = 300


@pytest.fixture(scope="module")
def process() -> Iterator[RouterProcess]:
    with RouterProcess(habits_configuration()) as process:
        yield process


async def refused(answer: Deferred[Any]) -> str:
    """The URI of the error that comes."""
    with pytest.raises(ApplicationError) as error:
        await answer
    return str(error.value.error)


@over_every_way
@pytest_twisted.ensureDeferred
async def test_patterns(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name()

    def answering(text: str) -> Callable[..., str]:
        return lambda details: f"{text} {details.procedure}"

    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        for uri, match in ((f"{name}.a.b", "exact"), (f"{name}.a", "prefix"), (f"{name}..b", "wildcard")):
            await bob.register(answering(match), uri, options=RegisterOptions(match=match, details=True))
        for called, answered in ((".a.b", "exact"), (".a.c", "prefix"), (".x.b", "wildcard")):
            assert await alice.call(name + called) == f"{answered} {name}{called}"
        assert await refused(alice.call(f"{name}.x.c")) == "wamp.error.no_such_procedure"


@over_every_way
@pytest.mark.parametrize(
    ("policy", "answered"),
    [("first", ["bob"] * 4), ("last", ["carol"] * 4), ("roundrobin", ["bob", "carol"] * 2), ("random", None)],
)
@pytest_twisted.ensureDeferred
async def test_sharing(process: RouterProcess, way: tuple[str, str], policy: str, answered: list[str] | None) -> None:
    name = random_name()
    async with Components(process, way) as components:
        alice = await components.join("alice")
        for who in ("bob", "carol"):
            session = await components.join(who)
            await session.register(lambda who=who: who, name, options=RegisterOptions(invoke=policy))
        found = [await alice.call(name) for _ in range(4)]
        assert found == answered if answered else set(found) <= {"bob", "carol"}
        conflict = alice.register(lambda: None, name, options=RegisterOptions(invoke="single"))
        assert await refused(conflict) == "wamp.error.procedure_already_exists"


@over_every_way
@pytest_twisted.ensureDeferred
async def test_a_name_that_is_taken_and_how_to_get_it_back(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name()
    force = RegisterOptions(force_reregister=True)
    async with Components(process, way) as components:
        old, alice = await components.join("bob"), await components.join("alice")
        await old.register(lambda: "old", name, options=force)
        new = await components.join("bob")
        assert await refused(new.register(lambda: None, name)) == "wamp.error.procedure_already_exists"
        await new.register(lambda: "new", name, options=force)
        assert await alice.call(name) == "new"
        # Who was displaced lives on, and is asked nothing more.
        assert await old.call(name) == "new"


@over_every_way
@pytest_twisted.ensureDeferred
async def test_as_many_at_a_time_as_a_callee_takes(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name()
    under_way: list[Deferred[Any]] = []

    def work() -> Deferred[Any]:
        under_way.append(Deferred())
        return under_way[-1]

    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        await bob.register(work, name, options=RegisterOptions(concurrency=2, invoke="roundrobin"))
        calls = [alice.call(name) for _ in range(2)]
        await eventually(lambda: len(under_way) == 2)
        assert await refused(alice.call(name)) == "wamp.error.no_available_callee"
        for number, one in enumerate(under_way):
            one.callback(number)
        assert await gatherResults(calls) == [0, 1]


@over_every_way
@pytest_twisted.ensureDeferred
async def test_progress(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name()

    async def count(most: int, details: Any) -> str:
        for number in range(most):
            if details.progress is not None:
                details.progress(number, square=number * number)
        return "done" if details.progress else "nobody listens"

    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        await bob.register(count, name, options=RegisterOptions(details_arg="details"))
        heard = Received()
        assert await alice.call(name, 50, options=CallOptions(on_progress=heard)) == "done"
        assert heard.calls == [((number,), {"square": number * number}) for number in range(50)]
        assert await alice.call(name, 50) == "nobody listens"
        wrapped: list[CallResult] = []
        result = await alice.call(name, 2, options=CallOptions(on_progress=wrapped.append, details=True))
        assert [(one.results, one.kwresults) for one in wrapped] == [((0,), {"square": 0}), ((1,), {"square": 1})]
        assert (result.results, result.kwresults) == (("done",), {})


@over_every_way
@pytest_twisted.ensureDeferred
async def test_results_of_every_shape(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name()
    shapes = [
        None,
        7,
        [1, 2],
        CallResult(),
        CallResult(1, 2),
        CallResult(one=1),
        CallResult(1, b"\xff", two={"a": None}),
    ]
    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        await bob.register(lambda index: shapes[index], name)
        found = [await alice.call(name, index) for index in range(len(shapes))]
        assert found[:4] == [None, 7, [1, 2], None]
        assert [(one.results, one.kwresults) for one in found[4:]] == [
            ((1, 2), {}),
            ((), {"one": 1}),
            ((1, b"\xff"), {"two": {"a": None}}),
        ]


class Work:
    """A procedure that never ends by itself.

    Attributes:
        begun: fires when it is called.
        stopped: fires when its Deferred is canceled, as it is when the callee is interrupted.
    """

    def __init__(self) -> None:
        self.begun: Deferred[None] = Deferred()
        self.stopped: Deferred[None] = Deferred()

    def __call__(self) -> Deferred[Any]:
        self.begun.callback(None)
        return Deferred(lambda _: self.stopped.callback(None))


@over_every_way
@pytest_twisted.ensureDeferred
async def test_canceling_reaches_the_callee(process: RouterProcess, way: tuple[str, str]) -> None:
    name, work = random_name(), Work()
    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        bob.onUserError = lambda *_: None
        await bob.register(work, name)
        call = alice.call(name)
        await work.begun
        call.cancel()
        with pytest.raises(CancelledError):
            await call
        await work.stopped
        # Both have taken what the router said of it.
        await bob.register(lambda: "fresh", f"{name}.again")
        assert await alice.call(f"{name}.again") == "fresh"


@over_every_way
@pytest_twisted.ensureDeferred
async def test_a_caller_that_leaves_reaches_the_callee(process: RouterProcess, way: tuple[str, str]) -> None:
    name, work = random_name(), Work()
    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        bob.onUserError = lambda *_: None
        await bob.register(work, name)
        alice.call(name)
        await work.begun
        alice.leave()
        await work.stopped
        assert await bob.register(lambda: None, f"{name}.again")


@over_every_way
@pytest_twisted.ensureDeferred
async def test_a_timeout_in_milliseconds(process: RouterProcess, way: tuple[str, str]) -> None:
    name, work = random_name(), Work()
    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        bob.onUserError = lambda *_: None
        await bob.register(work, name)
        begin = time.monotonic()
        assert (
            await refused(alice.call(name, options=CallOptions(timeout=TIMEOUT_MILLISECONDS))) == "wamp.error.timeout"
        )
        assert TIMEOUT_MILLISECONDS / 1000 <= time.monotonic() - begin < 5
        await work.stopped
        assert await bob.register(lambda: None, f"{name}.again")


@over_every_way
@pytest_twisted.ensureDeferred
async def test_who_calls(process: RouterProcess, way: tuple[str, str]) -> None:
    """Stock clients can't ask for it: a rule with ``disclose`` says where callees learn it."""

    def who(details: Any) -> list[Any]:
        return [details.caller, details.caller_authid, details.caller_authrole]

    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        ann = await components.join(None)
        told, untold = random_name("com.example.open"), random_name()
        for name in (told, untold):
            await bob.register(who, name, options=RegisterOptions(details_arg="details"))
        assert await alice.call(told) == [alice.session_id, "alice", "client"]
        assert await alice.call(untold) == [None, None, None]
        assert await ann.call(told) == [None, None, None]
        assert await refused(ann.call(untold)) == "wamp.error.not_authorized"


@over_every_way
@pytest_twisted.ensureDeferred
async def test_unregistering(process: RouterProcess, way: tuple[str, str]) -> None:
    name = random_name()
    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        registration = await bob.register(lambda: 1, name)
        assert await alice.call(name) == 1
        await registration.unregister()
        assert await refused(alice.call(name)) == "wamp.error.no_such_procedure"
        assert not registration.active


@over_every_way
@pytest_twisted.ensureDeferred
async def test_what_a_key_ring_seals(process: RouterProcess, way: tuple[str, str]) -> None:
    """Autobahn's end-to-end encryption: the router passes on what it can't read."""
    name = random_name()
    key, _public = KeyRing().generate_key()

    def add(one: int, other: int) -> int:
        if other == 0:
            raise ApplicationError("com.example.error.zero", "why")
        return one + other

    async with Components(process, way) as components:
        bob, alice = await components.join("bob"), await components.join("alice")
        for session in (bob, alice):
            session.set_payload_codec(KeyRing(key))
        bob.onUserError = lambda *_: None
        heard = Received()
        await bob.register(add, name)
        await bob.subscribe(heard, name)
        assert await alice.call(name, 2, 3) == 5
        assert await refused(alice.call(name, 2, 0)) == "com.example.error.zero"
        alice.publish(name, "secret", more=[1])
        assert await heard.wait() == [(("secret",), {"more": [1]})]
