"""The defences of docs/security.md for who uses the command line."""

from __future__ import annotations

from typing import Final

from .mutation import Mutation, without

DRAWN: Final = "names, reasons and payloads that draw on the terminal of whoever looks at them"
PRETENDED: Final = "somebody between the command line and its router"

_CORPUS: Final = "test_online_arguments.py::test_nothing_that_is_shown_moves_a_cursor"
_SCREEN: Final = "test_online_top.py::test_no_text_of_a_stranger_reaches_the_terminal_as_it_is"
_NAME: Final = "test_online_secured.py::test_a_users_name_that_would_draw_on_the_screen"

MUTATIONS: Final[tuple[Mutation, ...]] = (
    without(
        DRAWN,
        "escaping payloads",
        "commands/arguments.py",
        "return text if text.isprintable() else visible_json(text)",
        "return text",
        _CORPUS,
        "test_online_tail.py::test_nothing_that_strangers_publish_reaches_the_terminal_as_it_is",
        "test_online_terminal.py::test_nothing_of_a_strangers_text_reaches_a_terminal",
    ),
    without(
        DRAWN,
        "escaping what stands in tables",
        "commands/output.py",
        "    return printable(str(value))\n",
        "    return str(value)\n",
        _SCREEN,
        _NAME,
    ),
    without(
        DRAWN,
        "escaping in JSON too",
        "commands/output.py",
        "return encoded if text.isprintable() else visible_json(text).encode()",
        "return encoded",
        _NAME,
    ),
    without(
        DRAWN,
        "escaping in errors",
        "commands/speaking.py",
        '    return printable(reason if message in ("", reason) else f"{message} ({reason})")\n',
        '    return reason if message in ("", reason) else f"{message} ({reason})"\n',
        "test_online_connecting.py::test_why_there_is_no_session",
    ),
    without(
        PRETENDED,
        "checking certificates",
        "commands/command_session.py",
        "context = ssl.create_default_context(cafile=self._address.ca_file)",
        "context = ssl._create_unverified_context()",
        "test_online_secured.py::test_a_certificate_that_nobody_vouches_for",
        "test_online_secured.py::test_a_certificate_for_someone_else",
    ),
)
