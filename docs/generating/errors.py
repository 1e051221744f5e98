"""The references of error URIs and of close codes, from the catalogue in ``wampgate/core/errors.py``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from docs.generating.markdown import table
from wampgate.core.errors import ENDINGS, uri
from wampgate.http.backend.answers import STATUS_BY_ENDING, STATUS_BY_ERROR

if TYPE_CHECKING:
    from wampgate.core.errors import Ending

_MEANINGS: Final = """
wamp.error.invalid_uri: A topic, procedure, realm or reason is no URI, or one below `wamp.` or `wampgate.` that is
    the router's own.
wamp.error.invalid_argument: Arguments are not of the form that the procedure, the method or the HTTP route takes;
    the message names it.
wamp.error.no_such_procedure: Nobody has registered it.
wamp.error.procedure_already_exists: Somebody has registered it, and not so that it can be shared.
wamp.error.no_such_registration: The session has no such registration, or may not see it.
wamp.error.no_such_session: There is no such session for the caller.
wamp.error.no_such_subscription: The session has no such subscription, or may not see it.
wamp.error.canceled: The call was canceled, or its callee has left.
wamp.error.timeout: The call took longer than its `timeout`.
wamp.error.no_available_callee: All callees of the procedure have as many calls as they take.
wamp.error.payload_size_exceeded: A message is longer than its receiver, or a limit of the router, takes.
wamp.error.protocol_violation: The client sent what the specification forbids; the message says what.
wamp.error.not_authorized: No rule, membership or authorizer allows it. The log says why, and so does
    `wampgate.explain`.
wamp.error.authorization_failed: It could not be decided: the store or the authorizer does not answer. Nothing is
    granted; ask again.
wamp.error.no_such_realm: `router.json` has no such realm.
wamp.error.no_such_role: Reserved by the specification; the router itself does not send it.
wamp.error.no_matching_auth_method: The realm takes none of the authmethods that were offered; the message names
    those it takes.
wamp.error.authentication_denied: The token, secret or certificate is not accepted. Only the log says why.
wamp.error.authentication_failed: It could not be checked: the store, the keys or the procedure do not answer, or no
    answer came in time.
wamp.error.authentication_required: No token was shown.
wamp.error.option_not_allowed: An option that this router does not let clients set in this place.
wamp.error.option_disallowed.disclose_me: `disclose_me` was asked for where a rule says `"disclose": "never"`.
wamp.error.feature_not_supported: What was asked for takes a feature that one of the peers has not.
wamp.close.close_realm: A client's reason for leaving; the router's, where a reload has taken the realm away.
wamp.close.goodbye_and_out: The answer to the other side's GOODBYE.
wamp.close.system_shutdown: The router stops, or a reload has changed what can be judged by a new login alone.
wamp.close.killed: An administrator, a backend or a rule of a bridge has ended the session.
wampgate.error.limit_exceeded: A limit of `router.json` is reached; see [limits.md](../limits.md).
wampgate.error.registration_displaced: Another session of the same authid has taken the registration over
    (`force_reregister`).
wampgate.error.organization_required: The realm wants an organization named when one joins.
wampgate.error.invalid_configuration: A changed `router.json` was not taken; the message names its mistakes, and nothing
    has changed.
wampgate.close.token_revoked: The token, login or row of credentials by which the session joined is gone.
wampgate.close.token_expired: The token's time is over.
"""

ERRORS: Final = """# Errors

Every URI by which the router refuses a request (ERROR), a session (ABORT) or ends one (GOODBYE, UNREGISTERED).
Those below `wamp.` are the specification's, those below `wampgate.` are the router's own. An error of a callee has
the callee's own URI. What stands under HTTP is the status of the answer where a [backend](../http.md) asked, or a
page at `/session`. The message beside the URI says what was wrong in that case; what would help to guess stands in
the log alone.
"""

CODES: Final = """# Close codes

Every WebSocket close code, and what stands behind it. `told` is what comes before the code where `goodbye` is
`"auto"`; `again` says whether the same attempt may succeed later. [How sessions end](../close-reasons.md) explains
the order of this catalogue, other values of `goodbye`, RawSocket, and how to come back.
"""

_BY_CODE: Final = {
    1000: "a session that ended in order",
    1002: "what the client sent is not allowed",
    1006: "never sent: the client sees it where the connection was dropped",
    1007: "text that is not UTF-8",
    1008: "credentials, rights or settings that are not accepted",
    1009: "a message that is too long",
    1012: "the router stops, or wants to be joined anew: come back",
    1013: "the router can't now: come back after a while",
}


def uris() -> list[str]:
    """All that the catalogue has, in its order."""
    return [value for name, value in vars(uri).items() if name.isupper()]


def meanings() -> dict[str, str]:
    """What each of them says, by the URI."""
    found = re.findall(r"^([\w.]+): (.+(?:\n .+)*)", _MEANINGS, re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in found}


def errors_page() -> str:
    """The page of URIs."""
    meaning = meanings()
    status_by_error = STATUS_BY_ENDING | STATUS_BY_ERROR
    rows = [[f"`{each}`", meaning.get(each, ""), str(status_by_error.get(each, ""))] for each in uris()]
    return f"{ERRORS}\n{table(('URI', 'meaning', 'HTTP'), rows)}"


def close_codes_page() -> str:
    """The page of close codes."""
    parts = [CODES]
    for code in sorted({ending.code for ending in ENDINGS}):
        rows = [_row(ending) for ending in ENDINGS if ending.code == code]
        parts.append(f"## {code}: {_BY_CODE[code]}\n\n{table(('end', 'told', 'reason', 'again', 'what to do'), rows)}")
    return "\n".join(parts)


def _row(ending: Ending) -> list[str]:
    reason = f"`{ending.reason}`" if ending.reason.startswith("wamp") else ending.reason or "none"
    return [ending.name, ending.told, reason, "yes" if ending.curable else "no", ending.advice]
