"""The dynamic authenticator through the router: who it vouches for gets in, and whatever goes wrong, nobody does."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from unit.core.asked import Waiting, invocations, invoked, registered
from unit.core.routed import RULES, Peer, RealmUnderTest, rule

from wampgate.authentication.dynamic import DynamicAnonymous, DynamicAuthenticator
from wampgate.authentication.ticket import StaticPrincipal, TicketAuthenticator
from wampgate.core.errors import StoreUnavailable
from wampgate.core.guesses import Guesses
from wampgate.core.interfaces import Connection, Credentials, Secured, Ticket
from wampgate.core.local_caller import CALLER, LocalCaller
from wampgate.wire.messages import ClientRoles, HelloDetails

ASK = "com.example.authenticate"
BACKEND = "the ticket of backend"
METHODS = ("ticket", "anonymous", "wampcra", "scram", "cryptosign", "tls")


class Door:
    """A realm whose sessions a procedure vouches for, and the backend that offers it."""

    def __init__(self, *, role: str | None = None, methods: tuple[str, ...] = METHODS, store: bool = False) -> None:
        self.under_test = RealmUnderTest(rules=(*RULES, rule(CALLER.authrole, ["call"], ASK)))
        self.routed = Waiting(self.under_test, goodbye="auto")
        self.realm = self.under_test.realm
        clock = self.routed.clock
        self.dynamic = DynamicAuthenticator("realm1", ASK, methods=methods, role=role, reserved=["backend"], now=clock)
        self.guesses = Guesses(3, clock)
        self.caller = LocalCaller(self.realm, self.routed.deadlines, seconds=2.0, limit=100)
        self.dynamic.bind(self.caller, self.guesses)
        backend = StaticPrincipal("backend", "backend", sha256(BACKEND.encode()).hexdigest())
        ticket = TicketAuthenticator(
            principals=[backend], store=self.under_test.store if store else None, now=clock, judge=self.dynamic
        )
        self.realm.authenticators = {"ticket": ticket, "anonymous": DynamicAnonymous(self.dynamic)}

    def backend(self) -> Peer:
        """The backend, which joins by a ticket of its own and offers the procedure."""
        peer = self.routed.peer("10.0.0.1").join(BACKEND)
        registered(peer, ASK)
        return peer

    def client(self, ticket: str = "s3cret", **hello: Any) -> Peer:
        """A client that has shown its ticket."""
        peer = self.routed.peer()
        assert peer.hello(authmethods=["ticket"], **hello) == [[4, "ticket", {}]]
        assert peer.say(5, ticket, {}) == []
        return peer

    def because(self) -> str:
        """Why the last join was refused, as the log tells it."""
        refusals = [fields["because"] for event, fields in self.routed.records if event == "join_refused"]
        return str(refusals[-1])


def answer(backend: Peer, *payload: Any) -> list[Any]:
    """Answer the one question that has come; the question's arguments."""
    question = invoked(backend)
    backend.say(70, question[1], {}, *payload)
    return list(question[4])


def welcome(peer: Peer) -> dict[str, Any]:
    (message,) = peer.heard()
    assert message[0] == 2, message
    details: dict[str, Any] = message[2]
    return details


def refused(peer: Peer) -> tuple[str, int]:
    """How a peer was refused: by ABORT or by the close code alone."""
    heard = peer.heard()
    assert [message[0] for message in heard] in ([3], [])
    assert peer.closed is not None
    return (heard[0][2] if heard else "", peer.closed[0])


def test_it_is_told_who_knocks_and_its_answer_says_who_comes_in() -> None:
    door = Door()
    backend = door.backend()
    client = door.client(authid="joe", authextra={"device": 7})
    realm, authid, details = answer(backend, [{"role": "member", "user": 42, "extra": {"plan": "gold"}}])
    assert (realm, authid) == ("realm1", "joe")
    assert details == {
        "authmethod": "ticket",
        "authextra": {"device": 7},
        "ticket": "s3cret",
        "transport": {
            "peer": "127.0.0.1:50000",
            "address": "127.0.0.1",
            "secure": False,
            "agent": "",
            "client_cert": None,
        },
    }
    told = welcome(client)
    assert (told["authid"], told["authrole"], told["authmethod"], told["authprovider"]) == (
        "joe",
        "member",
        "ticket",
        "dynamic",
    )
    assert told["authextra"]["plan"] == "gold"
    principal = client.session.principal
    assert (principal.user, principal.expires) == ("42", None)
    assert principal.token_id == sha256(b"s3cret").hexdigest()
    assert client.session in door.realm.sessions_by_user["42"]


def test_its_answer_may_name_someone_else_and_take_the_default_role() -> None:
    door = Door(role="guest")
    backend = door.backend()
    client = door.client(authid="joe@example.org")
    answer(backend, [{"authid": "ID7"}])
    told = welcome(client)
    assert (told["authid"], told["authrole"]) == ("ID7", "guest")


def test_a_session_ends_when_its_answer_said() -> None:
    door = Door()
    backend = door.backend()
    client = door.client(authid="joe")
    answer(backend, [{"role": "member", "expires_in": 30}])
    welcome(client)
    door.routed.pass_time(29)
    assert client.heard() == []
    door.routed.pass_time(2)
    (goodbye,) = client.heard()
    assert (goodbye[0], goodbye[2]) == (6, "wampgate.close.token_expired")


def test_its_memberships_are_the_user_s_that_it_names() -> None:
    door = Door()
    door.under_test.add_user("42", "7")
    backend = door.backend()
    client = door.client(authid="joe")
    answer(backend, [{"role": "nothing", "user": "42"}])
    welcome(client)
    assert client.ask(32, {}, "organization.7")[0][0] == 33
    assert client.ask(32, {}, "organization.8")[0][0] == 8


@pytest.mark.parametrize("said", [[None], [False], []])
def test_nobody_is_refused_as_with_any_wrong_token(said: list[Any]) -> None:
    door = Door()
    backend = door.backend()
    client = door.client()
    answer(backend, said)
    assert refused(client) == ("wamp.error.authentication_denied", 1008)
    assert door.because() == f"{ASK} knows no such ticket"


@pytest.mark.parametrize(
    "error",
    [
        "com.example.no_such_user",
        "wamp.error.authentication_denied",
        "wamp.error.not_authorized",
        "wamp.error.no_such_principal",
    ],
)
def test_an_error_of_its_own_says_no(error: str) -> None:
    door = Door()
    backend = door.backend()
    client = door.client()
    backend.say(8, 68, invoked(backend)[1], {}, error, ["no such ticket: s3cret"])
    assert refused(client) == ("wamp.error.authentication_denied", 1008)
    assert "s3cret" not in str(door.routed.records)


def test_refused_tickets_count_as_guesses() -> None:
    door = Door()
    backend = door.backend()
    for number in range(50):
        client = door.client(f"guess {number}")
        answer(backend, [None])
        refused(client)
    client = door.routed.peer()
    client.hello(authmethods=["ticket"])
    heard = client.say(5, "one more", {})
    assert heard[0][2] == "wamp.error.authentication_denied"
    assert invocations(backend) == []


# --- what keeps it from answering ---


def test_nobody_has_registered_it() -> None:
    door = Door()
    client = door.client()
    assert refused(client) == ("", 1013)
    assert door.because() == f"the dynamic authenticator {ASK}: nobody has registered it"


def test_it_was_never_bound() -> None:
    door = Door()
    door.dynamic._caller = None
    client = door.client()
    assert refused(client) == ("", 1013)


def test_it_is_late() -> None:
    door = Door()
    backend = door.backend()
    client = door.client()
    question = invoked(backend)
    door.routed.pass_time(2.1)
    assert refused(client) == ("", 1013)
    assert door.because() == f"the dynamic authenticator {ASK}: it did not answer within 2 s"
    backend.say(70, question[1], {}, ["member"])
    assert client.heard() == []
    assert len(door.realm.sessions) == 1


@pytest.mark.parametrize("error", ["wamp.error.runtime_error", "wamp.error.invalid_argument", "wamp.error.canceled"])
def test_it_fails(error: str) -> None:
    door = Door()
    backend = door.backend()
    client = door.client()
    backend.say(8, 68, invoked(backend)[1], {}, error, ["Traceback: s3cret"])
    assert refused(client) == ("", 1013)
    assert ASK in door.because()
    assert "s3cret" not in str(door.routed.records)


def test_it_leaves() -> None:
    door = Door()
    backend = door.backend()
    client = door.client()
    backend.leave()
    assert refused(client) == ("", 1013)
    assert door.because().endswith("its callee left before it answered")


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ([{"role": "wampgate.caller"}], "role"),
        ([{"authid": "joe"}], "role"),
        ([{"role": "member", "authid": "backend"}], "authid"),
        ([{"role": "member", "user": "backend"}], "authid"),
        ([{"role": "member"}], "authid"),
        ([7], "object"),
        (["member", "joe"], "one value"),
    ],
)
def test_it_answers_nonsense(said: list[Any], named: str) -> None:
    door = Door()
    backend = door.backend()
    client = door.client()
    answer(backend, said)
    assert refused(client) == ("", 1013)
    assert door.because().startswith(f"the dynamic authenticator {ASK} answers nonsense: ")
    assert named in door.because()
    assert len(door.realm.sessions) == 1


def test_no_ticket_is_in_the_log_whatever_happens() -> None:
    door = Door()
    backend = door.backend()
    for said in (["member"], [None], [{"role": "s3cret!"}], [{"role": "member", "expires_in": "s3cret"}]):
        door.client(authid="joe")
        answer(backend, said)
    assert len(door.routed.records) >= 4
    assert "s3cret" not in str(door.routed.records)


# --- what decides first ---


def test_the_backend_that_offers_it_does_not_need_it() -> None:
    door = Door()
    backend = door.backend()
    assert backend.session.principal.authprovider == "static"
    again = door.routed.peer().join(BACKEND)
    assert again.session.established
    assert invocations(backend) == []


def test_what_the_store_knows_it_is_not_asked_about() -> None:
    door = Door(store=True)
    token = door.under_test.add_user("ann")
    late = door.under_test.add_user("eve", seconds=0)
    backend = door.backend()
    assert door.routed.peer().join(token).session.principal.authprovider == "store"
    expired = door.routed.peer()
    expired.hello(authmethods=["ticket"])
    assert expired.say(5, late, {})[0][2] == "wamp.error.authentication_denied"
    assert invocations(backend) == []
    door.client("unknown to the store")
    assert invoked(backend)[4][2]["ticket"] == "unknown to the store"


# --- without a name ---


def test_anonymous_sessions_are_whom_it_says() -> None:
    door = Door()
    backend = door.backend()
    client = door.routed.peer()
    client.hello(authmethods=["anonymous"], authid="i am root", authextra={"invitation": 7})
    realm, authid, details = answer(backend, ["guest"])
    assert (realm, authid, details["authmethod"]) == ("realm1", "i am root", "anonymous")
    told = welcome(client)
    assert told["authid"].startswith("anonymous-")
    assert (told["authrole"], told["authmethod"], told["authprovider"]) == ("guest", "anonymous", "dynamic")


def test_an_anonymous_session_may_get_a_name() -> None:
    door = Door()
    backend = door.backend()
    client = door.routed.peer()
    client.hello(authmethods=["anonymous"])
    answer(backend, [{"role": "guest", "authid": "visitor-1"}])
    assert welcome(client)["authid"] == "visitor-1"


def test_who_is_refused_too_often_it_is_asked_about_no_more() -> None:
    door = Door()
    # The router and the authenticator share one count of guesses, as the service makes it.
    door.dynamic.bind(door.caller, door.routed.router._guesses)
    backend = door.backend()
    for _ in range(50):
        client = door.routed.peer()
        client.hello(authmethods=["anonymous"])
        answer(backend, [None])
        assert refused(client) == ("wamp.error.authentication_denied", 1008)
    client = door.routed.peer()
    client.hello(authmethods=["anonymous"])
    assert invocations(backend) == []
    assert client.closed is not None
    other = door.routed.peer("10.9.9.9")
    other.hello(authmethods=["anonymous"])
    answer(backend, ["guest"])
    welcome(other)


# --- methods that check a secret themselves ---


def credentials(door: Door, method: str, authid: str | None = "joe", key: str | None = None, **facts: Any) -> list[Any]:
    """What is asked of it for a method: a list that its answer, or its failure, comes into."""
    connection = Connection("192.0.2.7:50000", "192.0.2.7", secure=True, agent="test", **facts)
    details = HelloDetails(roles=ClientRoles(), authid=authid, authextra={"nonce": "n"})
    found: list[Any] = []
    waiting = Deferred.fromCoroutine(door.dynamic.credentials(method, authid, key, details, connection))
    waiting.addCallbacks(found.append, lambda failure: found.append(failure.value))
    door.routed.flush()
    return found


def test_credentials_for_methods_that_check_a_secret_themselves() -> None:
    door = Door(role="member")
    backend = door.backend()
    found = credentials(door, "wampcra")
    _, authid, details = answer(backend, [{"secret": "s", "user": "42", "expires_in": 60, "extra": {"a": 1}}])
    assert (authid, details["authmethod"], details["authextra"]) == ("joe", "wampcra", {"nonce": "n"})
    assert details["transport"]["peer"] == "192.0.2.7:50000"
    assert found == [
        Credentials("joe", "member", "dynamic", {"secret": "s"}, user="42", extra={"a": 1}, seconds_left=60.0)
    ]


def test_a_key_is_told_and_its_owner_named() -> None:
    door = Door(role="member")
    backend = door.backend()
    found = credentials(door, "cryptosign", None, "ab" * 32)
    _, authid, details = answer(backend, [{"authid": "ID7", "pubkey": "AB" * 32}])
    assert (authid, details["key"]) == (None, "ab" * 32)
    assert found == [Credentials("ID7", "member", "dynamic", {"public_key": "ab" * 32})]


def test_a_certificate_is_told_by_its_fingerprint_and_subject() -> None:
    door = Door(role="member")
    backend = door.backend()
    der = certificate("joe's machine")
    digest = sha256(der).hexdigest()
    found = credentials(door, "tls", "joe", digest, secured=Secured(der), cookie=Ticket("c"), bearer=Ticket("b"))
    _, _, details = answer(backend, ["member"])
    assert details["transport"]["client_cert"] == {"fingerprint": digest, "subject": "CN=joe's machine"}
    assert set(details) == {"authmethod", "authextra", "transport", "key"}
    assert found == [Credentials("joe", "member", "dynamic", {"fingerprint": digest})]


@pytest.mark.parametrize("error", [None, "com.example.no_such_user"])
def test_one_whom_it_does_not_know_is_unknown(error: str | None) -> None:
    door = Door()
    backend = door.backend()
    found = credentials(door, "wampcra")
    question = invoked(backend)
    backend.say(*([70, question[1], {}, [None]] if error is None else [8, 68, question[1], {}, error]))
    assert found == [None]


def test_a_method_that_it_is_not_for_is_not_asked_about() -> None:
    door = Door(methods=("ticket",))
    backend = door.backend()
    assert credentials(door, "wampcra") == [None]
    assert invocations(backend) == []


@pytest.mark.parametrize(
    ("method", "authid", "key", "said"),
    [
        ("wampcra", "joe", None, ["member"]),
        ("cryptosign", None, "ab" * 32, [{"role": "member", "pubkey": "ab" * 32}]),
        ("cryptosign", "joe", "ab" * 32, ["member"]),
        ("tls", None, "ab" * 32, ["member"]),
    ],
)
def test_credentials_that_lack_something_are_nonsense(
    method: str, authid: str | None, key: str | None, said: list[Any]
) -> None:
    door = Door()
    backend = door.backend()
    found = credentials(door, method, authid, key)
    answer(backend, said)
    (failure,) = found
    assert isinstance(failure, StoreUnavailable)
    assert "nonsense" in str(failure)


# --- many at once ---


def test_a_silent_one_keeps_nobody_waiting_and_holds_few_questions() -> None:
    door = Door()
    backend = door.backend()
    clients = []
    for number in range(300):
        peer = door.routed.peer(f"10.1.{number // 250}.{number % 250}")
        peer.hello(authmethods=["ticket"])
        peer.say(5, f"ticket {number}", {})
        clients.append(peer)
    assert len(invocations(backend)) == 100
    door.routed.pass_time(2.1)
    assert {refused(client) for client in clients} == {("", 1013)}
    assert len(door.caller) == 0
    assert backend.heard() == []
    assert not backend.session.invocations
    assert len(door.realm.sessions) == 1


def test_a_client_that_leaves_meanwhile_is_not_let_in() -> None:
    door = Door()
    backend = door.backend()
    client = door.client(authid="joe")
    client.leave()
    answer(backend, ["member"])
    assert len(door.realm.sessions) == 1
    assert door.routed.failures == []


def certificate(name: str) -> bytes:
    """A certificate in DER that its own subject has signed."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding

    key = Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), 7, now, now + timedelta(days=1)).sign(key, None)
    return made.public_bytes(Encoding.DER)
