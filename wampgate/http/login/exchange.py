"""One request about a session cookie from its body to its answer, which comes exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from wampgate.core.errors import JoinRefused, StoreUnavailable, uri
from wampgate.core.local import LocalLink
from wampgate.core.logins import COOKIE
from wampgate.core.session import Session
from wampgate.http.backend.answers import JSON, Answer, Unserved, ended, join_refused, result, unserved
from wampgate.http.backend.entrance import NO_TOKEN
from wampgate.http.backend.visit import SharedBuckets

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from wampgate.core.guesses import Guesses
    from wampgate.core.interfaces import Connection, Principal, Ticket
    from wampgate.core.logins import Login, Logins
    from wampgate.core.realm import Realm
    from wampgate.http.backend.entrance import Entrance

SECONDS_EACH: Final = 1.0
"""So often may one principal log in on the average, …"""

BURST: Final = 20
"""… and so many times at once."""

_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Strict"
_NO_COOKIE: Final = (b"Set-Cookie", f"{COOKIE}=; {_ATTRIBUTES}; Max-Age=0".encode())


class LoginBody(Struct, forbid_unknown_fields=True):
    """The body of ``POST /session``; it may be left out."""

    realm: Annotated[str | None, Meta(description="The realm; needed where several take cookies.")] = None


class LoggedIn(Struct):
    """The answer: what the page may know. The cookie it can't read, and the token it has."""

    realm: str
    authid: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as far as HTTP goes.

    Attributes:
        body: as it came.
        connection: from where, with its bearer token and the cookie that was there before.
    """

    body: bytes
    connection: Connection


class LoginDesk:
    """Logs in and out.

    Args:
        logins: by the names of the realms that take cookies.
        entrance: judges tokens.
        guesses: counts refused cookies together with refused tokens.
        run: starts a coroutine.
        now: the monotonic clock, in seconds.
    """

    def __init__(
        self,
        logins: Mapping[str, Logins],
        entrance: Entrance,
        *,
        guesses: Guesses,
        run: Callable[[Coroutine[Any, Any, None]], None],
        now: Callable[[], float],
    ) -> None:
        self._logins = logins
        self._entrance = entrance
        self._guesses = guesses
        self._run = run
        self._now = now
        self._buckets = SharedBuckets(now)
        self._decode = msgspec.json.Decoder(LoginBody).decode

    def log_in(self, asked: Asked, still_there: Callable[[], bool], answer: Callable[[Answer], None]) -> None:
        """Make a cookie of a token; ``answer`` is called once, now or later."""
        bearer = asked.connection.bearer
        if bearer is None:
            answer(ended(uri.AUTHENTICATION_REQUIRED, NO_TOKEN))
            return
        try:
            realm = self._realm(self._read(asked.body))
        except Unserved as reason:
            answer(reason.answer)
            return

        def entered(outcome: Principal | Answer) -> None:
            if isinstance(outcome, Answer):
                answer(outcome)
            elif self._is_too_often(realm, outcome):
                answer(unserved(429, "too many logins; wait and try again", uri.LIMIT_EXCEEDED).answer)
            else:
                self._run(self._begin(realm, outcome, bearer, asked.connection.cookie, answer))

        session = Session(LocalLink(lambda _message, _payload: None), asked.connection)
        self._entrance.enter(session, realm, None, still_there=still_there, then=entered, admission=False)

    def log_out(self, asked: Asked, still_there: Callable[[], bool], answer: Callable[[Answer], None]) -> None:
        """End a cookie's login and its sessions; ``answer`` is called once, now or later."""
        cookie = asked.connection.cookie
        if cookie is None:
            answer(_LOGGED_OUT)
            return
        network = asked.connection.network
        guess = cookie.reveal()

        def check() -> None:
            if not still_there():
                self._guesses.ended(network, guess)
            elif self._guesses.exhausted(network) is not None:
                self._guesses.ended(network, guess)
                answer(unserved(429, "too many refused logins; wait and try again", uri.LIMIT_EXCEEDED).answer)
            else:
                self._run(end())

        async def end() -> None:
            try:
                outcome = await self._end(cookie, network)
            finally:
                self._guesses.ended(network, guess)
            answer(outcome)

        self._guesses.attempt(network, guess, check)

    async def _begin(
        self, realm: Realm, principal: Principal, token: Ticket, before: Ticket | None, answer: Callable[[Answer], None]
    ) -> None:
        try:
            login = await self._logins[realm.name].begin(principal, token, before)
        except JoinRefused as refused:
            answer(join_refused(refused))
        except StoreUnavailable:
            answer(_unavailable())
        else:
            answer(_logged_in(realm.name, principal.authid, login))

    async def _end(self, cookie: Ticket, network: str) -> Answer:
        """Whichever realm it is of, it is one realm's; nobody is told which, nor whether there was one."""
        try:
            found = [await logins.end(cookie) for logins in self._logins.values()]
        except StoreUnavailable:
            return _unavailable()
        if not any(found):
            self._guesses.failed(network)
        return _LOGGED_OUT

    def _read(self, body: bytes) -> LoginBody:
        """A body.

        Raises:
            Unserved: it is no JSON (400), or not of this form (422).
        """
        if not body.strip():
            return LoginBody()
        try:
            return self._decode(body)
        except msgspec.ValidationError as error:
            raise unserved(422, f"the body is not as the documentation says: {error}", uri.INVALID_ARGUMENT) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise unserved(400, "the body is not JSON") from None

    def _realm(self, body: LoginBody) -> Realm:
        """The realm to log in to.

        Raises:
            Unserved: there is none of that name that takes cookies (404), or it has to be named (422).
        """
        name = body.realm
        if name is None and len(self._logins) > 1:
            raise unserved(422, "several realms take cookies here: name one in `realm`", uri.INVALID_ARGUMENT)
        if name is None:
            name = next(iter(self._logins))
        if name not in self._logins:
            raise unserved(404, "there is no such realm here that takes cookies", uri.NO_SUCH_REALM)
        return self._entrance.realm(name)

    def _is_too_often(self, realm: Realm, principal: Principal) -> bool:
        full = self._buckets.of(realm, principal)
        now = self._now()
        if full[0] - now > (BURST - 1) * SECONDS_EACH:
            return True
        full[0] = max(full[0], now) + SECONDS_EACH
        return False


def _logged_in(realm: str, authid: str, login: Login) -> Answer:
    seconds = int(login.seconds)
    cookie = f"{COOKIE}={login.cookie.reveal()}; {_ATTRIBUTES}; Max-Age={seconds}"
    made = result(LoggedIn(realm, authid, seconds), status=201)
    return Answer(made.status, made.body, made.content_type, (*made.headers, (b"Set-Cookie", cookie.encode())))


def _unavailable() -> Answer:
    return unserved(503, "it can't be done now; try again", uri.AUTHENTICATION_FAILED).answer


_LOGGED_OUT: Final = Answer(200, b"{}", JSON, ((b"Cache-Control", b"no-store"), _NO_COOKIE))
