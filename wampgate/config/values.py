"""The values in router.json: numbers with their bounds, and texts with what they have to be.

A type's ``description`` completes the sentence "expected …" in error messages;
``accepts`` in its ``extra`` is a test that the type alone can't express.
"""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from wampgate.config import formats, templates
from wampgate.config.secret import Secret
from wampgate.core.uri import is_reserved, is_uri

# Numbers.
Count = Annotated[int, Meta(ge=1, le=10_000_000, description="a whole number from 1 to 10000000")]
CountOrNone = Annotated[int, Meta(ge=0, le=10_000_000, description="a whole number from 0 (no limit) to 10000000")]
Rate = Annotated[float, Meta(ge=0, le=1e6, description="a number a second from 0 (no limit) to 1000000")]
MessageBytes = Annotated[int, Meta(ge=1, le=2**24, description="a number of bytes from 1 to 16777216")]
QueueBytes = Annotated[int, Meta(ge=1, le=2**30, description="a number of bytes from 1 to 1073741824")]
Seconds = Annotated[float, Meta(gt=0, le=3600, description="a number of seconds over 0, at most 3600")]
CacheSeconds = Annotated[float, Meta(ge=0, le=300, description="a number of seconds from 0 (no cache) to 300")]
StoreSeconds = Annotated[float, Meta(gt=0, le=60, description="a number of seconds over 0, at most 60")]
ClockSeconds = Annotated[float, Meta(ge=0, le=300, description="a number of seconds from 0 to 300")]
PoolSize = Annotated[int, Meta(ge=1, le=100, description="a number of connections from 1 to 100")]

# Texts.
Endpoint = Annotated[
    str,
    Meta(
        description='a Twisted server endpoint such as "tcp:8080:interface=127.0.0.1"',
        extra={"accepts": formats.is_endpoint},
    ),
]
Host = Annotated[
    str,
    Meta(
        description='a host name in lower case, with or without port, such as "news.example.org"',
        extra={"accepts": formats.is_host},
    ),
]
Origin = Annotated[
    str,
    Meta(
        description=(
            'an origin as browsers send it, such as "https://app.example.org": scheme and host in lower case,'
            " the port unless it is the scheme's own, no path"
        ),
        extra={"accepts": formats.is_origin},
    ),
]
Proxy = Annotated[
    str,
    Meta(
        description='an address or network such as "10.0.0.0/8" (no host bits set), or "unix" for Unix sockets',
        extra={"accepts": formats.is_proxy},
    ),
]
RealmName = Annotated[str, Meta(description='a realm\'s name: a URI such as "realm1"', extra={"accepts": is_uri})]
OrganizationRoot = Annotated[
    str,
    Meta(
        description='a URI outside "wamp." and "wampgate.", such as "organization"',
        extra={"accepts": lambda text: is_uri(text) and not is_reserved(text, "exact")},
    ),
]
Role = Annotated[
    str,
    Meta(
        description='a role: up to 64 ASCII letters, digits and "_.:-", outside "wampgate."',
        extra={"accepts": formats.is_role},
    ),
]
AuthId = Annotated[
    str,
    Meta(
        description='an authid: up to 128 printable characters without spaces, outside "wampgate."',
        extra={"accepts": formats.is_authid},
    ),
]
Ticket = Annotated[Secret, Meta(description="a ticket (text that is not empty)")]
TicketSha256 = Annotated[
    Secret,
    Meta(
        description="a ticket's SHA-256 as 64 lower-case hexadecimal digits",
        extra={"accepts": formats.is_sha256},
    ),
]
PostgresDsn = Annotated[
    Secret,
    Meta(
        description='a Postgres connection string, "postgresql://…" or "host=… dbname=… user=…"',
        extra={"accepts": formats.is_postgres_dsn},
    ),
]
RedisUrl = Annotated[
    Secret,
    Meta(
        description=(
            '"redis://user:password@host:port/database" or "rediss://…" for TLS,'
            " special characters of user and password percent-encoded"
        ),
        extra={"accepts": formats.is_redis_url},
    ),
]
PostgresTokenQuery = Annotated[
    str,
    Meta(
        description=(
            'a query with the parameter %(token)s, besides it none but %(timezone)s (a literal percent sign is "%%")'
        ),
        extra={"accepts": formats.postgres_query_of("token")},
    ),
]
PostgresMembershipQuery = Annotated[
    str,
    Meta(
        description=(
            'a query with the parameter %(user)s, besides it none but %(timezone)s (a literal percent sign is "%%")'
        ),
        extra={"accepts": formats.postgres_query_of("user")},
    ),
]
PostgresCredentialsQuery = Annotated[
    str,
    Meta(
        description=(
            "a query with the parameters %(authmethod)s, %(authid)s and %(key)s, besides them none but %(timezone)s"
            ' (a literal percent sign is "%%")'
        ),
        extra={"accepts": formats.postgres_query_of("authmethod", "authid", "key")},
    ),
]
SqliteTokenQuery = Annotated[
    str,
    Meta(
        description="a query with the parameter :token, besides it none but :timezone",
        extra={"accepts": formats.sqlite_query_of("token")},
    ),
]
SqliteMembershipQuery = Annotated[
    str,
    Meta(
        description="a query with the parameter :user, besides it none but :timezone",
        extra={"accepts": formats.sqlite_query_of("user")},
    ),
]
PostgresTimeZone = Annotated[
    str,
    Meta(description='a time zone such as "UTC" or "Europe/Berlin"', extra={"accepts": formats.is_time_zone}),
]
SqliteTimeZone = Annotated[
    str,
    Meta(
        description='a time zone that this machine knows, such as "UTC" or "Europe/Berlin" (package tzdata)',
        extra={"accepts": formats.is_known_time_zone},
    ),
]
ReadableFile = Annotated[Path, Meta(description="the path of a readable file", extra={"accepts": Path.is_file})]
KeysUrl = Annotated[
    str,
    Meta(
        description='the "https://" URL of a JWK set, without user and fragment ("http://" for loopback only)',
        extra={"accepts": formats.is_keys_url},
    ),
]
JwtSecret = Annotated[
    Secret,
    Meta(
        description="a secret of at least 32 bytes",
        extra={"accepts": lambda text: len(text.encode()) >= 32},
    ),
]
Issuer = Annotated[
    str,
    Meta(
        description='what a token\'s "iss" is, such as "https://login.example.org/"',
        extra={"accepts": formats.is_claim_text},
    ),
]
JwtAudience = Annotated[
    str, Meta(description='what a token\'s "aud" names: text', extra={"accepts": formats.is_claim_text})
]
ClaimName = Annotated[
    str, Meta(description='the name of a claim, such as "sub"', extra={"accepts": formats.is_claim_text})
]
Preset = Literal["bshaffer", "league-3", "league-4", "league-bundle", "passport", "doorkeeper", "django-oauth-toolkit"]
StorePath = Annotated[Path, Meta(description="a file's path")]
StateFolder = Annotated[Path, Meta(description="a folder's path")]
CaFile = Annotated[Path, Meta(description="the path of a readable file", extra={"accepts": Path.is_file})]
BridgeName = Annotated[
    str,
    Meta(
        description='a name of up to 32 lower-case letters, digits, "_" and "-"',
        extra={"accepts": formats.is_bridge_name},
    ),
]
SourceTemplate = Annotated[
    str,
    Meta(
        description=(
            'a template such as "channel.{organization}": each {variable} once, and after it something'
            " that can't be part of it"
        ),
        extra={"accepts": templates.is_source},
    ),
]
TopicTemplate = Annotated[
    str,
    Meta(
        description=(
            'a topic template such as "organization.{organization}": a URI whose first component is fixed and'
            ' not "wamp" or "wampgate", each {variable} a whole component and used once'
        ),
        extra={"accepts": templates.is_topic},
    ),
]
SocketIoKey = Annotated[
    str,
    Meta(
        description='a key prefix without "#", such as "socket.io"',
        extra={"accepts": lambda text: 0 < len(text) <= 128 and "#" not in text and text.isprintable()},
    ),
]
SocketIoNamespace = Annotated[
    str,
    Meta(
        description='a namespace beginning with "/"',
        extra={"accepts": lambda text: text.startswith("/") and "#" not in text and text.isprintable()},
    ),
]
TokenHash = Literal["sha256", "plain"]
Farewell = Literal["auto", "always", "never"]
PayloadFormat = Literal["json", "msgpack", "text"]
BridgeSubscribe = Literal["all", "wanted"]
OutFormat = Literal["envelope", "plain"]
