"""A valid document, and the way through a real file."""

import copy
import json

import pytest

from wampgate.config import ConfigurationError, load

DOCUMENT = {
    "listen": [{"endpoint": "tcp:8080:interface=127.0.0.1"}, {"endpoint": "unix:wamp.sock"}],
    "hosts": ["news.example.org", "10.0.0.1:8080", "[::1]:8080"],
    "origins": ["https://app.example.org", "http://localhost:3000"],
    "limits": {"message_bytes": 65536, "connections_per_address": 0, "join_seconds": 2.5},
    "realms": [
        {
            "name": "realm1",
            "store": {
                "type": "postgres",
                "dsn": "postgresql://user:dsn-secret@localhost/news",
                "pool_size": 2,
                "timeout_seconds": 1,
                "token_query": "SELECT a, b FROM t WHERE c LIKE '%%x' AND d = %(token)s",
                "membership_query": "SELECT a FROM t WHERE u = %(user)s",
                "token_hash": "plain",
                "timezone": "Europe/Berlin",
                "allow_null_expires": True,
            },
            "authentication": {
                "ticket": {
                    "role": "member",
                    "require_organization": True,
                    "query_string": True,
                    "jwt": {
                        "secret": "a secret of thirty-two bytes or more",
                        "issuer": "https://login.example.org/",
                        "audience": ["wampgate", "news"],
                        "user_claim": "user_id",
                        "organizations_claim": "https://example.org/organizations",
                        "jti_in_store": True,
                        "leeway_seconds": 10,
                    },
                },
                "anonymous": {"role": "visitor"},
                "principals": [
                    {"authid": "backend", "role": "backend", "ticket": "ticket-secret"},
                    {"authid": "reporter", "role": "backend", "ticket_sha256": "ab" * 32},
                ],
            },
            "authorization": {
                "organization": "org.teams",
                "cache_seconds": 0,
                "rules": [
                    {"role": "backend", "actions": ["publish"], "uri": "organization.", "match": "prefix"},
                    {"role": "backend", "actions": ["call", "subscribe"], "uri": "wampgate.publish", "match": "exact"},
                    {
                        "role": "visitor",
                        "actions": ["register"],
                        "uri": "a..b",
                        "match": "wildcard",
                        "allow": False,
                        "disclose": "never",
                    },
                ],
            },
            "bridges": [
                {
                    "type": "redis",
                    "name": "main",
                    "url": "rediss://user:redis-secret@localhost:6380/1",
                    "ping_seconds": 1,
                    "rules": [
                        {
                            "dialect": "plain",
                            "channel": "channel.{organization}",
                            "topic": "organization.{organization}",
                            "format": "text",
                        },
                        {
                            "dialect": "socketio-emitter",
                            "key": "io",
                            "namespace": "/chat",
                            "room": "{organization}/{kind}",
                            "topic": "organization.{organization}.{kind}",
                        },
                    ],
                }
            ],
        },
        {
            "name": "com.example.second",
            "store": {
                "type": "sqlite",
                "path": "var/second.sqlite3",
                "token_query": "SELECT a, b FROM t WHERE d = :token AND e <> '12:30'",
                "membership_query": "SELECT a FROM t WHERE u = :user",
                "token_hash": "sha256",
                "timezone": "UTC",
            },
            "authentication": {"ticket": None, "anonymous": {}},
            "authorization": {"organization": None},
        },
    ],
}


@pytest.fixture(scope="session")
def valid():
    """The valid document, to be copied before it is changed."""
    return DOCUMENT


@pytest.fixture
def document():
    """A copy of the valid document."""
    return copy.deepcopy(DOCUMENT)


@pytest.fixture
def load_document(tmp_path):
    """Writes a document (or a text) to router.json and loads it."""

    def load_it(document, **environ):
        path = tmp_path / "router.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
        return load(path, environ)

    return load_it


@pytest.fixture
def faults(load_document, tmp_path):
    """The lines of the error that a document causes, without the file's name; none if it loads."""

    def faults_of(document, **environ):
        try:
            load_document(document, **environ)
        except ConfigurationError as error:
            start = f"{tmp_path / 'router.json'}: "
            lines = str(error).splitlines()
            assert all(line.startswith(start) for line in lines)
            return [line.removeprefix(start) for line in lines]
        return []

    return faults_of
