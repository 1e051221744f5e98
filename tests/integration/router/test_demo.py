"""The main job end to end, in the demo: who sees what, who is refused with which answer, and what the log may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from raw_wamp import Aborted, WampError

if TYPE_CHECKING:
    from collections.abc import Callable

    from raw_wamp import Peer
    from router_process import RouterProcess

CANARY = "canary-4b1dd9f0-this-token-must-not-be-written-anywhere"


@pytest.mark.parametrize("serializer", ["json", "msgpack", "cbor"])
def test_each_sees_the_organizations_that_are_theirs(
    demo: RouterProcess, join: Callable[..., Peer], serializer: str
) -> None:
    tokens = demo.tokens()
    alice = join(serializer=serializer, process=demo, ticket=tokens["alice"])
    bob = join(serializer=serializer, process=demo, ticket=tokens["bob"])
    backend = join(serializer=serializer, process=demo, ticket=tokens["backend"])
    alice_7, alice_8, bob_8 = (
        alice.subscribe("organization.7"),
        alice.subscribe("organization.8"),
        bob.subscribe("organization.8"),
    )
    with pytest.raises(WampError) as refused:
        bob.subscribe("organization.7")
    assert refused.value.uri == "wamp.error.not_authorized"
    seven = backend.call("wampgate.publish", ["organization.7", ["for seven"], {"text": "hi"}])
    eight = backend.call("wampgate.publish", ["organization.8", ["for eight"]])
    assert alice.events() == [
        [36, alice_7, seven, {}, ["for seven"], {"text": "hi"}],
        [36, alice_8, eight, {}, ["for eight"]],
    ]
    assert bob.events() == [[36, bob_8, eight, {}, ["for eight"]]]


def test_welcome_tells_who_one_is_and_where_one_belongs(demo: RouterProcess, join: Callable[..., Peer]) -> None:
    alice = join(process=demo, ticket=demo.tokens()["alice"])
    told = {key: alice.welcome[key] for key in ("authid", "authrole", "authmethod", "realm")}
    assert told == {"authid": "alice", "authrole": "member", "authmethod": "ticket", "realm": "realm1"}
    assert alice.welcome["authextra"]["organizations"] == ["7", "8"]
    assert join(process=demo, ticket=demo.tokens()["bob"]).welcome["authextra"]["organizations"] == ["8"]


@pytest.mark.parametrize(
    ("ticket", "details", "reason"),
    [
        ("expired", {}, "wamp.error.authentication_denied"),
        ("unknown", {}, "wamp.error.authentication_denied"),
        ("", {}, "wamp.error.authentication_required"),
        ("alice", {"authid": "bob"}, "wamp.error.authentication_denied"),
        ("backend", {"authid": "alice"}, "wamp.error.authentication_denied"),
        ("alice", {"realm": "realm2"}, "wamp.error.no_such_realm"),
        ("alice", {"realm": "no realm"}, "wamp.error.invalid_uri"),
        (None, {}, "wamp.error.authentication_required"),
        (None, {"authmethods": ["anonymous"]}, "wamp.error.authentication_required"),
        (None, {"authmethods": ["wampcra", "scram"]}, "wamp.error.no_matching_auth_method"),
        ("alice", {"authextra": {"organization": "9"}}, "wamp.error.not_authorized"),
        ("bob", {"authextra": {"organization": 7}}, "wamp.error.not_authorized"),
    ],
)
def test_who_may_not_join_is_told_why_and_no_more(
    demo: RouterProcess, connect: Callable[..., Peer], ticket: str | None, details: dict[str, str], reason: str
) -> None:
    peer = connect(demo)
    with pytest.raises(Aborted) as aborted:
        peer.join(demo.tokens().get(ticket, ticket) if ticket is not None else None, **details)
    assert aborted.value.reason == reason
    assert isinstance(aborted.value.details["message"], str)
    assert peer.closed()[0] == 1008


def test_a_wrong_token_is_not_told_apart(demo: RouterProcess, connect: Callable[..., Peer]) -> None:
    answers = set()
    for ticket, details in (
        (demo.tokens()["expired"], {}),
        ("unknown", {}),
        (demo.tokens()["alice"], {"authid": "bob"}),
    ):
        with pytest.raises(Aborted) as aborted:
            connect(demo).join(ticket, **details)
        answers.add((aborted.value.reason, str(aborted.value.details)))
    assert len(answers) == 1


def test_a_named_organization_is_confirmed(demo: RouterProcess, connect: Callable[..., Peer]) -> None:
    for organization in ("7", 7):
        alice = connect(demo).join(demo.tokens()["alice"], authextra={"organization": organization})
        assert alice.welcome["authextra"]["organization"] == "7"


def test_the_log_tells_refusals_apart_and_never_a_token(demo: RouterProcess, connect: Callable[..., Peer]) -> None:
    tokens = demo.tokens()
    for ticket, details in (
        (CANARY, {}),
        (tokens["expired"], {}),
        (tokens["alice"], {"authid": "mallory"}),
        (tokens["alice"], {"authextra": {"organization": "elsewhere"}}),
    ):
        with pytest.raises(Aborted):
            connect(demo).join(ticket, **details)
    # In places where no token belongs, too.
    for message in ([5, CANARY, CANARY], [5, {"x": CANARY}], [1, CANARY, {"roles": {"caller": {}}}], [CANARY]):
        peer = connect(demo)
        if message[0] == 5:
            peer.hello(authmethods=["ticket"])
            peer.receive()
        peer.send(*message)
        assert CANARY not in str(peer.receive())
    alice = connect(demo).join(tokens["alice"])
    with pytest.raises(WampError):
        alice.subscribe("organization.999")
    log = demo.wait_for_log("'organization.999'")
    for line in ("unknown token", "expired token of user 'alice'", "authid 'mallory'", "not a member of 'elsewhere'"):
        assert line in log
    assert CANARY not in log
    printed = log.partition("Stop with Ctrl-C")[2]
    assert printed
    for name in ("expired", "backend"):
        assert tokens[name] not in printed
    assert tokens["alice"] not in printed


def test_no_one_is_let_in_by_what_the_log_is_told(demo: RouterProcess, connect: Callable[..., Peer]) -> None:
    before = demo.log().count("\n")
    nasty = "x\r\n2026-01-01T00:00:00+0000 [wampgate#info] forged \x1b[31m\u2028line\x00"
    for ticket, details in (("t", {"authid": nasty}), (demo.tokens()["alice"], {"authid": nasty})):
        with pytest.raises(Aborted):
            connect(demo).join(ticket, **details)
    with pytest.raises(Aborted):
        connect(demo).join(authmethods=[nasty])
    with pytest.raises(Aborted):
        connect(demo).join(demo.tokens()["alice"], authextra={"organization": nasty})
    alice = connect(demo).join(demo.tokens()["alice"])
    alice.send(32, 1, {"match": nasty}, "a.b")
    alice.receive()
    written = demo.wait_for_log("forged", count=3).split("\n", before)[-1]
    assert not [line for line in written.splitlines() if line.startswith("2026-01-01T00:00:00")]
    assert "\x1b" not in written
    assert "\u2028" not in written
    assert "\x00" not in written


def test_members_publish_nowhere(demo: RouterProcess, join: Callable[..., Peer]) -> None:
    alice = join(process=demo, ticket=demo.tokens()["alice"])
    for topic in ("organization.7", "organization.7.news", "com.example.topic", "wamp.session.on_join", "wampgate.x"):
        with pytest.raises(WampError) as refused:
            alice.publish(topic, ["x"])
        assert refused.value.uri == "wamp.error.not_authorized"
    for procedure in ("organization.7", "com.example.procedure", "wamp.x", "wampgate.publish", "wampgate.x"):
        with pytest.raises(WampError) as refused:
            alice.register(procedure)
        assert refused.value.uri == "wamp.error.not_authorized"


def test_the_backend_publishes_where_its_rule_says(demo: RouterProcess, join: Callable[..., Peer]) -> None:
    backend = join(process=demo, ticket=demo.tokens()["backend"])
    assert backend.publish("organization.7.news", ["x"]) > 0
    for topic in ("organization", "organizations.7", "wamp.session.on_join", "wampgate.publish"):
        with pytest.raises(WampError) as refused:
            backend.publish(topic, ["x"])
        assert refused.value.uri == "wamp.error.not_authorized"
    with pytest.raises(WampError) as refused:
        backend.subscribe("organization.7")
    assert refused.value.uri == "wamp.error.not_authorized"
