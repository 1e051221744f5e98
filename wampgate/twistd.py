"""``twistd wampgate``: its options, and the service they make."""

from __future__ import annotations

import os
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from twisted.python import usage

from wampgate.composition.loops import refuse_loops
from wampgate.config.demo import demo_configuration
from wampgate.config.errors import ConfigurationError
from wampgate.config.loading import load
from wampgate.config.stores import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.application.service import IService

    from wampgate.config import model
    from wampgate.stores.demo import DemoTokens


class Options(usage.Options):
    """What stands behind ``twistd wampgate`` on the command line."""

    synopsis = "[options]"
    longdesc = "A WAMP router: live news for the members of an organization."
    optParameters = [  # noqa: N815, RUF012 - Twisted's way
        ["config", "c", "router.json", "The configuration."],
        ["port", "p", 8080, "Where the demo listens on 127.0.0.1.", int],
        ["redis", None, None, "A Redis for the demo to take events from: redis://127.0.0.1:6379."],
    ]
    optFlags = [  # noqa: N815, RUF012 - Twisted's way
        ["demo", None, "Run the demo: embedded store, random tokens, this machine only; no configuration."],
        ["debug", None, "Log each session's coming and going."],
    ]

    def postOptions(self) -> None:  # noqa: N802 - Twisted's name
        """Load the configuration before twistd turns into a daemon, so that its errors are seen."""
        self["tokens"] = None
        try:
            self["configuration"] = self._demo() if self["demo"] else self._load()
        except ConfigurationError as error:
            _fail(str(error))

    def _load(self) -> model.Configuration:
        configuration = load(Path(self["config"]), os.environ)
        refuse_loops(self["config"], configuration)
        for realm in configuration.realms:
            if isinstance(realm.store, SqliteStore):
                _refuse_demo(realm.store.path)
        return configuration

    def _demo(self) -> model.Configuration:
        from wampgate.stores.demo import prepare_demo  # noqa: PLC0415 - only the demo needs it

        folder = Path.cwd()
        try:
            tokens = prepare_demo(folder)
        except (OSError, ValueError) as error:
            _fail(str(error))
        self["tokens"] = tokens
        return demo_configuration(
            folder,
            backend_ticket_sha256=sha256(tokens.backend.encode()).hexdigest(),
            port=self["port"],
            redis_url=self["redis"],
        )


def makeService(options: Options) -> IService:  # noqa: N802 - Twisted's name
    """The service that the options describe."""
    from wampgate.service import Wampgate  # noqa: PLC0415 - after the options: errors in them show at once

    _count_monotonically()
    tokens = options["tokens"]
    service: Any = Wampgate(
        options["configuration"],
        demo=options["demo"],
        debug=options["debug"],
        started=None if tokens is None else lambda: _show(service, tokens),
    )
    return service  # type: ignore[no-any-return]  # it is one


def _count_monotonically() -> None:
    """Let the reactor's timers run by the monotonic clock: Twisted's default jumps when the wall clock does."""
    from twisted.internet import reactor  # noqa: PLC0415 - twistd has installed it by now

    running: Any = reactor
    # A timer that was set by the other clock would be lost; none is, before the application starts.
    if not running.getDelayedCalls():
        running.seconds = time.monotonic


def _refuse_demo(path: Path) -> None:
    """Random or not, a demo's tokens are for the demo: it alone takes care that no one else can show them."""
    from wampgate.stores.demo_mark import is_demo  # noqa: PLC0415 - sqlite is loaded only where it is used

    if is_demo(path):
        _fail(f"{path} is a demo's database: use --demo, or name another file for the store")


def _show(service: Any, tokens: DemoTokens) -> None:
    """Print where to look: the demo's tokens are for the one who started it."""
    port = service.ports[0].getHost().port
    page = f"http://127.0.0.1:{port}/"
    both = f"{page}#demo&alice={tokens.alice}&bob={tokens.bob}&backend={tokens.backend}&expired={tokens.expired}"
    say: Callable[[str], Any] = sys.__stdout__.write if sys.__stdout__ is not None else print
    say(
        "\n"
        "  wampgate is running. Look here:\n\n"
        f"    alice and bob side by side   {both}\n\n"
        f"    alice (organizations 7, 8)   {page}#token={tokens.alice}\n"
        f"    bob (organization 8)         {page}#token={tokens.bob}\n\n"
        "  The tokens stand in var/demo-tokens.json. Stop with Ctrl-C.\n\n"
    )
    if sys.__stdout__ is not None:
        sys.__stdout__.flush()


def _fail(message: str) -> NoReturn:
    raise SystemExit(message)
