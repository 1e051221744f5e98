"""The section ``log`` of router.json: what a running router tells, and how."""

from typing import Literal

from wampgate.config.section import Section

Level = Literal["debug", "info", "warn", "error", "critical"]


class Levels(Section, frozen=True, kw_only=True):
    """From which level on each part of the router is heard; ``docs/logs.md`` says what belongs to which part.

    Attributes:
        router: its start and its end, and what fits nowhere else.
        sessions: joins and leaves (both ``debug``), broken protocol, exceeded rates.
        authentication: refused logins and refreshes, the keys of signed tokens.
        authorization: what was refused, and what was taken back.
        administration: what operators and backends did: ended sessions, changed levels, reloads.
        stores: databases and histories.
        bridges: Redis and outboxes.
        http: the pages and the HTTP interfaces.
        transports: connections before and below WAMP.
        twisted: Twisted's own lines, and those of other libraries.
    """

    router: Level = "info"
    sessions: Level = "info"
    authentication: Level = "info"
    authorization: Level = "info"
    administration: Level = "info"
    stores: Level = "info"
    bridges: Level = "info"
    http: Level = "info"
    transports: Level = "info"
    twisted: Level = "warn"


class Log(Section, frozen=True, kw_only=True):
    """What is logged, and how; where to, ``twistd --logfile`` says. ``docs/logs.md``.

    Attributes:
        format: ``text`` for people, or ``json``: one object on each line.
        levels: from which level on each part is heard.
        access: whether each HTTP request gets a line.
    """

    format: Literal["text", "json"] = "text"
    levels: Levels = Levels()
    access: bool = False
