"""The text of a start configuration: a commented router.json with a store, an operator and a backend."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

OPERATOR: Final = "operator"
BACKEND: Final = "backend"
ENDPOINT: Final = "tcp:8080:interface=127.0.0.1"
ADMIN_ENDPOINT: Final = "tcp:8081:interface=127.0.0.1"


@dataclass(frozen=True, slots=True)
class Start:
    """What a start configuration is to hold.

    Attributes:
        realm: the realm's name.
        endpoint: where connections are taken: a Twisted server endpoint.
        admin: where operators look, likewise.
        dsn: a reference to the Postgres connection string, ``${NAME}``; None for SQLite.
        path: the SQLite file, relative to router.json's folder.
        preset: whose tables hold the tokens in Postgres; None for wampgate's own.
        redis: a reference to the URL of a Redis to take events from; None for none.
        tickets: the tickets of the operator and the backend, by authid.
    """

    realm: str = "realm1"
    endpoint: str = ENDPOINT
    admin: str = ADMIN_ENDPOINT
    dsn: str | None = None
    path: str = "var/tokens.sqlite3"
    preset: str | None = None
    redis: str | None = None
    tickets: dict[str, str] = field(
        default_factory=lambda: {name: secrets.token_urlsafe(32) for name in (OPERATOR, BACKEND)}, repr=False
    )


def text_of(start: Start, schema: str) -> str:
    """The file's text.

    Args:
        start: what it is to hold.
        schema: the name of the JSON Schema beside it.
    """
    return _TEXT.format(
        schema=json.dumps(f"./{schema}"),
        endpoint=json.dumps(start.endpoint),
        admin=json.dumps(start.admin),
        realm=json.dumps(start.realm),
        store=_store(start),
        operator=_digest(start.tickets[OPERATOR]),
        backend=_digest(start.tickets[BACKEND]),
        bridges=_BRIDGES.format(url=json.dumps(start.redis)) if start.redis else _NO_BRIDGES,
    )


def _store(start: Start) -> str:
    if start.dsn is None:
        return f'{{"type": "sqlite", "path": {json.dumps(start.path)}}}'
    preset = f', "preset": {json.dumps(start.preset)}' if start.preset else ""
    return f'{{"type": "postgres", "dsn": {json.dumps(start.dsn)}{preset}}}'


def _digest(ticket: str) -> str:
    return json.dumps(sha256(ticket.encode()).hexdigest())


_TEXT: Final = """\
// The configuration of wampgate. Comments and trailing commas may stand here.
// Editors explain and complete each key by the schema below; `wampgate check` names every mistake at once.
{{
  "$schema": {schema},

  // Where connections are taken: WAMP at /ws, and HTTP for backends. At first from this machine only: leave
  // "interface=…" out to be reached from others, best with TLS: "ssl:443:privateKey=key.pem:certKey=cert.pem".
  "listen": [{{"endpoint": {endpoint}, "serves": ["wamp", "page", "backend"]}}],

  // The names under which browsers reach the router, such as "news.example.org", and the other sites whose pages
  // may connect, such as "https://app.example.org". This machine's own names need not be listed.
  "hosts": [],
  "origins": [],

  // For operators: metrics, readiness and the status page. Keep it on this machine.
  "admin": {{"endpoint": {admin}}},

  "realms": [
    {{
      "name": {realm},

      // Where users' tokens and their memberships of organizations are. `wampgate init` makes the tables;
      // `wampgate token create` and `wampgate member add` fill them.
      "store": {store},

      "authentication": {{
        // Users show their token as a ticket and get this role.
        "ticket": {{"role": "member"}},

        // Who is known without the store. Here stands the SHA-256 of each ticket; a new one is made by
        // `printf %s "$TICKET" | sha256sum`.
        "principals": [
          {{"authid": "operator", "role": "operator", "ticket_sha256": {operator}}},
          {{"authid": "backend", "role": "backend", "ticket_sha256": {backend}}},
        ],
      }},

      "authorization": {{
        // A member of organization 7 may subscribe to organization.7 and to all below it. What no rule allows
        // is refused: `wampgate explain` says why.
        "organization": "organization",

        "rules": [
          // The backend publishes news.
          {{"role": "backend", "actions": ["publish"], "uri": "organization.", "match": "prefix"}},
          {{"role": "backend", "actions": ["call"], "uri": "wampgate.publish"}},

          // The operator looks at everything in this realm, and may end sessions.
          {{"role": "operator", "actions": ["call"], "uri": "wampgate.", "match": "prefix"}},
          {{"role": "operator", "actions": ["call", "subscribe"], "uri": "wamp.", "match": "prefix"}},
        ],
      }},

      "meta_api": {{"sights": [{{"role": "operator", "sees": "all"}}]}},

{bridges}
    }},
  ],
}}
"""

_NO_BRIDGES: Final = """\
      // Events from Redis or from an outbox table in Postgres: docs/redis.md, docs/streams.md, docs/outbox.md.
      "bridges": [],"""

_BRIDGES: Final = """\
      // What is published on the Redis channel "channel.7" reaches the members of organization 7.
      "bridges": [
        {{
          "type": "redis",
          "url": {url},
          "rules": [
            {{"dialect": "plain", "channel": "channel.{{organization}}", "topic": "organization.{{organization}}"}},
          ],
        }},
      ],"""
