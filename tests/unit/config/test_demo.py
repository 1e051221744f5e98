"""The demo's configuration: what a file would give too, on loopback only."""

import json

import pytest

from wampgate.config import demo_configuration, load, redacted
from wampgate.core.uri import is_uri

DIGEST = "ab" * 32
OPERATORS = "cd" * 32
DIGESTS = {"backend_ticket_sha256": DIGEST, "operator_ticket_sha256": OPERATORS}


@pytest.mark.parametrize("redis_url", [None, "redis://localhost:6379"])
def test_a_file_of_the_same_content_gives_the_same_configuration(tmp_path, redis_url):
    demo = demo_configuration(tmp_path, **DIGESTS, redis_url=redis_url)
    document = redacted(demo)
    for principal, digest in zip(
        document["realms"][0]["authentication"]["principals"], (DIGEST, OPERATORS), strict=True
    ):
        principal["ticket_sha256"] = digest
    if redis_url:
        document["realms"][0]["bridges"][0]["url"] = redis_url
    (tmp_path / "router.json").write_text(json.dumps(document))
    assert load(tmp_path / "router.json", {}) == demo


def test_it_listens_on_loopback_only_with_the_store_beside_it(tmp_path):
    demo = demo_configuration(tmp_path, **DIGESTS, port=0)
    assert [listen.endpoint for listen in demo.listen] == ["tcp:0:interface=127.0.0.1"]
    assert demo.admin.endpoint == "tcp:0:interface=127.0.0.1"
    assert not demo.admin.public
    assert demo.hosts == demo.origins == ()
    assert demo.realms[0].store.path == tmp_path / "var" / "wampgate.sqlite3"
    assert demo.realms[0].store.token_hash == "sha256"


def test_the_operators_port_can_be_chosen(tmp_path):
    demo = demo_configuration(tmp_path, **DIGESTS, admin_port=8081)
    assert demo.admin.endpoint == "tcp:8081:interface=127.0.0.1"


def test_users_are_members_only_the_backend_publishes_and_the_operator_looks(tmp_path):
    (realm,) = demo_configuration(tmp_path, **DIGESTS).realms
    assert realm.name == "realm1"
    assert is_uri(realm.name)
    assert realm.authmethods == ("ticket",)
    assert realm.authentication.ticket.role == "member"
    assert [(p.authid, p.role, p.digest) for p in realm.authentication.principals] == [
        ("backend", "backend", DIGEST),
        ("operator", "operator", OPERATORS),
    ]
    assert {(rule.role, *rule.actions, rule.uri, rule.match) for rule in realm.authorization.rules} == {
        ("backend", "publish", "organization.", "prefix"),
        ("backend", "call", "wampgate.publish", "exact"),
        ("operator", "call", "subscribe", "wampgate.", "prefix"),
        ("operator", "call", "subscribe", "wamp.", "prefix"),
    }
    assert [(sight.role, sight.sees) for sight in realm.meta_api.sights] == [("operator", "all")]
    assert realm.bridges == ()


def test_redis_is_bridged_if_it_is_named(tmp_path):
    (realm,) = demo_configuration(tmp_path, **DIGESTS, redis_url="redis://:pw@localhost").realms
    (bridge,) = realm.bridges
    assert bridge.url.reveal() == "redis://:pw@localhost"
    assert [rule.topic for rule in bridge.rules] == ["organization.{organization}"] * 2
    assert "pw" not in repr(bridge)
