"""A backend for tests that answers procedures: a raw WAMP session served by a thread."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from raw_websocket import Closed, Ended

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from raw_wamp import Peer

ERROR: Final = 8
INVOCATION: Final = 68
YIELD: Final = 70


class ProcedureError(Exception):
    """What a procedure raises to answer with an ERROR of this URI."""


SILENCE: Final = object()
"""What a procedure returns to answer nothing at all."""


class Callee:
    """Registers procedures and answers their invocations until it is left.

    Args:
        peer: a session that has joined; nobody else may read from it.
        procedures: each is called with the invocation's arguments.

    Attributes:
        asked: the arguments of all invocations, in order.
    """

    def __init__(self, peer: Peer, procedures: Mapping[str, Callable[..., Any]]) -> None:
        self.asked: list[list[Any]] = []
        self._peer = peer
        self._procedure_by_registration = {peer.register(name): function for name, function in procedures.items()}
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone would leave the thread waiting for what never comes.
        with suppress(OSError):
            self._peer.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._peer.close()

    def _serve(self) -> None:
        with suppress(Closed, Ended, OSError, ValueError):
            while True:
                message = self._receive()
                if message[0] == INVOCATION:
                    self._answer(message)

    def _receive(self) -> Any:
        while True:
            with suppress(TimeoutError):
                return self._peer.receive()

    def _answer(self, message: Any) -> None:
        request, registration, arguments = message[1], message[2], message[4] if len(message) > 4 else []
        self.asked.append(arguments)
        try:
            result = self._procedure_by_registration[registration](*arguments)
        except ProcedureError as error:
            self._peer.send(ERROR, INVOCATION, request, {}, str(error))
        else:
            if result is not SILENCE:
                self._peer.send(YIELD, request, {}, [result])
