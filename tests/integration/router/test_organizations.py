"""Organization ids of every kind, and pattern tricks: what the memberships allow is delivered, and no more."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from conftest import principal, rule, static_configuration
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_wamp import Aborted, Peer, WampError
from router_process import RouterProcess

from wampgate.stores.preparing import prepare_sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

UUID = "8c1f3e1a-0b2c-4a8e-9f57-2a6d1c9f4e10"
MEMBERS = {
    "numbers": ["7", "10", "9007199254740993"],
    "zero": ["07"],
    "uuid": [UUID],
    "slugs": ["acme", "Slug_with-Both", "x" * 64, "-", "_"],
    "capitals": ["ACME"],
    "longer": ["70", "acme-eu", UUID + "0"],
    "odd": ["acme.eu", "", " ", "a b", "\uff17", "x" * 65, "7\n", "*", "#", "organization", "..", "a.", "ünï"],
    "none": [],
}
LEGAL = {user: set(ids) for user, ids in MEMBERS.items()} | {"odd": {"organization"}}


def token_of(user: str) -> str:
    return f"token-of-{user}-0123456789"


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RouterProcess]:
    """A router with a SQLite store of these members, and a backend that may publish anywhere below organization."""
    database = tmp_path_factory.mktemp("store") / "store.sqlite3"
    fill(database)
    configuration = static_configuration()
    configuration["realms"] = [
        {
            "name": "realm1",
            "store": {"type": "sqlite", "path": str(database)},
            "authentication": {"ticket": {}, "principals": [principal("backend", "backend")]},
            "authorization": {
                "rules": [
                    rule("backend", ["publish"], "organization", "prefix"),
                    rule("backend", ["call"], "wampgate.publish"),
                ]
            },
        }
    ]
    with RouterProcess(configuration) as process:
        yield process


def fill(database: Path) -> None:
    prepare_sqlite(database)
    with closing(sqlite3.connect(database)) as connection:
        for user, ids in MEMBERS.items():
            hashed = sha256(token_of(user).encode()).hexdigest()
            connection.execute(
                "INSERT INTO oauth_access_tokens VALUES (?, 'test', ?, datetime('now', '+1 hour'), NULL)",
                (hashed, user),
            )
            connection.executemany("INSERT INTO organization_members VALUES (?, ?, '')", [(id_, user) for id_ in ids])
        connection.commit()


@pytest.fixture
def member(join: Callable[..., Peer], router: RouterProcess) -> Callable[..., Peer]:
    return lambda user, **more: join(process=router, ticket=token_of(user), **more)


@pytest.fixture
def backend(join: Callable[..., Peer], router: RouterProcess) -> Peer:
    return join("backend", process=router)


def allowed(peer: Peer, topic: str, match: str = "exact") -> bool:
    answer = "allowed"
    try:
        peer.subscribe(topic, match=match)
    except WampError as error:
        answer = error.uri
    assert answer in ("allowed", "wamp.error.not_authorized", "wamp.error.invalid_uri"), topic
    return answer == "allowed"


IDS = sorted({id_ for ids in MEMBERS.values() for id_ in ids})


@pytest.mark.parametrize("user", MEMBERS)
def test_each_member_may_hear_its_own_organizations_and_no_other(member: Callable[..., Peer], user: str) -> None:
    peer = member(user)
    for id_ in IDS:
        for topic, match in (
            (f"organization.{id_}", "exact"),
            (f"organization.{id_}.news", "exact"),
            (f"organization.{id_}.", "prefix"),
            (f"organization.{id_}.new", "prefix"),
            (f"organization.{id_}.", "wildcard"),
            (f"organization.{id_}..news", "wildcard"),
        ):
            # "organization.acme.eu" is below acme's topic, whoever has an organization "acme.eu".
            first = id_.partition(".")[0]
            expected = first in LEGAL[user] and peer_uri(topic, match)
            assert allowed(peer, topic, match) == expected, (topic, match)


def peer_uri(topic: str, match: str) -> bool:
    """Whether a text that is made of an id is a URI at all."""
    components = topic.split(".")
    if any(character.isspace() or character == "#" for character in topic):
        return False
    if match == "wildcard":
        return True
    if match == "prefix":
        components = components[:-1] if components[-1] == "" else components
    return all(components)


@pytest.mark.parametrize(
    ("topic", "match"),
    [
        ("", "prefix"),
        ("o", "prefix"),
        ("organization", "prefix"),
        ("organization.", "prefix"),
        ("organization.7", "prefix"),
        ("organization.1", "prefix"),
        ("organization.10", "prefix"),
        ("organization.07", "prefix"),
        ("organization.90071992547409", "prefix"),
        ("", "wildcard"),
        (".", "wildcard"),
        ("..", "wildcard"),
        (".7", "wildcard"),
        (".7.", "wildcard"),
        ("organization", "wildcard"),
        ("organization.", "wildcard"),
        ("organization..", "wildcard"),
        ("organization..news", "wildcard"),
        (".7.news", "wildcard"),
        ("organization.", "exact"),
        ("organization..7", "exact"),
        ("organization", "exact"),
        ("organization.7.", "exact"),
        ("organization.\uff17", "exact"),
        ("organization.\u0667", "exact"),
        ("organization.7\u200b", "exact"),
        ("organization.7\u0301", "exact"),
        ("Organization.7", "exact"),
        ("ORGANIZATION.7", "exact"),
        ("organization.70", "exact"),
        ("organization.007", "exact"),
        ("organization.7.0", "prefix"),
        ("organization.+7", "exact"),
        ("organization.7/", "exact"),
        ("organization.7 ", "exact"),
        ("organization/7", "exact"),
        ("organization.0x7", "exact"),
        ("organization.7e0", "exact"),
        ("organization.%37", "exact"),
        ("organization.*", "exact"),
        ("organization.*", "wildcard"),
        ("organizations.7", "exact"),
        ("organization7", "exact"),
        ("com.example.7", "exact"),
        ("wamp.session.on_join", "exact"),
        ("wamp.", "prefix"),
        ("wampgate.", "prefix"),
    ],
)
def test_tricks(member: Callable[..., Peer], topic: str, match: str) -> None:
    # Below the own topic everything is the member's: there no trick is needed.
    mine = topic == "organization.7.0"
    assert allowed(member("numbers"), topic, match) == mine


def matches(topic: str, pattern: str, match: str) -> bool:
    """Whether a pattern matches a topic, as the specification says it."""
    if match == "exact":
        return topic == pattern
    if match == "prefix":
        return topic.startswith(pattern)
    components, wanted = topic.split("."), pattern.split(".")
    return len(components) == len(wanted) and all(
        mine in ("", theirs) for mine, theirs in zip(wanted, components, strict=True)
    )


PARTS = ["organization", "7", "70", "07", "acme", "acme-eu", "ACME", "news", "eu", ""]
TOPICS = [
    *(f"organization.{id_}" for id_ in ("7", "70", "07", "10", "-", "acme", "acme-eu", "ACME", "news")),
    *(f"organization.{id_}.news" for id_ in ("7", "70", "07", "10", "-", "acme", "acme-eu", "ACME")),
    "organization.acme.eu",
    "organization.7.news.today",
    "organization.organization",
    "organization",
    "organizations",
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(PARTS), max_size=3).map(lambda parts: ".".join(["organization", *parts])),
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map(".".join),
    st.sampled_from(TOPICS),
)
# Now and then cut within a component.
CUTS = st.sampled_from([0, 0, 0, 1, 2, 5])
PATTERNS = st.tuples(
    st.builds(lambda text, cut: text[: len(text) - cut], TEXTS, CUTS), st.sampled_from(["exact", "prefix", "wildcard"])
)


OWN = [
    ("organization.ID", "exact"),
    ("organization.ID.", "prefix"),
    ("organization.ID.n", "prefix"),
    ("organization.ID", "wildcard"),
    ("organization.ID.", "wildcard"),
]


def test_what_is_delivered_is_what_the_memberships_allow(member: Callable[..., Peer], backend: Peer) -> None:
    peers = {user: member(user) for user in ("numbers", "zero", "slugs", "capitals", "longer", "none")}
    seen = {"delivered": 0, "refused": 0}

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(
        user=st.sampled_from(sorted(peers)),
        patterns=st.lists(PATTERNS, min_size=1, max_size=6),
        own=st.sampled_from(OWN),
    )
    def holds(user: str, patterns: list[tuple[str, str]], own: tuple[str, str]) -> None:
        # Something that is surely allowed, so that no run is empty.
        mine = sorted(LEGAL[user])[:1] or ["none"]
        patterns = [*patterns, (own[0].replace("ID", mine[0]), own[1])]
        peer = peers[user]
        subscriptions: dict[int, tuple[str, str]] = {}
        for pattern, match in patterns:
            try:
                subscriptions[peer.subscribe(pattern, match=match)] = (pattern, match)
            except WampError:
                seen["refused"] += 1
        delivered = set()
        for topic in TOPICS:
            backend.publish(topic, [topic])
        for event in peer.events():
            delivered.add((event[1], event[4][0]))
            assert event[4][0].split(".")[:1] == ["organization"]
            assert event[4][0].split(".")[1] in LEGAL[user], event
        seen["delivered"] += len(delivered)
        assert delivered == {
            (subscription, topic)
            for subscription, (pattern, match) in subscriptions.items()
            for topic in TOPICS
            if matches(topic, pattern, match)
        }
        for subscription in subscriptions:
            peer.unsubscribe(subscription)

    holds()
    assert seen["delivered"] > 30
    assert seen["refused"] > 30


@pytest.mark.parametrize("serializer", ["json", "msgpack", "cbor"])
def test_every_kind_of_id_arrives(member: Callable[..., Peer], backend: Peer, serializer: str) -> None:
    for user, ids in LEGAL.items():
        peer = member(user, serializer=serializer)
        for id_ in sorted(ids):
            subscription = peer.subscribe(f"organization.{id_}")
            publication = backend.call("wampgate.publish", [f"organization.{id_}", [id_]])
            assert peer.event() == [36, subscription, publication, {}, [id_]]


def test_welcome_lists_legal_ids_only_and_the_log_names_the_others(
    member: Callable[..., Peer], router: RouterProcess
) -> None:
    told: Any = member("odd").welcome["authextra"]
    assert told["organizations"] == ["organization"]
    log = router.wait_for_log("of user 'odd' is not used")
    for id_ in ("acme.eu", "\uff17", "*"):
        assert f"organization {id_!r} of user 'odd' is not used" in log
    assert "organization '7\\n' of user" in log


@pytest.mark.parametrize(
    ("user", "organization", "granted"),
    [
        ("numbers", "7", True),
        ("numbers", 7, True),
        ("numbers", 9007199254740993, True),
        ("zero", "07", True),
        ("zero", 7, False),
        ("numbers", "07", False),
        ("numbers", 7.0, False),
        ("numbers", True, False),
        ("numbers", ["7"], False),
        ("numbers", {"id": "7"}, False),
        ("numbers", "", False),
        ("numbers", "\uff17", False),
        ("slugs", "acme", True),
        ("slugs", "ACME", False),
        ("slugs", "acme.eu", False),
        ("odd", "acme.eu", False),
        ("uuid", UUID, True),
        ("uuid", UUID.upper(), False),
    ],
)
def test_the_organization_that_hello_names(
    connect: Callable[..., Peer], router: RouterProcess, user: str, organization: object, granted: bool
) -> None:
    peer = connect(router)
    if granted:
        peer.join(token_of(user), authextra={"organization": organization})
        assert peer.welcome["authextra"]["organization"] == str(organization)
        return
    with pytest.raises(Aborted) as aborted:
        peer.join(token_of(user), authextra={"organization": organization})
    assert aborted.value.reason == "wamp.error.not_authorized"
