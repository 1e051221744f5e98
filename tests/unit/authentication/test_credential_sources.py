"""Where principals are known: the configuration first, and nobody else gives away who is the configuration's."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.authentication.proving import KEY, PLAIN, STATIC, Table, cra, credentials, hello, public, routed
from unit.core.routed import Clock, outcome_of

from wampgate.authentication.mock_credentials import MockCredentials
from wampgate.authentication.sources import CredentialChain, KnownPrincipals
from wampgate.authentication.static_credentials import StaticCredentials
from wampgate.core.errors import JoinRefused, StoreUnavailable, uri
from wampgate.core.interfaces import Connection, Credentials, Known

if TYPE_CHECKING:
    from wampgate.wire.messages import HelloDetails

JOE = credentials("joe", {"secret": "x"}, "", provider="store", user="17", extra={"seat": 3})


class Refusing:
    """A source that always refuses."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def credentials(
        self, authmethod: str, authid: str | None, key: str | None, details: HelloDetails, connection: Connection
    ) -> Credentials | None:
        """See :class:`wampgate.core.interfaces.CredentialSource`."""
        raise self._error


def test_the_first_that_knows_someone_has_the_say() -> None:
    first, second = Table(("wampcra", JOE)), Table(("wampcra", JOE), ("wampcra", credentials("ann", {"secret": "y"})))
    chain = CredentialChain([first, second])
    assert outcome_of(chain.credentials("wampcra", "joe", None, hello(), PLAIN)) is JOE
    assert second.asked == []
    assert outcome_of(chain.credentials("wampcra", "ann", None, hello(), PLAIN)).authid == "ann"
    assert outcome_of(chain.credentials("wampcra", "bob", None, hello(), PLAIN)) is None


@pytest.mark.parametrize(
    "stolen",
    [
        credentials("backend", {"secret": "x"}, provider="store"),
        credentials("joe", {"secret": "x"}, provider="store", user="backend"),
        credentials("joe", {"secret": "x"}, "wampgate.bridge.main", provider="dynamic"),
        credentials("joe", {"secret": "x"}, "wampgate", provider="dynamic"),
        credentials("wampgate.x", {"secret": "x"}, provider="dynamic"),
    ],
)
def test_no_source_gives_away_what_is_the_configuration_s_or_the_router_s(stolen: Credentials) -> None:
    router = routed(Table(("wampcra", stolen)))
    peer = router.peer()
    (challenge,) = peer.hello(authmethods=["wampcra"], authid=stolen.authid)
    assert challenge[0] == 4
    (abort,) = peer.say(5, cra("x", challenge[2]["challenge"]), {})
    assert abort[2] == uri.AUTHENTICATION_DENIED
    assert "credentials" in str(router.records[-1][1]["because"])


def test_what_a_source_tells_is_what_the_session_is() -> None:
    row = Known("wampcra", "joe", content="c")
    joe = credentials(
        "joe", {"secret": "x"}, "", provider="store", user="17", extra={"seat": 3}, known=row, seconds_left=60
    )
    router = routed(Table(("wampcra", joe)))
    peer = router.peer()
    (challenge,) = peer.hello(authmethods=["wampcra"], authid="joe")
    (welcome,) = peer.say(5, cra("x", challenge[2]["challenge"]), {})
    assert (welcome[2]["authrole"], welcome[2]["authprovider"]) == ("member", "store")
    assert welcome[2]["authextra"]["seat"] == 3
    principal = peer.session.principal
    assert (principal.user, principal.known) == ("17", row)
    router.pass_time(61)
    assert peer.heard()[-1][2] == uri.TOKEN_EXPIRED


@pytest.mark.parametrize("left", [0, -1, math.nan])
def test_credentials_that_have_expired(left: float) -> None:
    source = Table(("wampcra", credentials("joe", {"secret": "x"}, seconds_left=left)))
    known = KnownPrincipals(source, role="member", now=Clock())
    assert "have expired" in outcome_of(known.look_up("wampcra", "joe", None, hello(), PLAIN))


def test_who_is_denied_learns_it_at_the_end_like_everyone() -> None:
    router = routed(Refusing(JoinRefused(uri.AUTHENTICATION_DENIED, "no such user", "log")))
    peer = router.peer()
    (challenge,) = peer.hello(authmethods=["wampcra"], authid="joe")
    assert challenge[0] == 4
    (abort,) = peer.say(5, cra("x", challenge[2]["challenge"]), {})
    assert abort[1:3] == [{"message": "the credentials are not accepted"}, uri.AUTHENTICATION_DENIED]
    assert router.records[-1][1]["because"] == "log"


def test_other_refusals_come_at_once() -> None:
    router = routed(Refusing(JoinRefused("com.example.closed", "the house is closed")))
    (abort,) = router.peer().hello(authmethods=["wampcra"], authid="joe")
    assert abort[1:3] == [{"message": "the house is closed"}, "com.example.closed"]
    router = routed(Refusing(StoreUnavailable("down")))
    peer = router.peer()
    peer.hello(authmethods=["wampcra"], authid="joe")
    assert peer.closed is not None
    assert peer.closed[0] == 1013


def test_static_keys_are_found_by_themselves_and_fit_their_authid_only() -> None:
    static = StaticCredentials(STATIC)
    key = public(KEY)
    assert outcome_of(static.credentials("cryptosign", None, key, hello(), PLAIN)).authid == "ann"
    assert outcome_of(static.credentials("cryptosign", "ann", key, hello(), PLAIN)).authid == "ann"
    assert outcome_of(static.credentials("cryptosign", "joe", key, hello(), PLAIN)) is None
    assert outcome_of(static.credentials("cryptosign", "ann", None, hello(), PLAIN)) is None
    assert outcome_of(static.credentials("cryptosign", "ann", "ab" * 32, hello(), PLAIN)) is None
    assert outcome_of(static.credentials("tls", None, key, hello(), PLAIN)) is None
    assert outcome_of(static.credentials("wampcra", "argon", None, hello(), PLAIN)) is None


# --- made up ---

MODELS = [each for method, each in STATIC if method == "scram"]


@given(authid=st.text(max_size=20), key=st.binary(min_size=32, max_size=32))
def test_what_is_made_up_stays_the_same_and_looks_like_what_is_known(authid: str, key: bytes) -> None:
    made = MockCredentials(MODELS, key).of(authid)
    assert made == MockCredentials(MODELS, key).of(authid)
    (model,) = (each for each in MODELS if each.secret["kdf"] == made.secret["kdf"])
    assert made.secret.keys() == model.secret.keys()
    for name in ("salt", "stored_key", "server_key"):
        assert len(made.secret[name]) == len(model.secret[name])
        assert made.secret[name] != model.secret[name]
    assert (made.authid, made.authrole, made.provider) == (authid, "client", "static")


def test_what_is_made_up_is_not_another_process_s_nor_another_authid_s() -> None:
    one, two = MockCredentials(MODELS), MockCredentials(MODELS)
    assert one.of("joe").secret["salt"] != two.of("joe").secret["salt"]
    assert len({one.of(f"joe-{number}").secret["salt"] for number in range(1000)}) == 1000
