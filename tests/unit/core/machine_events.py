"""What the machine's peers do as publishers and subscribers, and what they leave behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from unit.core.machine import USERS, Machine, numbers
from unit.core.model_events import LISTS
from unit.core.test_matching import matches

if TYPE_CHECKING:
    from wampgate.wire.messages import Match

SEAL: Final = {"ppt_scheme": "wamp", "ppt_serializer": "cbor"}

TOPICS: Final = (
    "organization.7",
    "organization.7.news",
    "organization.7.room.a",
    "organization.70",
    "organization.8.news",
    "com.a",
    "com.a.news",
    "com.closed.a",
    "wamp.a",
)
EXACT: Final[list[tuple[str, Match]]] = [(topic, "exact") for topic in TOPICS]
PATTERNS: Final[tuple[tuple[str, Match], ...]] = (
    *EXACT,
    *(("organization.7", "exact"), ("organization.7.news", "exact"), ("com.a", "exact")),
    ("organization.7.", "prefix"),
    ("organization.7.", "prefix"),
    ("organization.7.", "wildcard"),
    ("organization.7", "prefix"),
    ("organization.", "prefix"),
    ("organization..news", "wildcard"),
    ("organization.", "wildcard"),
    ("com.a", "prefix"),
    ("com.", "wildcard"),
    ("com.", "prefix"),
    ("com..a", "wildcard"),
    ("", "prefix"),
    ("wamp.registration.", "prefix"),
    ("wamp.session.on_leave", "exact"),
    ("wampgate.revoked", "exact"),
)
META: Final[tuple[tuple[str, Match], ...]] = (("", "prefix"), ("wamp.", "prefix"), ("wamp.session.on_leave", "exact"))
MAY_PUBLISH: Final[tuple[tuple[str, Match], ...]] = tuple(EXACT)

session_lists = st.lists(numbers, max_size=2)
authids = st.none() | st.none() | st.lists(st.sampled_from((*USERS, "backend")), max_size=2)
publish_options = st.fixed_dictionaries(
    {},
    optional={
        "acknowledge": st.booleans(),
        "exclude_me": st.booleans(),
        "disclose_me": st.booleans(),
        "retain": st.booleans(),
        "exclude_authrole": st.lists(st.sampled_from(("member", "guest", "backend")), max_size=1),
    },
)


class EventsMachine(Machine):
    """With events, those that topics retain, and testaments."""

    @precondition(lambda self: self.someone_here())
    @rule(which=numbers, pattern=st.sampled_from(PATTERNS), get_retained=st.booleans())
    def subscribe(self, which: int, pattern: tuple[str, Match], get_retained: bool) -> None:
        """SUBSCRIBE; users do it more often than others, and who may hear of everything often wants to."""
        users = [pair for pair in self.pairs if pair[1].here and pair[1].user]
        peer, model = users[which % len(users)] if users and which % 2 else self.pick(which)
        topic, match = self.likely(which, model, "subscribe", pattern, PATTERNS)
        if model.role == "backend" and which % 3 == 0:
            topic, match = META[which % len(META)]
        self.subscribe_as((peer, model), topic, match, get_retained=get_retained)

    @precondition(lambda self: self.model.events.subscriptions and self.someone_here())
    @rule(which=numbers, subscription=numbers)
    def unsubscribe(self, which: int, subscription: int) -> None:
        """UNSUBSCRIBE, from one's own or from another's."""
        peer, model = self.pick(which)
        own = model.subscribed or self.model.events.subscriptions
        number = own[subscription % len(own)].id.number if subscription % 4 else subscription + 1
        assert number is not None
        peer.request += 1
        self.say(peer, [34, peer.request, number])
        self.model.events.unsubscribe(model, peer.request, number)
        self.compare()

    @precondition(lambda self: self.someone_here())
    @rule(
        which=numbers,
        topic=st.sampled_from(TOPICS),
        options=publish_options,
        eligible=st.none() | st.none() | session_lists,
        exclude=st.none() | st.none() | session_lists,
        eligible_authid=authids,
        args=st.lists(numbers, max_size=1),
        seal=st.sampled_from((False, False, False, True)),
    )
    def publish(  # noqa: PLR0917 - Hypothesis names them
        self,
        which: int,
        topic: str,
        options: dict[str, Any],
        eligible: list[int] | None,
        exclude: list[int] | None,
        eligible_authid: list[str] | None,
        args: list[int],
        seal: bool,
    ) -> None:
        """PUBLISH; the backend may do it everywhere."""
        backends = [pair for pair in self.pairs if pair[1].here and pair[1].role == "backend"]
        peer, model = backends[which % len(backends)] if backends and which % 2 else self.pick(which)
        # Chance alone would seldom publish what someone has subscribed to.
        heard = [
            uri
            for uri in TOPICS
            if any(
                one.realm == model.realm and matches(one.topic, one.match, uri)
                for one in self.model.events.subscriptions
            )
        ]
        if heard and which % 4:
            topic = heard[which % len(heard)]
        if eligible is not None:
            options["eligible"] = [self.pick(number)[1].session.number for number in eligible]
        if exclude is not None:
            options["exclude"] = [self.pick(number)[1].session.number for number in exclude]
        if eligible_authid is not None:
            options["eligible_authid"] = eligible_authid
        # Who has not announced it breaks the protocol, which is rare, or nothing would live long enough.
        sealed = seal and ("publisher.payload_passthru_mode" in model.features or which % 16 == 0)
        payload: list[Any] = [f"\0{len(args)}AAA"] if sealed else args
        self.publish_as(peer, model, topic, options | (SEAL if sealed else {}), payload)

    def publish_as(self, peer: Any, model: Any, topic: str, options: dict[str, Any], args: list[Any]) -> None:
        """PUBLISH, exactly this."""
        peer.request += 1
        self.say(peer, [16, peer.request, options, topic, args])
        self.model.events.publish(model, peer.request, topic, options, args)
        self.compare()

    @precondition(lambda self: self.someone_here())
    @rule(which=numbers, topic=st.sampled_from(TOPICS[:7]), numbered=st.integers(0, 3), audience=st.sampled_from(LISTS))
    def retain(self, which: int, topic: str, numbered: int, audience: str) -> None:
        """Publish what is to be retained, for everyone or for some; every fourth clears."""
        backends = [pair for pair in self.pairs if pair[1].here and pair[1].role == "backend"]
        peer, model = backends[which % len(backends)] if backends and which % 2 else self.pick(which)
        names = {"authid": [[], ["joe"], ["ann", "backend"]], "authrole": [["backend"], ["guest"], ["member"]]}
        options: dict[str, Any] = {"retain": True, "exclude_me": bool(which & 4), "disclose_me": bool(which & 8)}
        if which % 3:
            options[audience] = names[audience.rpartition("_")[2]][which % 7 % 3]
        self.publish_as(peer, model, topic, options, [numbered] if numbered else [])

    # --- testaments ---

    @precondition(lambda self: self.someone_here())
    @rule(
        which=numbers,
        topic=st.sampled_from(TOPICS),
        options=publish_options,
        scope=st.sampled_from(("detached", "destroyed")),
        number=numbers,
    )
    def add_testament(self, which: int, topic: str, options: dict[str, Any], scope: str, number: int) -> None:
        """Leave something for one's end."""
        peer, model = self.pick(which)
        topic, _ = self.likely(which, model, "publish", (topic, "exact"), MAY_PUBLISH)
        if number % 8 == 0:
            options = options | {"eligible": [self.pick(number)[1].session.number]}
        args = [topic, [number], {}, options, scope]
        self.call_as((peer, model), "wamp.session.add_testament", {}, args)

    @precondition(lambda self: self.model.procedures.testaments and self.someone_here())
    @rule(which=numbers, scope=st.sampled_from(("detached", "destroyed")))
    def flush_testaments(self, which: int, scope: str) -> None:
        """Take back what was to be left."""
        if which % 3:
            return
        peer, model = self.pick(which)
        self.call_as((peer, model), "wamp.session.flush_testaments", {}, [scope])
