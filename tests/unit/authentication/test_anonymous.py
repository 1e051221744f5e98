"""The authmethod anonymous: a role from the configuration, a name that nobody chose."""

from __future__ import annotations

import pytest
from unit.core.routed import outcome_of

from wampgate.authentication.anonymous import AnonymousAuthenticator
from wampgate.core.errors import JoinRefused
from wampgate.core.interfaces import Challenge, Connection
from wampgate.wire.messages import ClientRoles, HelloDetails

CONNECTION = Connection("127.0.0.1:50000", "127.0.0.1")


def test_everyone_is_taken_in_under_a_name_of_the_router_s() -> None:
    authenticator = AnonymousAuthenticator("guest")
    details = HelloDetails(roles=ClientRoles(), authid="root", authrole="admin")
    principals = [outcome_of(authenticator.hello(details, CONNECTION)) for _ in range(50)]
    assert len({principal.authid for principal in principals}) == 50
    for principal in principals:
        assert principal.authid.startswith("anonymous-")
        assert (principal.authrole, principal.authmethod, principal.user) == ("guest", "anonymous", None)
        assert (principal.expires, principal.token_id) == (None, None)


def test_an_answer_to_no_question_is_refused() -> None:
    details = HelloDetails(roles=ClientRoles())
    with pytest.raises(JoinRefused):
        outcome_of(AnonymousAuthenticator("guest").authenticate(details, Challenge("anonymous"), "x", {}))
