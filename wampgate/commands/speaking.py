"""Runs what a command has to say to a router, and turns each way in which that can fail into one line."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar

from autobahn.wamp.exception import ApplicationError, TransportLost

from wampgate.client.life import Closed
from wampgate.client.link import Address
from wampgate.client.plan import CONNECTION_LOST, NO_TOKEN, UNTRUSTED, State
from wampgate.commands.connecting import SHOW_A_TOKEN
from wampgate.commands.conversation import TIMED_OUT, NotJoined
from wampgate.commands.errors import CommandFailed, Refused, Unreachable
from wampgate.config.errors import printable
from wampgate.core.errors import ENDINGS, REFUSED, uri

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wampgate.commands.command_session import CommandSession
    from wampgate.commands.connecting import Where
    from wampgate.commands.conversation import Answer
    from wampgate.commands.output import Output

Result = TypeVar("Result")

_ADVICE_BY_REASON: Final = {ending.reason: ending.advice for ending in reversed(ENDINGS)}
_TROUBLE: Final = {
    "ConnectionRefusedError": "nobody listens there; is the router running? --url names another",
    "gaierror": "its host name is not known; --url names another",
    "SSLError": "what answers there does not speak TLS; is it ws:// instead of wss://?",
    "FileNotFoundError": "the socket, or the file of --ca-file, is not there; is the router running?",
    "PermissionError": "this user may not; run it as one who may, or name another with --url",
    "InvalidStateError": "the connection ended while it was made",
    "ConnectionResetError": "the connection was ended at once",
}


def speak(
    where: Where,
    output: Output,
    work: Callable[[CommandSession], Awaitable[Result]],
    *,
    on_state: Callable[[State], object] | None = None,
    get_retained: bool = False,
) -> Result:
    """Join, do some work with the session, and leave.

    Args:
        where: which router, and as whom.
        output: takes what is told beside the result.
        work: what is to be done.
        on_state: told when the connection is lost and comes back.
        get_retained: whether subscriptions ask for the last event too, where one is retained.

    Raises:
        CommandFailed: anything of it went wrong; the text says what, and what to do.
    """
    # It sets Autobahn on asyncio for the whole process, which is for those who speak to decide.
    from wampgate.commands.command_session import joined  # noqa: PLC0415

    _tell_of_the_client(output)
    address = Address(where.url, where.realm, where.authid, None, where.ca_file)

    async def run() -> Result:
        session = joined(
            address, where.token, on_state=on_state, connect_seconds=where.timeout, get_retained=get_retained
        )
        async with session as entered:
            return await work(entered)

    try:
        return asyncio.run(run())
    except NotJoined as error:
        raise not_joined(where, error.state) from None
    except ApplicationError as error:
        raise request_failed(error) from None
    except Closed as error:
        raise Refused(f"{where.shown}: the session was ended: {told(error.message, error.reason)}") from None
    except TransportLost:
        raise Unreachable(f"{where.shown}: the connection was lost before the answer came") from None


async def asked(session: CommandSession, procedure: str, *args: Any, **kwargs: Any) -> Answer:
    """Call one of the router's own procedures, with a hint where the caller may not, or the router has none.

    Raises:
        CommandFailed: it was refused; other errors stay what they are.
    """
    try:
        return await (await session.conversation()).ask(procedure, args, kwargs)
    except ApplicationError as error:
        if error.error == uri.NO_SUCH_PROCEDURE:
            raise CommandFailed(f"this router does not offer {procedure}: it is another one, or an older one") from None
        if error.error == uri.NOT_AUTHORIZED and text_of(error) == f"this session may not call {procedure}":
            raise Refused(
                f"this session may not call {procedure}; its role needs a rule in router.json, such as "
                '{"role": "operator", "actions": ["call"], "uri": "wampgate.", "match": "prefix"}'
            ) from None
        raise


def not_joined(where: Where, state: State) -> CommandFailed:
    """Why there is no session."""
    if state.reason == UNTRUSTED:
        return Unreachable(
            f"{where.shown}: the certificate is not to be trusted: {_verification(state.message)};"
            " --ca-file names the authority that vouches for it"
        )
    if state.reason == TIMED_OUT:
        return Unreachable(f"{where.shown}: {state.message}; --connect-timeout allows more")
    if state.reason == NO_TOKEN:
        return CommandFailed(printable(state.message))
    if state.reason == CONNECTION_LOST:
        return Unreachable(f"{where.shown}: can't connect: {_trouble(state.message)}")
    return _turned_away(where, state)


def _turned_away(where: Where, state: State) -> CommandFailed:
    if state.reason == uri.AUTHENTICATION_REQUIRED and where.token is None:
        advice = SHOW_A_TOKEN
    elif state.name == "waiting":
        advice = "try again after a while"
    elif state.reason == uri.AUTHENTICATION_DENIED:
        advice = "is it a token of this realm, and still valid?"
    else:
        advice = _ADVICE_BY_REASON.get(state.reason, REFUSED.advice).rstrip(".")
    text = f"{where.shown}, realm {printable(where.realm)}: {told(state.message, state.reason)}; {_begun_small(advice)}"
    return Unreachable(text) if state.name == "waiting" else Refused(text)


def connection_words(state: State) -> str | None:
    """What people are told of a connection that is lost, or back; None of what needs no word."""
    if state.name == "waiting":
        return f"connection lost: {told(state.message, state.reason)}; trying again in {state.retry_in:.1f} s"
    return "connected again" if state.name == "joined" else None


def request_failed(error: ApplicationError, concerning: str = "") -> CommandFailed:
    """What an ERROR says, in one line, with what it concerns before it."""
    before = f"{printable(concerning)}: " if concerning else ""
    line = before + told(text_of(error), str(error.error))
    if error.error == uri.NOT_AUTHORIZED:
        return Refused(f"{line}; `wampgate explain` tells what decides")
    if error.error == uri.AUTHORIZATION_FAILED:
        return Unreachable(f"{line}; try again when the router's database answers")
    return CommandFailed(line)


def told(message: str, reason: str) -> str:
    """A message and a reason as the router gave them, escaped."""
    return printable(reason if message in ("", reason) else f"{message} ({reason})")


def text_of(error: ApplicationError) -> str:
    """The words of an ERROR."""
    return " ".join(str(arg) for arg in error.args)


def _trouble(message: str) -> str:
    kind, _, text = message.partition(": ")
    if kind in _TROUBLE:
        return _TROUBLE[kind]
    if "upgrade failed" in message:
        status = printable(message.partition("upgrade failed ")[2].rstrip('")'))
        return f"it answers {status}; is that a router, and its path {'/ws'}?"
    return printable(text if kind.isidentifier() and text else message)


def _verification(message: str) -> str:
    _, found, reason = message.partition("certificate verify failed: ")
    return printable(reason.partition(" (_ssl")[0] if found else message)


def _begun_small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


class _Told(logging.Handler):
    """Tells what the client logs, as a note."""

    def __init__(self, output: Output) -> None:
        super().__init__(logging.WARNING)
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.note(record.getMessage())


def _tell_of_the_client(output: Output) -> None:
    client = logging.getLogger("wampgate.client")
    client.handlers, client.propagate = [_Told(output)], False
    # What Autobahn has to say of a connection is told by the error, or by the state.
    logging.getLogger("autobahn").setLevel(logging.CRITICAL + 1)
