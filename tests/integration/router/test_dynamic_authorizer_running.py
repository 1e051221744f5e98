"""A dynamic authorizer on a running router: each action over each serializer, rights that change, and when it fails."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from callee import SILENCE, Callee, ProcedureError
from conftest import principal, rule, ticket_of
from raw_wamp import SERIALIZERS, Peer, WampError, random_name
from raw_websocket import Closed, Ended
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ASK = "com.backend.authorize"
FORGET = "wampgate.authorization.forget"
EVERY = ("subscribe", "publish", "call", "register")
MEMBERS = {"anna": ["7"], "bert": ["8"], "cleo": ["7", "8"]}
NOT_AUTHORIZED = "wamp.error.not_authorized"
FAILED = "wamp.error.authorization_failed"


def token_of(user: str) -> str:
    return f"token-of-{user}-0123456789"


def fill(database: Path) -> None:
    prepare_sqlite(database)
    with closing(sqlite3.connect(database)) as connection:
        for user, organizations in MEMBERS.items():
            hashed = sha256(token_of(user).encode()).hexdigest()
            connection.execute(
                "INSERT INTO oauth_access_tokens VALUES (?, 'test', ?, datetime('now', '+1 hour'), NULL)",
                (hashed, user),
            )
            rows = [(organization, user) for organization in organizations]
            connection.executemany("INSERT INTO organization_members VALUES (?, ?, '')", rows)
        connection.commit()


def configuration(database: Path, **dynamic: Any) -> dict[str, Any]:
    section = {"roles": ["member"], "procedure": ASK, "deadline_seconds": 1} | dynamic
    backends = [principal("backend", "backend"), principal("boss", "boss")]
    realm = {
        "name": "realm1",
        "store": {"type": "sqlite", "path": str(database)},
        "authentication": {"ticket": {}, "principals": backends},
        "authorization": {
            "rules": [
                rule("backend", ["register"], ASK),
                rule("backend", ["subscribe"], "com.backend.", "prefix"),
                rule("boss", ["call"], FORGET),
                rule("boss", ["call"], "wampgate.explain"),
                rule("boss", EVERY, "com.example.", "prefix"),
                rule("member", ["publish"], "com.example.forbidden.", "prefix", allow=False),
            ],
            "dynamic": [section],
        },
    }
    inside = {
        "name": "inside",
        "authentication": {"principals": backends},
        "authorization": {"rules": [rule("backend", ["register"], ASK)]},
    }
    return {"listen": [{"endpoint": "tcp:0:interface=127.0.0.1"}], "realms": [realm, inside]}


class Rights:
    """What the backend answers, by authid and last component: true, false, or what is put there."""

    def __init__(self) -> None:
        self.by_name: dict[tuple[str, str], Any] = {}

    def __call__(self, session: dict[str, Any], uri: str, action: str, options: dict[str, Any]) -> Any:
        answer = self.by_name.get((session["authid"], uri.rpartition(".")[2]), False)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    database = tmp_path_factory.mktemp("store") / "store.sqlite3"
    fill(database)
    with RouterProcess(configuration(database)) as process:
        yield process


@pytest.fixture
def rights() -> Rights:
    return Rights()


@pytest.fixture
def backend(router: RouterProcess, rights: Rights) -> Iterator[Callee]:
    with Callee(Peer(router.port).join(ticket_of("backend")), {ASK: rights}) as callee:
        yield callee


@pytest.fixture
def member(connect: Callable[..., Peer], router: RouterProcess) -> Callable[..., Peer]:
    return lambda user, serializer="json": connect(router, serializer).join(token_of(user))


@pytest.fixture
def boss(connect: Callable[..., Peer], router: RouterProcess) -> Peer:
    return connect(router).join(ticket_of("boss"))


def tried(act: Callable[[], Any]) -> str:
    try:
        act()
    except WampError as error:
        return str(error.uri)
    return "yes"


@pytest.mark.parametrize("serializer", SERIALIZERS)
@pytest.mark.parametrize("allowed", [True, False])
def test_each_action(
    member: Callable[..., Peer], backend: Callee, rights: Rights, serializer: str, allowed: bool
) -> None:
    topic = random_name()
    rights.by_name["anna", topic.rpartition(".")[2]] = allowed
    anna = member("anna", serializer)
    expected = "yes" if allowed else NOT_AUTHORIZED
    assert tried(lambda: anna.subscribe(topic)) == expected
    assert tried(lambda: anna.publish(topic, [1])) == expected
    assert tried(lambda: anna.register(topic)) == expected
    # Nobody else has registered it: a call of one's own procedure would wait for oneself.
    other = member("anna", serializer)
    assert tried(lambda: other.call(topic + ".x")) == NOT_AUTHORIZED
    assert [asked[2] for asked in backend.asked] == ["subscribe", "publish", "register", "call"]
    assert {asked[0]["authid"] for asked in backend.asked} == {"anna"}


def test_members_of_one_role_get_what_is_said_of_each(
    member: Callable[..., Peer], backend: Callee, rights: Rights
) -> None:
    topic = random_name()
    rights.by_name["anna", topic.rpartition(".")[2]] = True
    users = ["anna", "bert", "cleo"] * 3
    peers = [member(user) for user in users]
    assert [tried(lambda peer=peer: peer.subscribe(topic)) for peer in peers] == [  # type: ignore[misc]  # a default binds it
        "yes" if user == "anna" else NOT_AUTHORIZED for user in users
    ]
    assert len(backend.asked) == 3


def test_rules_and_memberships_come_first(member: Callable[..., Peer], backend: Callee, rights: Rights) -> None:
    rights.by_name |= {(user, name): True for user in MEMBERS for name in ("7", "8", "chat", "x", "")}
    anna = member("anna")
    assert tried(lambda: anna.subscribe("organization.7")) == "yes"
    assert tried(lambda: anna.subscribe("organization.8")) == NOT_AUTHORIZED
    assert tried(lambda: anna.subscribe("organization", match="prefix")) == NOT_AUTHORIZED
    assert tried(lambda: anna.subscribe("", match="prefix")) == NOT_AUTHORIZED
    assert tried(lambda: anna.publish("organization.8.chat")) == NOT_AUTHORIZED
    assert tried(lambda: anna.publish("com.example.forbidden.x")) == NOT_AUTHORIZED
    assert tried(lambda: anna.call("wampgate.explain", ["anna", "call", "x"])) == NOT_AUTHORIZED
    assert backend.asked == []
    assert tried(lambda: anna.publish("organization.7.chat")) == "yes"
    assert len(backend.asked) == 1


def test_the_backend_is_decided_by_rules_alone(router: RouterProcess, backend: Callee) -> None:
    with Peer(router.port) as second:
        second.join(ticket_of("backend"))
        second.subscribe("com.backend.x")
        assert tried(lambda: second.subscribe("com.example.x")) == NOT_AUTHORIZED
    assert backend.asked == []


def test_nobody_else_can_answer_for_it(member: Callable[..., Peer], router: RouterProcess) -> None:
    """The backend is not there; whoever takes its place could give itself everything."""
    anna = member("anna")
    for procedure, match in (
        (ASK, "exact"),
        ("com.backend.", "prefix"),
        ("", "prefix"),
        ("com..authorize", "wildcard"),
    ):
        request = anna.next_request()
        anna.send(64, request, {"match": match, "invoke": "first"}, procedure)
        with pytest.raises(WampError, match=NOT_AUTHORIZED):
            anna.answer(65, 64, request)
    assert tried(lambda: anna.subscribe("com.example.x")) == FAILED
    router.wait_for_log(f"the dynamic authorizer {ASK}: nobody has registered it")


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (SILENCE, "it did not answer within 1 s"),
        (ProcedureError("wamp.error.runtime_error"), "it failed with wamp.error.runtime_error"),
        ({"allow": "yes"}, "it answers nonsense: allow: true or false was expected"),
        (None, "it answers nonsense: true, false or an object with allow was expected"),
    ],
)
def test_when_it_can_not_say_nothing_is_granted(
    member: Callable[..., Peer], router: RouterProcess, rights: Rights, answer: Any, why: str
) -> None:
    topic = random_name()
    name = topic.rpartition(".")[2]
    rights.by_name["anna", name] = answer
    anna = member("anna")
    assert tried(lambda: anna.subscribe(topic)) == FAILED
    router.wait_for_log(why)
    rights.by_name["anna", name] = True
    assert tried(lambda: anna.subscribe(topic)) == "yes"


def test_rights_that_end_are_taken_away(
    member: Callable[..., Peer], boss: Peer, backend: Callee, rights: Rights
) -> None:
    topic = random_name()
    name = topic.rpartition(".")[2]
    anna, bert = member("anna"), member("bert")
    rights.by_name |= {("anna", name): True, ("bert", name): True}
    for peer in (anna, bert):
        peer.subscribe("wampgate.revoked")
        peer.subscribe(topic)
    boss.publish(topic, ["one"])
    assert anna.event()[4] == bert.event()[4] == ["one"]
    rights.by_name["anna", name] = False
    begun = time.monotonic()
    assert boss.result(boss.start_call(FORGET, [], {"authid": "anna"}))[3] == [1]
    assert anna.event()[5]["topic"] == topic
    assert time.monotonic() - begun < 1
    boss.publish(topic, ["two"])
    assert bert.event()[4] == ["two"]
    assert anna.events() == []
    assert tried(lambda: anna.subscribe(topic)) == NOT_AUTHORIZED


def test_explain(boss: Peer, backend: Callee, rights: Rights) -> None:
    topic = random_name()
    rights.by_name["cleo", topic.rpartition(".")[2]] = True
    result = boss.result(boss.start_call("wampgate.explain", ["cleo", "publish", topic]))
    assert result[4]["allowed"] is True
    assert result[4]["because"] == f"the dynamic authorizer {ASK}"


def test_it_is_in_another_realm(tmp_path: Path) -> None:
    fill(tmp_path / "store.sqlite3")
    with RouterProcess(configuration(tmp_path / "store.sqlite3", realm="inside")) as process:
        rights = Rights()
        home = Callee(Peer(process.port).join(ticket_of("backend"), realm="inside"), {ASK: rights})
        with home, Peer(process.port) as anna:
            rights.by_name["anna", "x"] = True
            anna.join(token_of("anna"))
            assert tried(lambda: anna.subscribe("com.example.x")) == "yes"
            assert tried(lambda: anna.subscribe("com.example.y")) == NOT_AUTHORIZED
            assert home.asked[0][0]["realm"] == "realm1"


def test_a_frozen_one_grants_nothing_and_keeps_no_queue(tmp_path: Path) -> None:
    """It holds its registration and reads nothing; members flood it, and others go on as if it were not there."""
    fill(tmp_path / "store.sqlite3")
    with RouterProcess(configuration(tmp_path / "store.sqlite3", calls=20)) as process:
        frozen = Peer(process.port).join(ticket_of("backend"))
        frozen.register(ASK)
        before = process.rss()
        outcomes: list[str] = []

        def flood() -> None:
            with Peer(process.port, timeout=30) as peer:
                peer.join(token_of("anna"))
                requests = [peer.next_request() for _ in range(300)]
                for request in requests:
                    peer.send(32, request, {}, f"com.example.{request}.{id(peer)}")
                outcomes.extend(
                    tried(lambda request=request: peer.answer(33, 32, request))  # type: ignore[misc]  # a default binds it
                    for request in requests
                )

        floods = [threading.Thread(target=flood) for _ in range(3)]
        for thread in floods:
            thread.start()
        with Peer(process.port) as boss:
            boss.join(ticket_of("boss"))
            longest = 0.0
            for _ in range(20):
                begun = time.monotonic()
                boss.publish("com.example.x", [1])
                longest = max(longest, time.monotonic() - begun)
                time.sleep(0.05)
            assert longest < 0.3
        for thread in floods:
            thread.join(40)
        assert len(outcomes) == 900
        assert set(outcomes) == {FAILED}
        assert process.rss() - before < 16 * 2**20
        frozen.close()


def test_one_that_calls_back_before_it_answers(tmp_path: Path) -> None:
    """By its own session and by another one's, which asks the router about the very request that waits for it."""
    fill(tmp_path / "store.sqlite3")
    made = configuration(tmp_path / "store.sqlite3")
    made["realms"][0]["authorization"]["rules"] += [
        rule("boss", ["register"], "com.backend.look_up"),
        rule("backend", ["call"], "com.backend.look_up"),
        rule("backend", ["call"], "wampgate.explain"),
    ]
    with RouterProcess(made) as process:
        backend = Peer(process.port).join(ticket_of("backend"))
        heard: list[Any] = []

        def decide(session: dict[str, Any], uri: str, action: str, options: dict[str, Any]) -> Any:
            if uri.endswith(".circle"):
                heard.append(tried(lambda: backend.call("wampgate.explain", [session["authid"], action, uri])))
                return True
            return backend.call("com.backend.look_up", [session["authid"], uri])

        look_up = Callee(
            Peer(process.port).join(ticket_of("boss")), {"com.backend.look_up": lambda who, _: who == "anna"}
        )
        with look_up, Callee(backend, {ASK: decide}), Peer(process.port) as anna, Peer(process.port) as bert:
            anna.join(token_of("anna"))
            bert.join(token_of("bert"))
            anna.subscribe("com.example.news")
            assert tried(lambda: bert.subscribe("com.example.news")) == NOT_AUTHORIZED
            # A question that waits for its own answer ends at its deadline, and nobody else waits with it.
            begun = time.monotonic()
            assert tried(lambda: anna.subscribe("com.example.circle")) == FAILED
            assert time.monotonic() - begun < 3
            anna.subscribe("com.example.more")
            assert len(heard) == 1


def test_a_shutdown_does_not_wait_for_what_is_asked(tmp_path: Path) -> None:
    fill(tmp_path / "store.sqlite3")
    made = configuration(tmp_path / "store.sqlite3", deadline_seconds=20)
    realm = made["realms"][0]
    who = "com.backend.authenticate"
    realm["authentication"]["dynamic"] = {"procedure": who, "methods": ["ticket"], "deadline_seconds": 20}
    realm["authorization"]["rules"].append(rule("backend", ["register"], who))

    def silent(*_: object) -> object:
        return SILENCE

    with RouterProcess(made) as process:
        backend = Peer(process.port).join(ticket_of("backend"))
        with (
            Callee(backend, {ASK: silent, who: silent}) as callee,
            Peer(process.port) as anna,
            Peer(process.port) as new,
        ):
            anna.join(token_of("anna"))
            anna.send(32, anna.next_request(), {}, "com.example.news")
            new.hello(authmethods=["ticket"])
            new.receive()
            new.send(5, "a ticket that nobody knows", {})
            deadline = time.monotonic() + 5
            while len(callee.asked) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            begun = time.monotonic()
            assert process.stop() == 0
            assert time.monotonic() - begun < 5
            # Nobody was let in, and nothing granted, on the way out.
            for peer in (anna, new):
                assert not any(message[0] in (2, 33) for message in until_closed(peer))


def until_closed(peer: Peer) -> list[Any]:
    messages = []
    try:
        while True:
            messages.append(peer.receive())
    except (Closed, Ended):
        return messages
