"""What a client that comes back gets: all it missed and may see, page by page, by its rights as they are then."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import pytest
from unit.core.routed import RULES, Peer, RealmUnderTest, Routed, outcome_of, rule
from unit.procedures.offered import call, subscribe

from wampgate.authorization.memberships import Organizations
from wampgate.core.stored_events import stored_event
from wampgate.core.topics import HistoryOptions, TopicOptions
from wampgate.procedures.reading import MAX_LIMIT, PAGE_BYTES
from wampgate.wire.messages import PublishOptions
from wampgate.wire.payload import Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wampgate.core.stored_events import StoredEvent

RECOVER = "wampgate.history.recover"
GET_EVENTS = "wamp.subscription.get_events"
DENIED = "wamp.error.not_authorized"


class Recovering:
    """Users joe (of 7) and ann (of 8), a backend that may do everything, guests; all topics have a history."""

    def __init__(self, *, wall_clock: Callable[[], float] = time.time, **history: Any) -> None:
        self.under_test = RealmUnderTest(
            rules=(*RULES, rule("backend", ("publish", "subscribe"), "organization.", "prefix")),
            topics=(TopicOptions("", "prefix", history=HistoryOptions(**history)),),
            wall_clock=wall_clock,
        )
        self.routed = Routed(self.under_test)
        self.under_test.add_user("joe", "7")
        self.under_test.add_user("ann", "8")
        self.backend = self.routed.peer().join("the ticket of backend")

    def user(self, name: str) -> Peer:
        return self.routed.peer().join(f"the token of {name}")

    def guest(self) -> Peer:
        return self.routed.peer().join()

    def publish(self, topic: str, *args: Any, options: dict[str, Any] | None = None, **kwargs: Any) -> int:
        """Publish; the publication id."""
        (answer,) = self.backend.ask(16, {"acknowledge": True, **(options or {})}, topic, list(args), kwargs)
        assert answer[0] == 17, answer
        return int(answer[2])


def recover(peer: Peer, topic: str, match: str = "exact", **more: Any) -> Any:
    answer = call(peer, RECOVER, topic, match, **more)
    return answer if isinstance(answer, str) else answer[1]


def args_of(answer: Any) -> list[Any]:
    return [event["args"] for event in answer["events"]]


@pytest.fixture
def recovering() -> Recovering:
    return Recovering()


def test_what_followed_a_position(recovering: Recovering) -> None:
    joe = recovering.user("joe")
    first, second, third = (recovering.publish("organization.7", number, key=number) for number in range(3))
    answer = recover(joe, "organization.7", after_publication=first)
    events = answer.pop("events")
    assert answer == {"recovered": True, "epoch": answer["epoch"], "more": False, "position": third}
    assert [event["publication"] for event in events] == [second, third]
    assert events[0] == {
        "publication": second,
        "topic": "organization.7",
        "args": [1],
        "kwargs": {"key": 1},
        "timestamp": events[0]["timestamp"],
    }


def test_history_is_what_was_published_received_or_not(recovering: Recovering) -> None:
    published = recovering.publish("organization.7", "nobody was there")
    assert recover(recovering.user("joe"), "organization.7")["position"] == published


def test_an_unknown_position_is_told_and_the_newest_events_are_shown(recovering: Recovering) -> None:
    joe = recovering.user("joe")
    for number in range(5):
        last = recovering.publish("organization.7", number)
    for position in (None, 1):
        answer = recover(joe, "organization.7", after_publication=position, limit=2)
        assert (answer["recovered"], args_of(answer), answer["more"]) == (False, [[3], [4]], False)
        assert answer["position"] == last


def test_a_client_that_has_seen_nothing_yet_goes_on_from_the_epoch(recovering: Recovering) -> None:
    joe = recovering.user("joe")
    before = recover(joe, "organization.7", limit=0)
    assert (before["events"], before["position"]) == ([], None)
    recovering.publish("organization.7", "missed")
    after = recover(joe, "organization.7", epoch=before["epoch"])
    assert (after["recovered"], args_of(after)) == (True, [["missed"]])


def test_pages_one_after_the_other(recovering: Recovering) -> None:
    joe = recovering.user("joe")
    position = recovering.publish("organization.7", -1)
    for number in range(25):
        recovering.publish("organization.7", number)
    seen: list[Any] = []
    while True:
        answer = recover(joe, "organization.7", after_publication=position, limit=10)
        assert answer["recovered"]
        seen += args_of(answer)
        position = answer["position"]
        if not answer["more"]:
            break
    assert seen == [[number] for number in range(25)]


def test_a_page_is_bounded_in_bytes_and_never_empty(recovering: Recovering) -> None:
    joe = recovering.user("joe")
    first = recovering.publish("organization.7", 0)
    for _ in range(10):
        recovering.publish("organization.7", "x" * (PAGE_BYTES // 3))
    recovering.publish("organization.7", "x" * (3 * PAGE_BYTES))
    sizes = []
    position, more = first, True
    while more:
        answer = recover(joe, "organization.7", after_publication=position)
        sizes.append(len(answer["events"]))
        position, more = answer["position"], answer["more"]
    assert sum(sizes) == 11
    assert max(sizes) == 2
    assert sizes[-1] == 1


def test_a_pattern_merges_its_topics_in_order(recovering: Recovering) -> None:
    joe = recovering.user("joe")
    first = recovering.publish("organization.7.a", 0)
    for number in range(1, 7):
        recovering.publish(f"organization.7.{'abc'[number % 3]}", number)
    recovering.publish("organization.8.a", "another's")
    answer = recover(joe, "organization.7.", "prefix", after_publication=first)
    assert answer["recovered"]
    assert args_of(answer) == [[number] for number in range(1, 7)]
    assert answer["events"][0]["topic"] == "organization.7.b"
    wild = recover(joe, "organization.7.", "wildcard", after_publication=first, limit=2)
    assert args_of(wild) == [[1], [2]]
    assert wild["more"]


def test_one_publication_to_several_topics_never_stops_the_pages(recovering: Recovering) -> None:
    history = recovering.under_test.realm.history
    assert history is not None
    for publication in (1, 2, 3):
        for topic in ("organization.7.a", "organization.7.b", "organization.7.c"):
            history.remember(topic, [publication], publication=publication)
    recovering.publish("organization.7.a", "last")
    joe = recovering.user("joe")
    # Across topics, what a source had published before is no position; within one it is.
    assert not recover(joe, "organization.7.", "prefix", after_publication=2)["recovered"]
    assert args_of(recover(joe, "organization.7.a", after_publication=2)) == [[3], ["last"]]


def test_the_pages_of_a_twin_publication_go_on(recovering: Recovering) -> None:
    realm = recovering.under_test.realm
    session = recovering.backend.session
    for publication in (11, 12, 13):
        for topic in ("organization.7.a", "organization.7.b"):
            realm.broker.publish(
                session, topic, PublishOptions(), Payload([publication, topic[-1]]), "never", publication=publication
            )
    joe = recovering.user("joe")
    position, seen = 11, []
    for _ in range(10):
        answer = recover(joe, "organization.7.", "prefix", after_publication=position, limit=1)
        seen += [tuple(args) for args in args_of(answer)]
        position = answer["position"]
        if not answer["more"]:
            break
    # Who was cut off between the two gets the second one again; nothing is left out.
    assert set(seen) >= {(11, "b"), (12, "a"), (12, "b"), (13, "a"), (13, "b")}
    assert seen.index((12, "a")) < seen.index((13, "a"))
    assert position == 13


# --- who may ---


@pytest.mark.parametrize("match", ["exact", "prefix", "wildcard"])
@pytest.mark.parametrize(
    ("who", "topic", "allowed"),
    [
        ("joe", "organization.7", {"exact", "wildcard"}),
        ("joe", "organization.7.", {"prefix", "wildcard"}),
        ("joe", "organization.7.news", {"exact", "prefix", "wildcard"}),
        ("joe", "organization.", set()),
        ("joe", "", set()),
        ("joe", "organization.8", set()),
        ("joe", "organization.8.", set()),
        ("ann", "organization.7", set()),
        ("ann", "organization.8", {"exact", "wildcard"}),
        ("guest", "organization.7", set()),
        ("guest", "com.example.topic", {"exact", "prefix", "wildcard"}),
        ("backend", "organization.", {"prefix", "wildcard"}),
    ],
)
def test_rights(recovering: Recovering, who: str, topic: str, allowed: set[str], match: str) -> None:
    for organization in ("7", "8"):
        recovering.publish(f"organization.{organization}", "secret")
    peer = {"guest": recovering.guest, "backend": lambda: recovering.backend}.get(who, lambda: recovering.user(who))()
    answer = recover(peer, topic, match)
    direct = peer.ask(32, {"match": match}, topic)[0]
    # By the history exactly what a subscription gives, and the same refusal.
    assert (answer if isinstance(answer, str) else "allowed") == (direct[4] if direct[0] == 8 else "allowed")
    assert (not isinstance(answer, str)) == (match in allowed)


def test_a_refusal_stands_in_the_log_as_that_of_a_subscription(recovering: Recovering) -> None:
    joe = recovering.user("joe")
    assert recover(joe, "organization.8.", "prefix") == DENIED
    joe.ask(32, {"match": "prefix"}, "organization.8.")
    history, direct = (fields for event, fields in recovering.routed.records if event == "refused")
    assert (
        history
        == direct
        == {
            "action": "subscribe",
            "uri": "organization.8.",
            "match": "prefix",
            "because": "not a member of 8",
        }
    )


def test_a_membership_that_ended_ends_it_at_once(recovering: Recovering) -> None:
    joe = recovering.user("joe")
    first = recovering.publish("organization.7", 1)
    recovering.publish("organization.7", 2)
    assert args_of(recover(joe, "organization.7", after_publication=first)) == [[2]]
    recovering.under_test.memory.remove_membership("joe", "7")
    recovering.under_test.memberships.forget(["joe"])
    assert recover(joe, "organization.7", after_publication=first) == DENIED


def test_a_store_that_is_asked_first_delays_the_answer_only(recovering: Recovering) -> None:
    joe = recovering.user("joe")
    first = recovering.publish("organization.7", 1)
    recovering.publish("organization.7", 2)
    recovering.under_test.memberships.forget(["joe"])
    recovering.under_test.store.slow = True
    assert joe.ask(48, {}, RECOVER, ["organization.7", "exact", first]) == []
    recovering.routed.answer()
    ((code, *_, kwargs),) = joe.heard()
    assert (code, args_of(kwargs)) == (50, [[2]])


@pytest.mark.parametrize(
    ("options", "joe_sees", "ann_sees"),
    [
        ({"eligible_authid": ["joe"]}, True, False),
        ({"exclude_authid": ["joe"]}, False, True),
        ({"eligible_authrole": ["member"]}, True, True),
        ({"exclude_authrole": ["member"]}, False, False),
        ({"eligible_authrole": ["admin"]}, False, False),
        ({"exclude": [1]}, False, False),
        ({"eligible": [1]}, False, False),
    ],
)
def test_the_publishers_lists_hold(
    recovering: Recovering, options: dict[str, Any], joe_sees: bool, ann_sees: bool
) -> None:
    first = recovering.publish("com.example.topic", "before")
    recovering.publish("com.example.topic", "listed", options=options)
    after = recovering.publish("com.example.topic", "after")
    # The order matters: what one may see must not be handed to the next from a kept answer.
    for name, sees in (("joe", joe_sees), ("ann", ann_sees), ("joe", joe_sees)):
        answer = recover(recovering.user(name), "com.example.topic", after_publication=first)
        assert args_of(answer) == [["listed"]] * sees + [["after"]]
        assert answer["position"] == after


def test_a_publisher_is_shown_only_if_it_was_disclosed(recovering: Recovering) -> None:
    first = recovering.publish("com.example.topic")
    recovering.publish("com.example.topic", options={"disclose_me": True})
    recovering.publish("com.example.topic")
    shown, hidden = recover(recovering.user("joe"), "com.example.topic", after_publication=first)["events"]
    assert (shown["publisher_authid"], shown["publisher_authrole"]) == ("backend", "backend")
    assert shown["publisher"] == recovering.backend.session.id
    assert not {key for key in hidden if key.startswith("publisher")}


def test_neighbours_share_an_answer_and_never_an_old_one(recovering: Recovering) -> None:
    peers = [recovering.user("joe") for _ in range(3)]
    first = recovering.publish("organization.7", 0)
    for number in range(1, 4):
        recovering.publish("organization.7", number)
        for peer in peers:
            answer = recover(peer, "organization.7", after_publication=first)
            assert args_of(answer) == [[n] for n in range(1, number + 1)]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, "wamp.error.invalid_uri"),
        ({"topic": 7}, "wamp.error.invalid_uri"),
        ({"topic": "a..b"}, "wamp.error.invalid_uri"),
        ({"topic": "a", "match": "regex"}, "wamp.error.invalid_argument"),
        ({"topic": "a", "match": ["exact"]}, "wamp.error.invalid_argument"),
        ({"topic": "a", "after_publication": 0}, "wamp.error.invalid_argument"),
        ({"topic": "a", "after_publication": True}, "wamp.error.invalid_argument"),
        ({"topic": "a", "after_publication": "1"}, "wamp.error.invalid_argument"),
        ({"topic": "a", "limit": -1}, "wamp.error.invalid_argument"),
        ({"topic": "a", "limit": 1.5}, "wamp.error.invalid_argument"),
        ({"topic": "a", "epoch": 1}, "wamp.error.invalid_argument"),
        ({"topic": "a", "unknown": 1}, "wamp.error.invalid_argument"),
    ],
)
def test_arguments(recovering: Recovering, arguments: dict[str, Any], error: str) -> None:
    assert call(recovering.user("joe"), RECOVER, **arguments) == error


def test_welcome_announces_it_only_where_it_is() -> None:
    for under_test, announced in ((Recovering().under_test, True), (RealmUnderTest(), None)):
        ((_, _, details),) = Routed(under_test).peer().hello(authmethods=["anonymous"])
        assert details["roles"]["broker"]["features"].get("event_history") is announced


def test_without_a_history_there_is_no_such_procedure() -> None:
    routed = Routed()
    for procedure in (RECOVER, GET_EVENTS):
        assert call(routed.peer().join(), procedure, "com.example.topic") == "wamp.error.no_such_procedure"


# --- what predates a membership ---


class Since(Recovering):
    """Topics that hide what predates a membership, by a clock that the test moves."""

    def __init__(self, **history: Any) -> None:
        self.now = 1_000_000.0
        super().__init__(wall_clock=lambda: self.now, since_membership=True, **history)


def test_what_predates_a_membership_is_hidden() -> None:
    since = Since()
    first = since.publish("organization.7", "before")
    since.now += 10
    joe = since.user("joe")
    since.now += 10
    since.publish("organization.7", "after")
    answer = recover(joe, "organization.7", after_publication=first)
    assert (answer["recovered"], args_of(answer)) == (True, [["after"]])
    assert args_of(recover(joe, "organization.7")) == [["after"]]
    # Who comes back later is a member since then as before.
    since.now += 1_000
    assert args_of(recover(since.user("joe"), "organization.7")) == [["after"]]
    # A rule is no membership: it shows all.
    assert args_of(recover(since.backend, "organization.7")) == [["before"], ["after"]]
    subscription = subscribe(joe, "organization.7")
    assert [event["args"] for event in call(joe, GET_EVENTS, subscription)[0]] == [["after"]]


def test_what_is_hidden_behind_a_position_is_told_as_missing() -> None:
    """A process that has just begun knows a membership from then on only: it must not call a part the whole."""
    since = Since()
    first = since.publish("organization.7", "before")
    since.publish("organization.7", "missed")
    since.now += 10
    joe = since.user("joe")
    for limit in (0, 1, MAX_LIMIT):
        answer = recover(joe, "organization.7", after_publication=first, limit=limit)
        assert (answer["recovered"], args_of(answer), answer["more"]) == (False, [], False)
    since.publish("organization.7", "after")
    last = since.publish("organization.7", "last")
    answer = recover(joe, "organization.7", after_publication=first, limit=1)
    assert (answer["recovered"], args_of(answer), answer["position"]) == (False, [["last"]], last)
    # Whom it is hidden from for other reasons has missed nothing.
    assert recover(since.backend, "organization.7", after_publication=first)["recovered"] is True


def test_what_is_hidden_in_a_stream_is_told_as_missing() -> None:
    since = Since()
    history = since.under_test.realm.history
    assert history is not None
    history.provide("organization.7", "exact", Stream(at=since.now))
    history.remember("organization.7", ["kept"], publication=10, at=since.now)
    since.now += 10
    answer = recover(since.user("joe"), "organization.7", after_publication=4)
    assert (answer["recovered"], args_of(answer)) == (False, [])
    assert recover(since.backend, "organization.7", after_publication=4)["recovered"] is True


def test_a_membership_that_ended_and_came_back_is_a_new_one() -> None:
    since = Since()
    joe = since.user("joe")
    since.publish("organization.7", "before")
    since.under_test.memory.remove_membership("joe", "7")
    since.under_test.memberships.forget(["joe"])
    assert recover(joe, "organization.7") == DENIED
    since.now += 10
    since.under_test.memory.add_membership("joe", "7")
    since.under_test.memberships.forget(["joe"])
    assert args_of(recover(joe, "organization.7")) == []


def test_what_the_store_says_of_the_beginning_counts() -> None:
    since = Since()
    since.publish("organization.7", "before")
    known = Organizations({"7": ""}, math.inf, {"7": since.now + 5})
    since.under_test.memberships.known = lambda _user: known  # type: ignore[method-assign]  # the store's answer
    since.now += 10
    since.publish("organization.7", "after")
    assert args_of(recover(since.user("joe"), "organization.7")) == [["after"]]
    # Nobody knows when it began: nothing is shown.
    unknown = Organizations({"7": ""}, math.inf)
    since.under_test.memberships.known = lambda _user: unknown  # type: ignore[method-assign]  # as above
    assert args_of(recover(since.user("joe"), "organization.7")) == []


# --- sources that keep their events themselves ---


class Stream:
    """A source of ten events; positions below 3 are gone."""

    def __init__(self, at: float = 1e9) -> None:
        self.at = at
        self.asked: list[tuple[str, int, int]] = []

    async def events_after(self, topic: str, publication: int, limit: int) -> Sequence[StoredEvent] | None:
        """See :class:`wampgate.core.interfaces.EventsAfter`."""
        self.asked.append((topic, publication, limit))
        if not 3 <= publication <= 10:
            return None
        return [stored_event(topic, n, [n], None, self.at) for n in range(publication + 1, 11)][:limit]


def test_a_source_is_asked_for_what_the_memory_does_not_hold(recovering: Recovering) -> None:
    history = recovering.under_test.realm.history
    assert history is not None
    stream = Stream()
    history.provide("organization.7", "exact", stream)
    for number in (9, 10):
        history.remember("organization.7", [number], publication=number)
    joe = recovering.user("joe")
    assert args_of(recover(joe, "organization.7", after_publication=9)) == [[10]]
    assert stream.asked == []
    answer = recover(joe, "organization.7", after_publication=4, limit=3)
    assert (answer["recovered"], args_of(answer), answer["more"]) == (True, [[5], [6], [7]], True)
    answer = recover(joe, "organization.7", after_publication=answer["position"], limit=7)
    assert (answer["recovered"], args_of(answer), answer["more"]) == (True, [[8], [9], [10]], False)
    gone = recover(joe, "organization.7", after_publication=2)
    assert (gone["recovered"], args_of(gone)) == (False, [[9], [10]])
    assert recover(joe, "organization.8", after_publication=4) == DENIED
    assert [asked[2] for asked in stream.asked] == [3, 7, MAX_LIMIT]


def test_the_stream_is_what_it_says() -> None:
    assert outcome_of(Stream().events_after("a", 2, 5)) is None
