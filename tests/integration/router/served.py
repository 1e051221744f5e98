"""A whole router in this process, on a reactor and a thread of its own: tests reach it by sockets and look inside."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor

from wampgate.config.loading import load
from wampgate.service import Wampgate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SECONDS = 20.0


class Served:
    """A context manager: it listens on entry, and is stopped on exit.

    Args:
        folder: where its router.json is written.
        configuration: what that says.

    Attributes:
        service: what is tested.
        port: where it listens on 127.0.0.1.
    """

    def __init__(self, folder: Path, configuration: Mapping[str, Any]) -> None:
        import json

        path = folder / "router.json"
        path.write_text(json.dumps(configuration))
        self.service = Wampgate(load(path, {}))
        self.port = 0
        self._reactor: Any = EPollReactor()  # type: ignore[no-untyped-call]  # Twisted's
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._await(lambda: Deferred.fromCoroutine(self.service._start(self._reactor)))
        self.port = self.inside(lambda: self.service.ports[0].getHost().port)
        return self

    def __exit__(self, *_: object) -> None:
        self._await(lambda: Deferred.fromCoroutine(self.service._stop(self._reactor)))
        self.inside(self._abort)
        self._reactor.callFromThread(self._reactor.stop)
        self._thread.join(SECONDS)

    def inside(self, function: Callable[[], Any]) -> Any:
        """What a function returns that runs in the router's thread."""
        from twisted.internet.defer import maybeDeferred

        return self._await(lambda: maybeDeferred(function))

    def counters(self) -> Counter[str]:
        """All that the router's parts have counted, together."""
        service: Any = self.service
        process = service.process
        backend = process.parts.backend
        sources = [
            service.router,
            process.websocket,
            process.rawsocket,
            process.port,
            # What serves backends is there only where something is served to them.
            *(() if backend is None else (backend, backend.keys)),
            *service.router.realms.values(),
        ]
        return self.inside(lambda: sum((Counter(source.counters) for source in sources), Counter()))  # type: ignore[no-any-return]  # it is one

    def _abort(self) -> None:
        """Drop the connections that did not end by themselves: here no process ends with them."""
        process = self.service.process
        peers: list[Any] = [*process.websocket.peers, *process.rawsocket.peers]
        for peer in peers:
            peer.transport.abortConnection()

    def _run(self) -> None:
        self._reactor.run(installSignalHandlers=False)

    def _await(self, start: Callable[[], Deferred[Any]]) -> Any:
        done = threading.Event()
        outcome: list[Any] = []

        def finish(value: Any) -> None:
            outcome.append(value)
            done.set()

        self._reactor.callFromThread(lambda: start().addBoth(finish))
        assert done.wait(SECONDS), "the router does not answer"
        if hasattr(outcome[0], "raiseException"):
            outcome[0].raiseException()
        return outcome[0]
