"""The metrics by name: what each one says, and by what it is told apart. ``docs/metrics.md`` has the same table."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram", "info"]


class Family(NamedTuple):
    """One metric, with all its series.

    Attributes:
        name: as Prometheus has it, without the ``_total`` of counters and the ``_info`` of infos.
        kind: counters only grow, gauges go up and down, histograms have ``_bucket``, ``_count`` and ``_sum``.
        text: what it says.
        labels: what tells its series apart. Their values are the router's own words or the operator's, no client's.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Its name as queries have it."""
        return self.name + {"counter": "_total", "info": "_info"}.get(self.kind, "")


BUILD: Final = Family("wampgate_build", "info", "What runs; always 1.", ("version",))
READY: Final = Family("wampgate_ready", "gauge", "1 while /health/ready says that the router should be given clients.")
DRAINING: Final = Family("wampgate_draining", "gauge", "1 while the router is on its way out.")
RELOADS: Final = Family(
    "wampgate_reloads",
    "counter",
    "Reloads of router.json, by what became of them: done, or refused, which leaves everything as it was.",
    ("outcome",),
)

LAG: Final = Family(
    "wampgate_reactor_lag_seconds", "gauge", "By how much the reactor was late, at worst, in the last 10 to 20 s."
)
LATENESS: Final = Family(
    "wampgate_reactor_lateness_seconds",
    "histogram",
    "How late the reactor came to a timer, looked at 4 times a second.",
)

CONNECTIONS: Final = Family(
    "wampgate_connections", "gauge", "Open connections, those included that have said nothing yet.", ("listener",)
)
REFUSED_CONNECTIONS: Final = Family(
    "wampgate_connections_refused",
    "counter",
    "Connections and requests that were refused before anyone looked who sends them.",
    ("listener", "reason"),
)
TRANSPORTS: Final = Family(
    "wampgate_transport_connections", "gauge", "Connections that speak WAMP, joined or not yet.", ("transport",)
)
CUT_OFF: Final = Family(
    "wampgate_slow_readers_cut_off", "counter", "Connections dropped because they did not read.", ("transport",)
)
QUEUED: Final = Family(
    "wampgate_queued_bytes", "gauge", "What waits in the router for those who read too slowly.", ("transport",)
)
SLOW: Final = Family(
    "wampgate_slow_readers", "gauge", "Connections for which anything waits in the router.", ("transport",)
)
LIMITS: Final = Family(
    "wampgate_limits_reached",
    "counter",
    "How often a limit of the configuration was reached; docs/limits.md says what follows. Without a realm: before one"
    " was joined.",
    ("realm", "limit"),
)
HTTP: Final = Family("wampgate_http_answers", "counter", "HTTP answers, by status.", ("listener", "status"))

SESSIONS: Final = Family(
    "wampgate_sessions", "gauge", "Sessions that have joined, by authrole and authmethod.", ("realm", "role", "method")
)
JOINED: Final = Family("wampgate_sessions_joined", "counter", "Sessions that have joined.", ("realm",))
REFUSED_JOINS: Final = Family(
    "wampgate_joins_refused", "counter", "Joins that were refused, by the error's last word.", ("reason",)
)
REVOKED: Final = Family(
    "wampgate_revoked", "counter", "Subscriptions and registrations taken back because a right has ended.", ("realm",)
)
REVOCATION: Final = Family(
    "wampgate_revocation_seconds",
    "histogram",
    "From hearing that rights have changed until all sessions concerned were dealt with.",
    ("realm",),
)

MESSAGES: Final = Family(
    "wampgate_messages_received", "counter", "WAMP messages from clients, by type; joining ones have no realm.",
    ("realm", "type"),
)  # fmt: skip
PUBLICATIONS: Final = Family(
    "wampgate_publications", "counter", "Publications that were accepted, whoever sent them.", ("realm",)
)
EVENTS: Final = Family("wampgate_events_delivered", "counter", "Events handed out to subscribers.", ("realm",))
CALLS: Final = Family("wampgate_calls", "counter", "Calls handed to a registered procedure.", ("realm",))
SUBSCRIPTIONS: Final = Family(
    "wampgate_subscriptions", "gauge", "Topics and patterns that someone subscribes to.", ("realm",)
)
REGISTRATIONS: Final = Family(
    "wampgate_registrations", "gauge", "Procedures that someone has registered, the router's own included.", ("realm",)
)
DROPPED: Final = Family(
    "wampgate_events_dropped",
    "counter",
    "Events that a subscriber was not given: slow_reader and too_long are told to it, replaced had a later one of its"
    " key, meta is about sessions and subscriptions.",
    ("realm", "reason"),
)
GAPS: Final = Family(
    "wampgate_gaps_told", "counter", "Gaps that slow readers were told of, on wampgate.gap.", ("realm",)
)

DECISIONS: Final = Family(
    "wampgate_authorization_decisions",
    "counter",
    "What sessions asked for, by what was decided: allowed, denied, or undecided because a store or an authorizer did"
    " not answer.",
    ("realm", "action", "outcome"),
)
CACHES: Final = Family(
    "wampgate_authorization_cache_requests",
    "counter",
    "How often what was remembered was enough (hit) or had to be asked for (miss): memberships of the store's,"
    " decisions of a dynamic authorizer's.",
    ("realm", "cache", "outcome"),
)

STORE_UP: Final = Family("wampgate_store_up", "gauge", "1 while the token store answers.", ("realm", "kind"))
STORE_HEARS: Final = Family(
    "wampgate_store_hears", "gauge", "1 while the token store tells of changes at once.", ("realm", "kind")
)
QUERIES: Final = Family(
    "wampgate_store_query_seconds",
    "histogram",
    "From asking the token store's database until it answered, the wait for a connection included; one question may"
    " be about many.",
    ("realm", "query"),
)

BRIDGE_UP: Final = Family(
    "wampgate_bridge_up", "gauge", "1 while the bridge or outbox brings events.", ("realm", "bridge", "kind")
)
BRIDGE_LAG: Final = Family(
    "wampgate_bridge_lag_seconds", "gauge", "How far a bridge is behind its source; 0 while it is not.",
    ("realm", "bridge"),
)  # fmt: skip
BRIDGE_EVENTS: Final = Family(
    "wampgate_bridge_event_seconds",
    "histogram",
    "How long events took: from being added to a stream, or inserted into an outbox, until published here; of pub/sub,"
    " which tells no such time, the router's own share, of one message in sixteen.",
    ("realm", "bridge"),
)
BRIDGE_MESSAGES: Final = Family(
    "wampgate_bridge_messages",
    "counter",
    "What became of messages, rows and connections of a bridge; docs/redis.md and docs/outbox.md name the outcomes.",
    ("realm", "bridge", "direction", "outcome"),
)

HISTORY_EVENTS: Final = Family("wampgate_history_events", "gauge", "Events that histories keep in memory.", ("realm",))
HISTORY_BYTES: Final = Family("wampgate_history_bytes", "gauge", "What they take.", ("realm",))
HISTORY_TOPICS: Final = Family("wampgate_history_topics", "gauge", "Topics of which events are kept.", ("realm",))
HISTORY_UP: Final = Family(
    "wampgate_history_store_up", "gauge", "1 while a history's store takes what it is told.", ("realm", "store")
)
RETAINED_EVENTS: Final = Family("wampgate_retained_events", "gauge", "Retained events.", ("realm",))
RETAINED_BYTES: Final = Family("wampgate_retained_bytes", "gauge", "What they take.", ("realm",))
AUDIT_UP: Final = Family(
    "wampgate_audit_up", "gauge", "1 while the audit log's file takes entries; missing where no file is named."
)
AUDIT_ENTRIES: Final = Family(
    "wampgate_audit_entries",
    "counter",
    "Entries for the audit log's file: written, or lost because the disk took nothing for so long.",
    ("outcome",),
)
OTHER: Final = Family(
    "wampgate_occurrences",
    "counter",
    "All else that is counted in a realm, by the names that docs/limits.md, docs/history.md and their neighbours use.",
    ("realm", "what"),
)

FAMILIES: Final = tuple(value for value in list(globals().values()) if isinstance(value, Family))
"""All of them, in the order in which they are shown."""
