"""Who sends a request: its bearer token, judged and counted as in a login over WAMP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wampgate.core.errors import JoinRefused, StoreUnavailable, uri
from wampgate.core.interfaces import Challenge
from wampgate.http.backend.answers import Answer, join_refused, unauthenticated, unserved
from wampgate.wire.messages import ClientRoles, HelloDetails

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from wampgate.core.guesses import Guesses
    from wampgate.core.interfaces import Principal, Record
    from wampgate.core.realm import Realm
    from wampgate.core.session import Session

_DETAILS: Final = HelloDetails(roles=ClientRoles(), authmethods=["ticket"])
_DENIED: Final = "the token is not accepted"
NO_TOKEN: Final = "a token is required: send the header Authorization: Bearer TOKEN"  # noqa: S105 - a sentence


class Entrance:
    """Finds out who sends requests, and whether they may come in.

    Args:
        realms: by name.
        guesses: counts refused tokens, together with those of logins.
        record: takes the operator's lines.
        run: starts a coroutine.
    """

    def __init__(
        self,
        realms: Mapping[str, Realm],
        *,
        guesses: Guesses,
        record: Record,
        run: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._realms = realms
        self._guesses = guesses
        self._record = record
        self._run = run

    def realm(self, name: str | None) -> Realm:
        """The realm that a request means.

        Raises:
            Unserved: there is none of that name (404), or it has to be named (422).
        """
        if name is None and len(self._realms) == 1:
            return next(iter(self._realms.values()))
        if name is None:
            raise unserved(422, "there are several realms here: name one in `realm`", uri.INVALID_ARGUMENT)
        realm = self._realms.get(name)
        if realm is None:
            raise unserved(404, "there is no such realm here", uri.NO_SUCH_REALM)
        return realm

    def enter(
        self,
        session: Session,
        realm: Realm,
        organization: str | None,
        *,
        still_there: Callable[[], bool],
        then: Callable[[Principal | Answer], None],
        admission: bool = True,
    ) -> None:
        """Find out who a request is of; its address may have to wait for its turn.

        Args:
            session: not joined; its connection bears the token.
            realm: which one to join.
            organization: the one to act for; None if none was named.
            still_there: whether anybody still waits.
            then: takes the principal that may join, or the refusal.
            admission: whether it joins now; else it is only found out who it is.
        """
        network, bearer = session.connection.network, session.connection.bearer
        token = "" if bearer is None else bearer.reveal()

        def check() -> None:
            if not still_there():
                self._guesses.ended(network, token)
            elif (limit := self._guesses.exhausted(network)) is not None:
                self._guesses.ended(network, token)
                realm.counters[f"limit_{limit}"] += 1
                # Not told apart from a wrong token: who guesses must not learn when to go on.
                why = f"too many refused logins from this address: limits.{limit}"
                then(self._refused(session, JoinRefused(uri.AUTHENTICATION_DENIED, _DENIED, why)))
            else:
                self._run(look())

        async def look() -> None:
            try:
                outcome = await self._ask(session, realm, organization, admission)
            finally:
                self._guesses.ended(network, token)
            then(outcome)

        self._guesses.attempt(network, token, check)

    async def _ask(
        self, session: Session, realm: Realm, organization: str | None, admission: bool
    ) -> Principal | Answer:
        authenticator = realm.authenticators.get("ticket")
        if authenticator is None:
            return unauthenticated("this realm takes no tokens", uri.NO_MATCHING_AUTH_METHOD, shown=True)
        try:
            principal = await authenticator.hello(_DETAILS, session.connection)
            if isinstance(principal, Challenge):
                return unauthenticated(NO_TOKEN, uri.AUTHENTICATION_REQUIRED, shown=False)
            if admission:
                await realm.admission.admit(principal, {} if organization is None else {"organization": organization})
        except JoinRefused as refusal:
            if refusal.error == uri.AUTHENTICATION_DENIED:
                self._guesses.failed(session.connection.network)
            return self._refused(session, refusal)
        except StoreUnavailable as failure:
            return self._unavailable(session, str(failure))
        except Exception as error:  # noqa: BLE001 - an authenticator's bug must refuse, not leave the client waiting
            return self._unavailable(session, type(error).__name__)
        return principal

    def _refused(self, session: Session, refusal: JoinRefused) -> Answer:
        self._record("join_refused", session, error=refusal.error, because=refusal.log or refusal.message)
        return join_refused(refusal)

    def _unavailable(self, session: Session, log: str) -> Answer:
        self._record("join_refused", session, error=uri.AUTHENTICATION_FAILED, because=log)
        detail = "it can't be checked now who you are; try again"
        return unserved(503, detail, uri.AUTHENTICATION_FAILED).answer
