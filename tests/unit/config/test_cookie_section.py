"""The sections for session cookies and for credentials in a store: what they accept, and what they say of the rest."""

import json
import re
from pathlib import Path

import pytest

from wampgate.composition.stores import parts_of

DOCS = Path(__file__).parents[3] / "docs"
POSTGRES = {"type": "postgres", "dsn": "dbname=x password=dsn-secret"}


def document(cookie=None, *, store=POSTGRES, realm=None, **more):
    authentication = {"ticket": {}, "cookie": {} if cookie is None else cookie} | (realm or {})
    return {"realms": [{"name": "realm1", "store": store, "authentication": authentication}]} | more


def test_what_holds_where_nothing_is_said(load_document):
    realm = load_document(document()).realms[0]
    cookie = realm.authentication.cookie
    assert (cookie.keep, cookie.most_seconds, cookie.per_authid) == ("memory", 43_200, 20)
    assert realm.authmethods == ("ticket", "cookie")
    assert parts_of(realm) == []


def test_without_the_section_there_are_none(load_document):
    realm = load_document({"realms": [{"name": "realm1", "authentication": {"anonymous": {}}}]}).realms[0]
    assert realm.authentication.cookie is None
    assert "cookie" not in realm.authmethods


def test_the_documented_section_loads(load_document):
    text = (DOCS / "authentication.md").read_text()
    (block,) = (block for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if '"cookie"' in block)
    realm = json.loads(f"{{{block}}}") | {"name": "realm1", "store": POSTGRES}
    loaded = load_document({"realms": [realm]}).realms[0]
    assert loaded.authentication.cookie.keep == "store"
    assert parts_of(loaded) == ["cookies"]


@pytest.mark.parametrize(
    ("cookie", "more", "expected"),
    [
        ({"keep": "redis"}, {}, "realms[0].authentication.cookie.keep"),
        ({"most_seconds": 0}, {}, "from 1 to 2592000"),
        ({"per_authid": 0}, {}, "from 1 to 1000"),
        ({"name": "session"}, {}, "realms[0].authentication.cookie.name"),
        (
            {"keep": "store"},
            {"store": None, "realm": {"anonymous": {}}},
            "a store for authentication.cookie.keep",
        ),
        ({}, {"realm": {"ticket": None, "anonymous": {}}}, "realms[0].authentication.cookie"),
        ({}, {"origins": ["*"]}, "origins[0]"),
        ({}, {"origins": ["null"]}, "origins[0]"),
        ({}, {"origins": ["https://*.example.org"]}, "origins[0]"),
    ],
)
def test_what_is_refused(faults, cookie, more, expected):
    (fault,) = faults(document(cookie, **more))
    assert expected in fault
    assert "dsn-secret" not in fault


@pytest.mark.parametrize("method", ["wampcra", "scram", "cryptosign", "tls"])
def test_a_method_that_asks_for_credentials_needs_their_table(load_document, tmp_path, method):
    authority = tmp_path / "ca.pem"
    authority.touch()
    listen = [
        {"endpoint": "ssl:443:privateKey=a:certKey=b", "client_certificates": {"ca_file": str(authority)}}
        if method == "tls"
        else {"endpoint": "tcp:0"}
    ]
    realm = load_document(document(realm={method: {}}, listen=listen)).realms[0]
    assert parts_of(realm) == ["credentials"]


def test_the_documented_query_loads(load_document):
    text = (DOCS / "postgres.md").read_text()
    (query,) = re.findall(r'^("credentials_query": .*)$', text, re.MULTILINE)
    store = load_document(document(store=POSTGRES | json.loads(f"{{{query}}}"))).realms[0].store
    assert "%(key)s" in store.credentials_query


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "SELECT %(authmethod)s, %(authid)s",
        "SELECT %(authmethod)s, %(authid)s, %(key)s, %(token)s",
        "SELECT %(authmethod)s, %(authid)s, %(key)s, 100%",
    ],
)
def test_a_query_that_can_not_be_asked_is_refused(faults, query):
    (fault,) = faults(document(store=POSTGRES | {"credentials_query": query}))
    assert "realms[0].store.credentials_query" in fault
