"""A weak caller gets through each path exactly what it gets directly: one table over all principals, paths and topics.

The direct way is the measure: PUBLISH, CALL and SUBSCRIBE over WAMP. Beside it stand the
procedures that publish and read for others, and HTTP; what they answer, what subscribers are
sent and what they are told of the publisher has to be the same.
"""

from __future__ import annotations

import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from conftest import principal, rule, static_configuration, ticket_of
from integration.http.plain_http import ask
from integration.revocation.rights import SqliteRows, token_of
from raw_wamp import ERROR, INVOCATION, YIELD, Peer, WampError
from raw_websocket import Closed, Ended
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY = ("subscribe", "publish", "call", "register")

PRINCIPALS = ("strong", "weak", "mute", "reader", "anna", "bert")
"""The first four are named by router.json; anna belongs to organization 7, bert to none."""

TOPICS = (
    ("com.example.news", {}),
    ("com.example.news", {"disclose_me": True}),
    ("com.example.secret.news", {}),
    ("com.example.secret.news", {"disclose_me": True}),
    ("com.example.open.news", {}),
    ("com.example.forbidden.news", {}),
    ("com.other", {}),
    ("organization.7", {}),
    ("organization.7.chat", {"disclose_me": True}),
    ("organization.8.chat", {}),
    ("organization.77.chat", {}),
    ("user.anna", {}),
    ("wampgate.revoked", {}),
    ("wampgate.gap", {}),
    ("wamp.session.on_join", {}),
    ("com..example", {}),
    ("com.example.news news", {}),
    ("com.example.secret.news", {"eligible_authrole": ["strong"]}),
)

PROCEDURES = (
    "com.example.echo",
    "com.example.fail",
    "com.example.nobody",
    "com.example.secret.echo",
    "com.other",
    "wampgate.explain",
    "wampgate.organizations",
    "wampgate.sessions.kill",
    "wamp.session.count",
    "com..example",
)

SUBSCRIPTIONS = (
    ("com.example.news", "exact"),
    ("com.example.", "prefix"),
    ("com.example.forbidden.news", "exact"),
    ("com..news", "wildcard"),
    ("", "prefix"),
    ("organization.7", "exact"),
    ("organization.7.", "prefix"),
    ("organization.7", "prefix"),
    ("organization.8", "exact"),
    ("organization.", "wildcard"),
    ("user.anna", "exact"),
    ("user.bert", "exact"),
    ("wamp.session.on_join", "exact"),
    ("com..example", "exact"),
)


@dataclass(frozen=True)
class World:
    """A router in which principals of every strength meet."""

    router: RouterProcess
    subscriber: Peer

    def ticket(self, who: str) -> str:
        return token_of(who) if who in ("anna", "bert") else ticket_of(who)

    def join(self, who: str) -> Peer:
        return Peer(self.router.port).join(self.ticket(who))

    def events(self) -> list[tuple[Any, ...]]:
        """What subscribers were sent since one last looked: topic, payload, and who is said to have published."""
        return [
            (event[3]["topic"], event[3].get("publisher_authid"), event[3].get("publisher_authrole"), *event[4:])
            for event in self.subscriber.events()
        ]


def configuration(rows: SqliteRows) -> dict[str, Any]:
    rules = [
        rule("strong", EVERY, "com.", "prefix"),
        rule("strong", ["subscribe", "publish"], "organization.", "prefix"),
        rule("strong", ["subscribe", "publish"], "user.", "prefix"),
        rule("strong", ["call"], "wampgate.explain"),
        rule("weak", ["subscribe", "publish", "call"], "com.example.", "prefix"),
        rule("weak", ["subscribe", "publish", "call"], "com.example.forbidden.", "prefix", allow=False),
        rule("reader", ["subscribe"], "com.example.", "prefix"),
        rule("mute", ["publish"], "com.example.", "prefix"),
        rule("member", ["publish"], "com.example.open.", "prefix", disclose="always"),
        *(rule(role, ["call"], "wampgate.publish") for role in ("strong", "weak", "reader", "member")),
        *(
            rule(role, ["publish", "call"], "com.example.secret.", "prefix", disclose="never")
            for role in ("strong", "weak")
        ),
        *(rule(role, ["publish"], "com.example.open.", "prefix", disclose="always") for role in ("strong", "weak")),
    ]
    realm = {
        "name": "realm1",
        "store": rows.configuration(),
        "authentication": {
            "ticket": {"role": "member"},
            "principals": [principal(name, name) for name in ("strong", "weak", "mute", "reader")],
        },
        "authorization": {
            "rules": rules,
            "topics": [
                {"topic": "organization.{organization}.chat", "actions": ["subscribe", "publish"]},
                {"topic": "user.{user}"},
            ],
        },
        "topics": [{"uri": "", "match": "prefix", "history": {}}],
    }
    listen = [{"endpoint": "tcp:0:interface=127.0.0.1", "serves": ["wamp", "backend"]}]
    return static_configuration(listen=listen) | {"realms": [realm]}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The router, one who hears everything that anyone may publish, and two procedures."""
    with tempfile.TemporaryDirectory(prefix="wampgate-paths-") as folder:
        rows = SqliteRows(folder)
        for user, organizations in (("anna", ("7",)), ("bert", ())):
            rows.add_token(token_of(user), user)
            for organization in organizations:
                rows.add_member(organization, user)
        with RouterProcess(configuration(rows)) as router:
            subscriber = Peer(router.port).join(ticket_of("strong"))
            for pattern in ("com.", "organization.", "user."):
                subscriber.subscribe(pattern, match="prefix")
            callee = Peer(router.port, timeout=600).join(ticket_of("strong"))
            for procedure in ("com.example.echo", "com.example.fail", "com.example.secret.echo"):
                callee.register(procedure, disclose_caller=False)
            answering = threading.Thread(target=answer, args=(callee,))
            answering.start()
            yield World(router, subscriber)
            subscriber.close()
        answering.join(10)
        callee.close()


def answer(callee: Peer) -> None:
    """Answer each call with what its callee was told, and fail where that is asked for, until the router ends."""
    with suppress(Closed, Ended, OSError):
        while True:
            _, request, _, details, *payload = callee.receive()
            told = {name: details.get(name) for name in ("caller_authid", "caller_authrole")}
            if payload[0] == ["fail"]:
                callee.send(ERROR, INVOCATION, request, {}, "com.example.error.asked_for", payload[0], told)
            else:
                callee.send(YIELD, request, {}, payload[0], told)


def outcome(ask_for: Any) -> str:
    """What a WAMP client gets: "ok", or the error's URI."""
    try:
        ask_for()
    except WampError as error:
        return error.uri
    return "ok"


def http_outcome(response: Any) -> str:
    return "ok" if response.status == 200 else str(response.problem["error"])


def publishing_paths(world: World, who: str, topic: str, options: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """What publishing comes to by each path: the answer, and what subscribers were sent."""
    found: dict[str, tuple[str, Any]] = {}
    ticket, port = world.ticket(who), world.router.port
    event = {"topic": topic, "args": ["x"], "kwargs": {"n": 1}, "options": options}
    positional = [topic, ["x"], {"n": 1}, options]
    assert world.events() == []
    with world.join(who) as peer:
        found["PUBLISH"] = outcome(lambda: peer.publish(topic, ["x"], {"n": 1}, **options)), world.events()
        found["CALL"] = outcome(lambda: peer.call("wampgate.publish", positional)), world.events()
    found["/publish"] = http_outcome(ask(port, "/publish", event, ticket)), world.events()
    batch = ask(port, "/publish/batch", {"publications": [event]}, ticket)
    if batch.status in (200, 207):
        (one,) = batch.json["results"]
        found["/publish/batch"] = ("ok" if "publication" in one else one["problem"]["error"]), world.events()
    else:
        found["/publish/batch"] = http_outcome(batch), world.events()
    called = ask(port, "/call", {"procedure": "wampgate.publish", "args": positional}, ticket)
    found["/call"] = http_outcome(called), world.events()
    return found


@pytest.mark.parametrize("who", PRINCIPALS)
def test_publishing(world: World, who: str) -> None:
    allowed = 0
    for topic, options in TOPICS:
        found = publishing_paths(world, who, topic, options)
        direct = found.pop("PUBLISH")
        allowed += direct[0] == "ok"
        for path, result in found.items():
            # Whoever may not call the procedure gets nothing by it, whatever it could do directly.
            expected = ("wamp.error.not_authorized", []) if who == "mute" and path in ("CALL", "/call") else direct
            assert result == expected, (who, topic, options, path)
        if direct[0] != "ok":
            assert direct[1] == []
        elif options.get("eligible_authrole") != ["strong"] or who != "strong":
            assert len(direct[1]) == 1, (who, topic)
    # The table would prove nothing if everything were refused, or everything allowed.
    assert allowed < len(TOPICS)
    assert (allowed > 0) == (who not in ("reader", "bert") or who == "bert")


@pytest.mark.parametrize("who", PRINCIPALS)
@pytest.mark.parametrize("options", [{}, {"disclose_me": True}], ids=["plainly", "disclosed"])
def test_calling(world: World, who: str, options: dict[str, Any]) -> None:
    outcomes = set()
    for procedure in PROCEDURES:
        args = ["fail" if procedure == "com.example.fail" else "a"]
        kwargs = {"b": 1}
        if procedure == "wampgate.organizations":
            args, kwargs = [], {}
        with world.join(who) as peer:
            try:
                request = peer.start_call(procedure, args, kwargs, **options)
                result = peer.result(request)
                direct: Any = ("ok", *(result[3:] + [[], {}][len(result) - 3 :]))
            except WampError as error:
                direct = (error.uri, *(error.message[5:] + [[], {}][len(error.message) - 5 :]))
        body = {"procedure": procedure, "args": args, "kwargs": kwargs, "options": options}
        response = ask(world.router.port, "/call", body, world.ticket(who))
        told = response.json if response.status == 200 else response.problem
        by_http: Any = (told.get("error", "ok"), told.get("args", []), told.get("kwargs", {}))
        if direct[0] == "wamp.error.invalid_uri":
            # HTTP names what is wrong in its own words; the error is the same.
            direct, by_http = direct[:1], by_http[:1]
        assert by_http == direct, (who, procedure)
        outcomes.add(direct[0])
    assert "wamp.error.not_authorized" in outcomes
    assert ("ok" in outcomes) == (who in ("strong", "weak", "anna", "bert"))


@pytest.mark.parametrize("who", PRINCIPALS)
def test_reading_a_history(world: World, who: str) -> None:
    """What can't be subscribed to can't be read afterwards either, and with the same words."""
    strong = world.ticket("strong")
    news = {"publications": [{"topic": topic, "args": ["old"]} for topic in ("com.example.news", "organization.7")]}
    assert ask(world.router.port, "/publish/batch", news, strong).status == 200
    world.events()
    seen = 0
    for topic, match in SUBSCRIPTIONS:
        with world.join(who) as peer:
            direct = outcome(lambda topic=topic, match=match: peer.subscribe(topic, match=match))
            call = outcome(lambda topic=topic, match=match: peer.call("wampgate.history.recover", [topic, match]))
        body = {"procedure": "wampgate.history.recover", "args": [topic, match]}
        response = ask(world.router.port, "/call", body, world.ticket(who))
        assert (call, http_outcome(response)) == (direct, direct), (who, topic, match)
        if direct == "ok":
            seen += len(response.json["kwargs"]["events"])
    assert (seen > 0) == (who in ("strong", "weak", "reader", "anna"))


def test_a_subscription_of_others_shows_nothing_by_its_id(world: World) -> None:
    with world.join("strong") as strong:
        subscription = strong.subscribe("organization.7", match="exact")
        for who in PRINCIPALS:
            with world.join(who) as peer:
                direct = outcome(lambda: peer.subscribe("organization.7", match="exact"))
                call = outcome(lambda: peer.call("wamp.subscription.get_events", [subscription]))
            body = {"procedure": "wamp.subscription.get_events", "args": [subscription]}
            by_http = http_outcome(ask(world.router.port, "/call", body, world.ticket(who)))
            assert call == by_http, who
            assert (call == "ok") == (direct == "ok"), who
