"""The answers to backends: results as JSON, problems as RFC 9457 has them, and which status a WAMP error is."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wampgate.core.errors import uri
from wampgate.http.backend.bodies import Problem
from wampgate.http.responses import Response
from wampgate.wire.payload import binary_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wampgate.core.errors import JoinRefused

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"

TIMEOUT: Final = "wamp.error.timeout"
"""The call's time is over ("Call Timeouts")."""

STATUS_BY_ERROR: Final = {
    uri.NOT_AUTHORIZED: 403,
    uri.DISCLOSE_ME_DISALLOWED: 403,
    uri.NO_SUCH_PROCEDURE: 404,
    uri.INVALID_URI: 422,
    uri.INVALID_ARGUMENT: 422,
    uri.OPTION_NOT_ALLOWED: 422,
    uri.FEATURE_NOT_SUPPORTED: 422,
    uri.LIMIT_EXCEEDED: 429,
    uri.CANCELED: 502,
    uri.AUTHORIZATION_FAILED: 503,
    TIMEOUT: 504,
}
"""What an ERROR that answers a PUBLISH or a CALL is in HTTP; any other is the callee's own: 500."""

STATUS_BY_ENDING: Final = {
    uri.AUTHENTICATION_DENIED: 401,
    uri.AUTHENTICATION_REQUIRED: 401,
    uri.TOKEN_EXPIRED: 401,
    uri.TOKEN_REVOKED: 401,
    uri.NO_SUCH_REALM: 404,
    uri.INVALID_ARGUMENT: 422,
    uri.ORGANIZATION_REQUIRED: 422,
    uri.LIMIT_EXCEEDED: 429,
    uri.AUTHENTICATION_FAILED: 503,
    uri.SYSTEM_SHUTDOWN: 503,
}
"""What the end of a session, or of the attempt to join, is in HTTP; any other is a refusal: 403."""

_TITLES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}
"""As RFC 9110 has them; older Pythons know older names."""

_SECONDS_TO_WAIT: Final = {409: 1, 429: 1, 503: 5}

_FRESH: Final = ((b"Cache-Control", b"no-store"),)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answer(Response):
    """A response to a backend.

    Attributes:
        settled: whether something was done, or may have been: then a repeat under the same
            idempotency key gets this answer and does nothing.
    """

    settled: bool = False


class Unserved(Exception):
    """A request is answered with a problem instead of being served."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def result(value: object, *, status: int = 200) -> Answer:
    """The answer to a request that did something."""
    return Answer(status, _encode(value), JSON, _FRESH, settled=True)


def problem_of(
    status: int, detail: str, error: str = "", args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
) -> Problem:
    """A problem's description.

    Args:
        status: of HTTP.
        detail: for the client; holds no secret.
        error: the WAMP error URI; empty for none.
        args: what a callee's error carries, plain values.
        kwargs: likewise, by name.
    """
    return Problem(
        type="about:blank",
        title=_TITLES.get(status) or HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        error=error,
        args=binary_to_json(list(args)),
        kwargs=binary_to_json(dict(kwargs or {})),
    )


def refusal(problem: Problem, *headers: tuple[bytes, bytes], settled: bool = False) -> Answer:
    """The answer that tells a problem; says when to come back where that helps."""
    wait = _SECONDS_TO_WAIT.get(problem.status)
    if wait is not None and not settled:
        headers = (*headers, (b"Retry-After", b"%d" % wait))
    return Answer(problem.status, _encode(problem), PROBLEM, (*_FRESH, *headers), settled)


def unserved(status: int, detail: str, error: str = "", *headers: tuple[bytes, bytes]) -> Unserved:
    """To be raised where a request can't be served."""
    return Unserved(refusal(problem_of(status, detail, error), *headers))


def unauthenticated(detail: str, error: str, *, shown: bool) -> Answer:
    """401, with the challenge of RFC 6750.

    Args:
        detail: for the client.
        error: the WAMP error URI.
        shown: whether a token was there.
    """
    challenge = b'Bearer realm="wampgate", error="invalid_token"' if shown else b'Bearer realm="wampgate"'
    return refusal(problem_of(401, detail, error), (b"WWW-Authenticate", challenge))


def ended(error: str, detail: str) -> Answer:
    """The answer to a request whose session can't begin, or came to an end before there was one."""
    status = STATUS_BY_ENDING.get(error, 403)
    if status == 401:
        return unauthenticated(detail, error, shown=error != uri.AUTHENTICATION_REQUIRED)
    return refusal(problem_of(status, detail, error))


def join_refused(why: JoinRefused) -> Answer:
    """The answer to a request whose principal may not join."""
    return ended(why.error, why.message)
