"""``twistd wampgate``: its options, and the service they make."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from twisted.python import usage

from wampgate.composition.log import log_of
from wampgate.composition.loops import refuse_loops
from wampgate.config.demo import demo_configuration
from wampgate.config.errors import ConfigurationError, Problem
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
        ["admin-port", None, 0, "Where the demo serves operators on 127.0.0.1; 0 for any free port.", int],
        ["redis", None, None, "A Redis for the demo to take events from: redis://127.0.0.1:6379."],
    ]
    optFlags = [  # noqa: N815, RUF012 - Twisted's way
        ["demo", None, "Run the demo: embedded store, random tokens, this machine only; no configuration."],
        ["debug", None, "Log each session's coming and going, and all else that the log is silent about."],
    ]

    def postOptions(self) -> None:  # noqa: N802 - Twisted's name
        """Load the configuration before twistd turns into a daemon, so that its errors are seen."""
        self["tokens"] = None
        # twistd may go to another folder before it is loaded again.
        self["path"] = Path(self["config"]).absolute()
        try:
            self["configuration"] = self._demo() if self["demo"] else _load(Path(self["config"]))
        except ConfigurationError as error:
            _fail(str(error))

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
            operator_ticket_sha256=sha256(tokens.operator.encode()).hexdigest(),
            port=self["port"],
            admin_port=self["admin-port"],
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
        log=log_of(options["configuration"].log, debug=options["debug"], twistd=options.parent),
        started=None if tokens is None else lambda: _show(service, tokens),
        reread=None if options["demo"] else partial(_load, options["path"]),
        source=str(options["path"]),
    )
    return service  # type: ignore[no-any-return]  # it is one


def _load(path: Path) -> model.Configuration:
    """Load the configuration, at the start and at each reload.

    Raises:
        ConfigurationError: it can't be used.
    """
    configuration = load(path, os.environ)
    refuse_loops(str(path), configuration)
    for index, realm in enumerate(configuration.realms):
        if isinstance(realm.store, SqliteStore):
            _refuse_demo(path, index, realm.store.path)
    return configuration


def _count_monotonically() -> None:
    """Let the reactor's timers run by the monotonic clock: Twisted's default jumps when the wall clock does."""
    from twisted.internet import reactor  # noqa: PLC0415 - twistd has installed it by now

    running: Any = reactor
    # A timer that was set by the other clock would be lost; none is, before the application starts.
    if not running.getDelayedCalls():
        running.seconds = time.monotonic


def _refuse_demo(source: Path, index: int, path: Path) -> None:
    """Random or not, a demo's tokens are for the demo: it alone takes care that no one else can show them."""
    from wampgate.stores.demo_mark import is_demo  # noqa: PLC0415 - sqlite is loaded only where it is used

    if is_demo(path):
        what = f"{path} is a demo's database: use --demo, or name another file for the store"
        raise ConfigurationError(str(source), [Problem(("realms", index, "store", "path"), what)])


def _show(service: Any, tokens: DemoTokens) -> None:
    """Print where to look: the demo's tokens are for the one who started it."""
    port = service.ports[0].getHost().port
    page = f"http://127.0.0.1:{port}/"
    status = f"http://127.0.0.1:{service.admin_ports[0].getHost().port}/"
    both = f"{page}#demo&alice={tokens.alice}&bob={tokens.bob}&backend={tokens.backend}&expired={tokens.expired}"
    say: Callable[[str], Any] = sys.__stdout__.write if sys.__stdout__ is not None else print
    say(
        "\n"
        "  wampgate is running. Look here:\n\n"
        f"    alice and bob side by side   {both}\n\n"
        f"    alice (organizations 7, 8)   {page}#token={tokens.alice}\n"
        f"    bob (organization 8)         {page}#token={tokens.bob}\n\n"
        f"    status page (operator)       {status}#token={tokens.operator}\n"
        f"    metrics                      {status}metrics\n\n"
        "  The tokens stand in var/demo-tokens.json. Stop with Ctrl-C.\n\n"
    )
    if sys.__stdout__ is not None:
        sys.__stdout__.flush()


def _fail(message: str) -> NoReturn:
    raise SystemExit(message)
