"""What isolation is measured by: an oracle of rights, clients that check all they are told, and realms that change."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.task import Clock as Reactor
from unit.core.routed import Peer, RealmUnderTest, Routed, rule
from unit.core.test_matching import matches

from wampgate.authorization.organization import OrganizationAuthorizer
from wampgate.authorization.rules import Rules
from wampgate.authorization.standing import Standing
from wampgate.authorization.templates import TopicTemplate
from wampgate.core.guesses import Guesses
from wampgate.core.private import ORGANIZATIONS_CHANGED, REVOKED
from wampgate.core.procedures import Procedures
from wampgate.procedures import explain, kill, organizations, refresh
from wampgate.procedures.testaments import TestamentProcedures
from wampgate.transports.turn import Encoding, Turn
from wampgate.wire.serializers import JSON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wampgate.transports.waiting import Part
    from wampgate.wire.messages import Match


REALMS: Final = ("one", "two")
USERS: Final = ("joe", "ann", "eve")
ORGANIZATIONS: Final = ("7", "70", "acme")
TOPICS: Final = (
    "organization.7",
    "organization.7.news",
    "organization.7.admin",
    "organization.7.admin.deep",
    "organization.70",
    "organization.70.news",
    "organization.acme",
    "organization.acme.news",
    "user.joe",
    "user.ann.news",
)
# What no one publishes here but a pattern may reach: other organizations, other users, other topics.
ELSEWHERE: Final = (
    "organization.zzz",
    "organization.zzz.news",
    "organization.zzz.admin",
    "organization.700.news",
    "organization.acme.eu",
    "organization.70.admin",
    "organization.acme.admin",
    "organizationx.7.news",
    "user.zzz",
    "user.zzz.news",
    "user.joe.news",
    "user.ann",
    "com.example",
    "com.7.news",
    "wampgate.revoked",
)
PATTERNS: Final[tuple[tuple[str, Match], ...]] = (
    *((topic, "exact") for topic in TOPICS),
    *((topic, "exact") for topic in TOPICS[:3]),
    ("organization.7", "prefix"),
    ("organization.7.", "prefix"),
    ("organization.7.news", "prefix"),
    ("organization.70.", "prefix"),
    ("organization.acme.", "prefix"),
    ("organization.", "prefix"),
    ("user.joe.", "prefix"),
    ("user.", "prefix"),
    ("", "prefix"),
    ("organization.7.", "wildcard"),
    ("organization..news", "wildcard"),
    ("organization.acme.", "wildcard"),
    (".7.news", "wildcard"),
    ("user.", "wildcard"),
)
RULES: Final = (
    rule("backend", ("publish", "subscribe", "call"), "", "prefix"),
    rule("member", ("call",), "wampgate.publish"),
)
TEMPLATES: Final = (
    TopicTemplate.parse("user.{user}", below=True),
    TopicTemplate.parse("organization.{organization}.admin", below=True, role="admin"),
)

Roles = dict[str, str]
counted: Counter[str] = Counter()


def says(user: str, roles: Roles, uri: str) -> bool:
    """Whether a user may subscribe to one topic. All the rules there are, in words."""
    first, *rest = uri.split(".")
    if first == "user":
        return rest[0] == user
    if first != "organization" or rest[0] not in roles:
        return False
    return rest[1:2] != ["admin"] or roles[rest[0]] == "admin"


def may(user: str, roles: Roles, topic: str, match: Match) -> bool:
    """Whether a user may subscribe to all that a pattern could match."""
    return all(says(user, roles, uri) for uri in (*TOPICS, *ELSEWHERE) if matches(topic, match, uri))


def token_of(user: str, number: int) -> str:
    return f"token {number} of {user}"


class Client(Peer):
    """A client as it sees itself, and its socket, which may be full.

    Attributes:
        here: whether it has joined and was not told of an end.
        held: its subscriptions, by id; what was taken away is not among them.
        news: the events that were published since its messages were looked at last.
        kept: what it was told of retained events since then: by which subscription, on which topic, and which.
        past: its user's earlier rights, likewise.
        late: whether what it is told may be of a time when things were not as they are.
    """

    encoding = Encoding(JSON)  # type: ignore[assignment]  # a whole one, for the real turn

    def __init__(self, routed: Routed, realm: World, user: str, token: str) -> None:
        super().__init__(routed, f"address of {user}", "")
        self.realm = realm
        self.user = user
        self.token = token
        self.here = self.over = self.full = False
        self.held: dict[int, tuple[str, Match]] = {}
        self.private: dict[int, str] = {}
        self.kept: list[tuple[int, str, Any]] = []
        self.asked: dict[int, Any] = {}
        self.news: list[tuple[int, str]] = []
        self.past: list[Roles] = []
        self.late = False
        self.waiting: list[Part] = []

    # --- as an outbox ---

    def write(self, data: bytes, parts: Sequence[Part]) -> None:
        """Take what the turn sends."""
        assert b"".join(part for _, part, _ in parts) == data
        self.waiting += parts
        if not self.full:
            self.drain()

    def retract(self, subscription: int) -> None:
        """See ``Outbox.retract``."""
        self.waiting = [part for part in self.waiting if part[0] != subscription]

    def finish(self, code: int, _reason: str) -> None:
        """See ``Outbox.finish``."""
        self.closed = (code, "")

    def close(self, code: int, reason: str) -> None:
        """See ``Outbox.close``."""
        turn: Any = self._routed.deliver
        turn.close(self, code, reason)

    def drain(self) -> None:
        """The socket takes what waits."""
        self.messages += [json.loads(part[{126: 4, 127: 10}.get(part[1], 2) :]) for _, part, _ in self.waiting]
        self.waiting = []

    # --- as a client ---

    def start(self) -> None:
        """Join."""
        details = {"roles": {"subscriber": {}, "publisher": {}, "caller": {}}, "authmethods": ["ticket"]}
        self._routed.receive(self, json.dumps([1, self.realm.name, details]).encode())

    def order(self, code: int, *rest: Any, asked: Any = None) -> None:
        """Send a request and remember what was asked."""
        self.request += 1
        self.asked[self.request] = asked
        self._routed.receive(self, json.dumps([code, self.request, *rest]).encode())

    def look(self) -> None:
        """Take in what came, and see that all of it is right."""
        if self.full:
            self.late = True
            return
        before = dict(self.held)
        revoked: set[int] = set()
        seen: list[tuple[int, Any]] = []
        for message in self.heard():
            assert not self.over, f"{message} came after the end"
            self._take(message, seen, revoked)
        self._check_news(seen, before, revoked)
        self._check_retained(before, revoked)
        self.past.clear()
        self.late = False
        if self.here:
            self.realm.check_standing(self)

    def _take(self, message: Any, seen: list[tuple[int, Any]], revoked: set[int]) -> None:
        match message:
            case [4, *_]:
                self._routed.receive(self, json.dumps([5, self.token, {}]).encode())
            case [2, *_]:
                self.here = True
                counted["joined"] += 1
                for topic in (REVOKED, ORGANIZATIONS_CHANGED):
                    self.order(32, {}, topic, asked=("private", topic))
            case [33, request, subscription]:
                self._subscribed(subscription, *self.asked.pop(request))
            case [35, request]:
                counted["unsubscribed"] += 1
            case [8, 32, request, _, error, *_]:
                self._refused(error, *self.asked.pop(request))
            case [36, subscription, _, told, *payload]:
                if subscription not in self.private:
                    assert subscription in self.held, "an event of a subscription that it does not hold"
                    if told.get("retained"):
                        self.kept.append((subscription, told.get("topic", self.held[subscription][0]), payload[0][0]))
                    else:
                        seen.append((subscription, payload[0][0]))
                elif self.private[subscription] == REVOKED:
                    revoked.add(payload[1]["subscription"])
                    self._revoked(payload[1])
            case [3 | 6, details, reason]:
                self._ended(reason, details)
            case [50, request, _, *payload]:
                self._answered(self.asked.pop(request), payload)
            case [8, 48, request, _, error, *_]:
                self._call_refused(self.asked.pop(request), error)
            case _:
                raise AssertionError(f"unexpected: {message}")

    def _subscribed(self, subscription: int, kind: str, topic: str, match: Match = "exact") -> None:
        if kind == "private":
            self.private[subscription] = topic
            return
        assert self.realm.possibly(self, topic, match), f"{self.user} was granted {topic} ({match})"
        self.held[subscription] = (topic, match)
        counted["granted"] += 1

    def _refused(self, error: str, kind: str, topic: str, match: Match = "exact") -> None:
        assert kind == "subscribe"
        if error == "wamp.error.authorization_failed":
            assert self.realm.went_down or self.late
            counted["undecided"] += 1
            return
        assert error == "wamp.error.not_authorized"
        assert not self.realm.surely(self, topic, match), f"{self.user} was refused {topic} ({match})"
        counted["refused"] += 1

    def _revoked(self, told: Any) -> None:
        topic, match = self.held.pop(told["subscription"])
        assert (told["topic"], told["match"]) == (topic, match)
        assert not self.realm.surely(self, topic, match), f"{self.user} lost {topic} ({match})"
        counted["revoked"] += 1

    def _ended(self, reason: str, details: Any) -> None:
        if reason == "wampgate.close.token_revoked":
            assert self.token not in self.realm.tokens or self.late or self.realm.unstable
        elif reason == "wamp.close.killed":
            assert self.realm.killing(self)
        elif not self.here:
            assert self.realm.went_down or self.token not in self.realm.tokens or self.realm.unstable, details
        else:
            raise AssertionError(details)
        counted[reason] += 1
        self.here, self.over = False, True
        self.held.clear()

    def _answered(self, asked: Any, payload: Any) -> None:
        what, *rest = asked
        if what == "refresh":
            (token,) = rest
            assert self.realm.token_user(token) == self.user, "refreshed with another user's token"
            self.token = token
        elif what == "organizations" and not self.late and not self.realm.unstable:
            assert set(payload[1]["organizations"]) == set(self.realm.roles[self.user])
        elif what in ("kill", "explain", "publish", "testament"):
            assert self.user == "backend", f"{self.user} may not {what}"
            self.realm.answered(what, rest, payload)
        counted[what] += 1

    def _call_refused(self, asked: Any, error: str) -> None:
        what, *rest = asked
        counted[f"{what} refused"] += 1
        if what == "refresh" and error == "wamp.error.authentication_denied":
            (token,) = rest
            assert (
                self.late
                or self.realm.unstable
                or token not in self.realm.tokens
                or self.realm.token_user(token) != self.user
            )
        elif what in ("kill", "explain", "publish", "testament"):
            assert self.user != "backend" or self.realm.went_down
            assert error == "wamp.error.not_authorized" or self.late or self.realm.went_down

    def _check_news(self, seen: list[tuple[int, Any]], before: dict[int, Any], revoked: set[int]) -> None:
        """All that was published for what it held all the time, nothing of what was taken away, each once, in order."""
        news, self.news = self.news, []
        for subscription, number in seen:
            assert subscription not in revoked, "an event of what was taken away in the same moment"
            topic, match = self.held[subscription] if subscription in self.held else before[subscription]
            assert any(n == number and matches(topic, match, t) for n, t in news)
        for subscription in before.keys() & self.held.keys():
            topic, match = self.held[subscription]
            due = [number for number, published in news if matches(topic, match, published)]
            assert [number for one, number in seen if one == subscription] == due
            counted["delivered"] += len(due)
        if self.over:
            assert seen == [], "an event was delivered though the session was to end"

    def _check_retained(self, before: dict[int, Any], revoked: set[int]) -> None:
        """Of topics that it may hear, the newest that was retained, and nothing of what was taken away."""
        for subscription, published, number in self.kept:
            assert subscription not in revoked, "a retained event of what was taken away in the same moment"
            topic, match = self.held[subscription] if subscription in self.held else before[subscription]
            assert matches(topic, match, published)
            assert self.late or number == self.realm.retained[published][-1]
            counted["retained"] += 1
        self.kept.clear()


class World:
    """One realm: what is true of it, and the router's realm beside it.

    Attributes:
        roles: each user's organizations.
        tokens: those that are good.
        retained: all events that a topic was ever to retain, by topic.
        unstable: whether the router has not heard of everything: its store is down, or it is deaf.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.under_test = RealmUnderTest(name, rules=RULES, cache_seconds=3.0, authorizer=with_templates)
        self.roles: dict[str, Roles] = {user: {} for user in (*USERS, "backend")}
        self.tokens: set[str] = set()
        self.retained: dict[str, list[int]] = {}
        self.unstable = self.went_down = False
        self.clients: list[Client] = []
        self.backend: Client
        self.number = 0
        self._past: dict[str, list[Roles]] = {user: [] for user in (*USERS, "backend")}
        self._killed: set[int] = set()

    def begin(self, routed: Isolated) -> None:
        """Watch the store, offer the procedures, and let the backend join."""
        self.routed = routed
        under_test = self.under_test
        realm, memberships = under_test.realm, under_test.memberships
        self.standing = Standing(realm, routed.router, under_test.store, memberships, now=routed.clock, run=routed.run)
        procedures = Procedures(realm, routed.run)
        ticket = realm.authenticators["ticket"]
        guesses = Guesses(10**9, routed.clock)
        procedures.add(refresh.NAME, refresh.Refresh(ticket, routed.router, self.standing, guesses))
        procedures.add(organizations.NAME, organizations.Organizations(memberships))
        procedures.add(kill.NAME, kill.Kill(realm, self.standing))
        for name, procedure in TestamentProcedures(realm).procedures().items():
            procedures.add(name, procedure)
        procedures.add(explain.NAME, explain.Explain(realm, {"backend": "backend"}, "member"))
        self.backend = Client(routed, self, "backend", "the ticket of backend")
        self.tokens.add(self.backend.token)
        self.backend.start()
        self.look()

    # --- the oracle ---

    def surely(self, client: Client, topic: str, match: Match) -> bool:
        """Whether a right was there all the time since things were stable and the client has looked."""
        return all(may(client.user, roles, topic, match) for roles in self._ever(client))

    def possibly(self, client: Client, topic: str, match: Match) -> bool:
        """Whether a right was there at any moment since then."""
        return any(may(client.user, roles, topic, match) for roles in self._ever(client))

    def _ever(self, client: Client) -> list[Roles]:
        return [self.roles[client.user], *self._past[client.user], *client.past]

    def token_user(self, token: str) -> str:
        """Whose a token is or was."""
        return token.rpartition(" ")[2]

    def check_standing(self, client: Client) -> None:
        """See that a session has no more than it may have now."""
        if self.unstable or client is self.backend:
            return
        assert client.token in self.tokens, "a session lives without its token"
        for topic, match in client.held.values():
            assert may(client.user, self.roles[client.user], topic, match), f"{client.user} still has {topic}"

    def killing(self, client: Client) -> bool:
        """Whether someone has ended this session."""
        return client.session.id in self._killed

    def answered(self, what: str, rest: Sequence[Any], payload: Any) -> None:
        """What the backend's procedures say, measured by what is true."""
        if what == "explain" and not self.unstable:
            user, topic, match = rest
            assert payload[1]["allowed"] == may(user, self.roles[user], topic, match)
        elif what == "kill":
            (expected,) = rest
            assert expected is None or payload[0] == [expected]

    # --- what happens ---

    def change(self, user: str, organization: str, role: str | None) -> None:
        """A membership comes, changes or goes."""
        if self.unstable:
            self._past[user].append(dict(self.roles[user]))
        for client in self.clients:
            if client.user == user:
                client.past.append(dict(self.roles[user]))
        memory = self.under_test.memory
        if role is None:
            self.roles[user].pop(organization, None)
            memory.remove_membership(user, organization)
        else:
            self.roles[user][organization] = role
            memory.add_membership(user, organization, role)

    def publish(self, topic: str, *, retain: bool = False) -> None:
        """An event of the backend's."""
        self.number += 1
        if retain:
            self.retained.setdefault(topic, []).append(self.number)
        for client in self.clients:
            client.news.append((self.number, topic))
        counted["published"] += 1
        self.backend.order(16, {"retain": retain}, topic, [self.number])

    def kill(self, by: str, value: str) -> None:
        """End sessions, as an administrator does."""
        concerned = [client for client in self.clients if client.session.established and self._is(client, by, value)]
        self._killed |= {client.session.id for client in concerned}
        exact = None if self.unstable else len(concerned)
        self.backend.order(48, {}, kill.NAME, [], {by: value}, asked=("kill", exact))

    def _is(self, client: Client, by: str, value: str) -> bool:
        theirs = {
            "authid": client.user,
            "token_hash": client.session.principal.token_id,
            "address": f"address of {client.user}",
        }
        # Whom the router takes for a member while it is deaf may be ended too.
        if by == "organization":
            return any(value in roles for roles in (self.roles[client.user], *self._past[client.user]))
        return theirs[by] == value

    def unsettle(self, *, down: bool) -> None:
        """From now on the router does not hear what changes."""
        self.unstable = True
        self.went_down |= down
        if down:
            self.under_test.memory.go_down()
        else:
            self.under_test.memory.watch(lambda _: None)

    def settle(self) -> None:
        """It hears again; a sweep finds what it has missed, whatever is still asked elsewhere."""
        self.under_test.memory.watch(self.standing.changed)
        self.under_test.memory.come_back()
        self.under_test.store.slow = False
        while self.routed.waiting:
            self.routed.answer()
        self.standing.sweep()
        self.routed.flush()
        self.look()
        self.unstable = self.went_down = False
        for past in self._past.values():
            past.clear()
        self.look()

    def look(self) -> None:
        """Let every client look at what has come, until nothing follows from it."""
        for _ in range(4):
            for client in (*self.clients, self.backend):
                client.look()


def with_templates(authorizer: OrganizationAuthorizer) -> OrganizationAuthorizer:
    """The same with topics of users and of administrators."""
    return OrganizationAuthorizer(Rules(RULES), authorizer._memberships, templates=TEMPLATES)


class Isolated(Routed):
    """A router over the real turn, which ends when the test says so."""

    def __init__(self, *realms: RealmUnderTest) -> None:
        self.reactor: Any = Reactor()
        self.bursting = False
        super().__init__(*realms, guesses=10**9, join_seconds=10**6, deliver=Turn(self.reactor))

    def flush(self) -> None:
        """End the turn, and those that follow from it."""
        while not self.bursting and self.reactor.getDelayedCalls():
            self.reactor.advance(0)
