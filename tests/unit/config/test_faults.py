"""Each fault in a document is named with its key, what was expected and what was found; all of them at once."""

import json
from hashlib import sha256

import pytest

from wampgate.config import tickets
from wampgate.config.stores import PRESETS_OF_JTI

REALM = ("realms", 0)
STORE = (*REALM, "store")
RULE = (*REALM, "authorization", "rules", 0)
BRIDGE = (*REALM, "bridges", 0)
JWT = (*REALM, "authentication", "ticket", "jwt")
PRINCIPAL = (*REALM, "authentication", "principals", 0)
GONE = object()


def put(document, path, value):
    *way, last = path
    for key in way:
        document = document[key]
    if value is GONE:
        del document[last]
    else:
        document[last] = value


SINGLE_FAULTS = [
    # types and bounds
    (("limits", "connections"), "many", 'limits.connections: expected a whole number from 1 to 10000000, got "many"'),
    (("limits", "connections"), 0, "limits.connections: expected a whole number from 1 to 10000000, got 0"),
    (("limits", "connections"), True, "limits.connections: expected a whole number from 1 to 10000000, got true"),
    (("limits", "connections"), 1.5, "limits.connections: expected a whole number from 1 to 10000000, got 1.5"),
    (("limits", "connections"), 10**30, "limits.connections: expected a whole number from 1 to 10000000, got a number"),
    (("limits", "join_seconds"), 0, "limits.join_seconds: expected a number of seconds over 0, at most 3600, got 0"),
    (("limits", "connections_per_address"), -1, "from 0 (no limit) to 10000000, got -1"),
    (("limits", "outbox_bytes"), 1024, "limits.outbox_bytes: expected at least message_bytes"),
    (("limits",), None, "limits: expected an object, got null"),
    (("limits", "calls_per_second_per_session"), -1, "expected a number a second from 0 (no limit) to 1000000, got -1"),
    (("goodbye",), "sometimes", 'goodbye: expected "auto" or "always" or "never", got "sometimes"'),
    (("trusted_proxies",), ["10.0.0.1/8"], "trusted_proxies[0]: expected an address or network such as"),
    (("listen",), [], "listen: expected a list of at least one section with an endpoint, got an empty list"),
    (("realms",), GONE, "realms: expected a list of at least one realm, got nothing"),
    (("realms",), {}, "realms: expected a list of at least one realm, got an object"),
    ((*REALM, "name"), "no realm", "realms[0].name: expected a realm's name: a URI such as"),
    ((*REALM, "name"), "", 'realm1", got an empty text'),
    ((*REALM, "name"), "a\n2026 forged line", r'got "a\n2026 forged line"'),
    ((*REALM, "name"), "\x1b[2J", r'got "\x1b[2J"'),
    ((*REALM, "name"), "\ud800", "got text with a NUL or half of a surrogate pair"),
    # unknown and repeated keys
    (("realm",), [], 'realm: expected a known key, got one that is not; did you mean "realms"?'),
    ((*REALM, "authorisation"), {}, "realms[0].authorisation: expected a known key, got one that is not; did you mean"),
    (
        ("zzz",),
        1,
        "zzz: expected a known key, got one that is not; the keys here are: listen, hosts, origins, trusted_proxies,",
    ),
    (("an odd key",), 1, '["an odd key"]: expected a known key'),
    ((*STORE, "path"), "x", "realms[0].store.path: expected a known key"),
    # kinds
    ((*STORE, "type"), "mysql", 'realms[0].store.type: expected "postgres" or "sqlite", got "mysql"'),
    ((*STORE, "type"), GONE, 'realms[0].store.type: expected "postgres" or "sqlite", got nothing'),
    ((*STORE, "type"), ["sqlite"], 'realms[0].store.type: expected "postgres" or "sqlite", got a list'),
    (STORE, "postgresql://u:pw@h/d", 'realms[0].store: expected an object with "type", got text of 21 characters'),
    (
        (*BRIDGE, "rules", 0, "dialect"),
        "plane",
        'rules[0].dialect: expected "plain" or "socketio-emitter" or "socketio-adapter" or "python-socketio"'
        ' or "laravel" or "action-cable" or "anycable", got "plane"',
    ),
    # stores
    ((*STORE, "dsn"), "dsn-typo", "realms[0].store.dsn: expected a Postgres connection string"),
    ((*STORE, "timezone"), "UTC'; DROP", 'realms[0].store.timezone: expected a time zone such as "UTC"'),
    ((*STORE, "token_query"), "SELECT 1", "realms[0].store.token_query: expected a query with the parameter %(token)s"),
    ((*STORE, "token_query"), "a %(token)s b %(other)s", "besides it none but %(timezone)s"),
    ((*STORE, "token_query"), "LIKE '%' AND %(token)s", 'none but %(timezone)s (a literal percent sign is "%%")'),
    ((*STORE, "membership_query"), "%(token)s", "membership_query: expected a query with the parameter %(user)s"),
    ((*STORE, "token_hash"), "md5", 'realms[0].store.token_hash: expected "sha256" or "plain", got "md5"'),
    ((*STORE, "allow_null_expires"), 1, "realms[0].store.allow_null_expires: expected true or false, got 1"),
    (("realms", 1, "store", "path"), "", "realms[1].store.path: expected a file's path, got an empty text"),
    (
        ("realms", 1, "store", "token_query"),
        "= ?",
        "expected a query with the parameter :token, besides it none but :timezone",
    ),
    (("realms", 1, "store", "timezone"), "Mars/Olympus", "realms[1].store.timezone: expected a time zone that this"),
    # who may join
    ((*REALM, "authentication", "ticket"), None, "authentication.ticket: expected an object, since principals join"),
    (("realms", 1, "authentication", "anonymous"), None, "realms[1].authentication: expected a ticket section with"),
    ((*PRINCIPAL, "ticket"), GONE, "principals[0].ticket: expected one or more of ticket, ticket_sha256, wampcra,"),
    (
        (*PRINCIPAL, "ticket_sha256"),
        "cd" * 32,
        "principals[0].ticket: expected either ticket or ticket_sha256, got both",
    ),
    ((*PRINCIPAL, "authid"), "two words", "principals[0].authid: expected an authid"),
    ((*PRINCIPAL, "authid"), "wampgate.bridge", "principals[0].authid: expected an authid"),
    (
        (*PRINCIPAL, "authid"),
        "reporter",
        "principals[1].authid: expected authid that no other of the list has, got that of",
    ),
    ((*PRINCIPAL, "role"), "wampgate", "principals[0].role: expected a role"),
    # signed tokens
    (
        (*JWT, "secret"),
        "x" * 31,
        "ticket.jwt.secret: expected a secret of at least 32 bytes, got text of 31 characters",
    ),
    ((*JWT, "secret"), GONE, "jwt.keys_file: expected exactly one of keys_file, keys_url and secret, got none of them"),
    (
        (*JWT, "keys_url"),
        "https://a/keys",
        "jwt.keys_file: expected exactly one of keys_file, keys_url and secret, got",
    ),
    ((*JWT, "keys_url"), "http://a/keys", 'jwt.keys_url: expected the "https://" URL of a JWK set'),
    ((*JWT, "keys_file"), "nowhere.json", "jwt.keys_file: expected the path of a readable file"),
    ((*JWT, "denied_file"), "nowhere.json", "jwt.denied_file: expected the path of a readable file"),
    ((*JWT, "issuer"), GONE, 'jwt.issuer: expected what a token\'s "iss" is, such as "https://login.example.org/"'),
    ((*JWT, "issuer"), "", 'jwt.issuer: expected what a token\'s "iss" is'),
    ((*JWT, "audience"), [], "jwt.audience: expected a list of at least one audience, got an empty list"),
    (
        (*JWT, "audience"),
        "wampgate",
        "jwt.audience: expected a list of at least one audience, got text of 8 characters",
    ),
    ((*JWT, "audience"), GONE, "jwt.audience: expected a list of at least one audience, got nothing"),
    ((*JWT, "user_claim"), "", "jwt.user_claim: expected the name of a claim"),
    ((*JWT, "leeway_seconds"), 301, "jwt.leeway_seconds: expected a number of seconds from 0 to 300, got 301"),
    ((*JWT, "algorithm"), "none", "jwt.algorithm: expected a known key, got one that is not"),
    # presets
    ((*STORE, "preset"), "passport", "realms[0].store.preset: expected null beside a token_query, got both"),
    ((*STORE, "preset"), "oauth", 'realms[0].store.preset: expected "bshaffer" or "league-3" or'),
    # rules
    ((*RULE, "uri"), "a..b", "rules[0].uri: expected a URI (or pattern) that fits match, got what is none for prefix"),
    ((*RULE, "uri"), "", 'rules[0].uri: expected nothing of "wamp" and "wampgate" where actions has publish or'),
    ((*RULE, "actions"), [], "rules[0].actions: expected a list of at least one action, got an empty list"),
    ((*RULE, "actions"), ["publish", "publish"], "rules[0].actions: expected each action once, got one twice"),
    ((*RULE, "actions", 0), "shout", 'rules[0].actions[0]: expected "subscribe" or "publish" or "call" or "register"'),
    ((*RULE, "match"), "regex", 'rules[0].match: expected "exact" or "prefix" or "wildcard", got "regex"'),
    (
        (*REALM, "authorization", "organization"),
        "wamp.x",
        'organization: expected a URI outside "wamp." and "wampgate."',
    ),
    # bridges
    ((*BRIDGE, "url"), "http://x", 'bridges[0].url: expected "redis://user:password@host:port/database"'),
    ((*BRIDGE, "rules"), [], "bridges[0].rules: expected a list of at least one bridge rule, got an empty list"),
    (
        (*BRIDGE, "rules", 0, "topic"),
        "organization.x",
        "rules[0].topic: expected the variables of channel and no others, got",
    ),
    (
        (*BRIDGE, "rules", 0, "topic"),
        "a.{b}",
        "rules[0].topic: expected the variables of channel and no others, got {b}",
    ),
    ((*BRIDGE, "rules", 1, "topic"), "{organization}.{kind}", "rules[1].topic: expected a topic template such as"),
    ((*BRIDGE, "rules", 0, "channel"), "{", "rules[0].channel: expected a template such as"),
    ((*BRIDGE, "rules", 1, "namespace"), "chat", 'rules[1].namespace: expected a namespace beginning with "/"'),
    ((*BRIDGE, "ca_file"), "nowhere.pem", "bridges[0].ca_file: expected the path of a readable file"),
    # names of hosts
    (("hosts", 1), "News.Example.org", "hosts[1]: expected a host name in lower case"),
    (("origins", 0), "*", "origins[0]: expected an origin as browsers send it"),
]


@pytest.mark.parametrize(("path", "value", "fault"), SINGLE_FAULTS, ids=lambda part: None)
def test_a_single_fault_is_the_only_one_named(document, faults, path, value, fault):
    put(document, path, value)
    lines = faults(document)
    assert len(lines) == 1, lines
    assert fault in lines[0]


def test_the_document_has_no_fault_before(document, faults):
    assert faults(document) == []


def test_all_faults_are_named_at_once_in_the_files_order(document, faults):
    put(document, ("listen", 0, "endpoint"), "8080")
    put(document, ("limits", "hello_seconds"), "5")
    put(document, (*REALM, "name"), "")
    put(document, (*STORE, "dsn"), "${NOWHERE} ${NEITHER}")
    put(document, (*STORE, "pool_size"), 0)
    put(document, (*PRINCIPAL, "authid"), "reporter")
    put(document, (*PRINCIPAL, "role"), 7)
    put(document, (*RULE, "uri"), "wamp.")
    put(document, (*BRIDGE, "url"), 1)
    put(document, ("realms", 1, "name"), "a b")
    places = [line.partition(": ")[0] for line in faults(document)]
    assert places == [
        "listen[0].endpoint",
        "limits.hello_seconds",
        "realms[0].name",
        "realms[0].store.dsn",
        "realms[0].store.dsn",
        "realms[0].store.pool_size",
        "realms[0].authentication.principals[0].role",
        "realms[0].authentication.principals[1].authid",
        "realms[0].authorization.rules[0].uri",
        "realms[0].bridges[0].url",
        "realms[1].name",
    ]


def test_two_realms_of_one_name(document, faults):
    document["realms"][1]["name"] = "realm1"
    assert faults(document) == [
        "realms[1].name: expected name that no other of the list has, got that of realms[0].name"
    ]


def test_two_bridges_of_one_name(document, faults):
    document["realms"][0]["bridges"] *= 2
    assert faults(document) == [
        "realms[0].bridges[1].name: expected name that no other of the list has, got that of realms[0].bridges[0].name"
    ]


def test_two_bridges_without_a_name(document, faults):
    bridge = document["realms"][0]["bridges"][0]
    del bridge["name"]
    document["realms"][0]["bridges"] = [bridge, bridge]
    assert "bridges[1].name" in faults(document)[0]


def test_two_principals_of_one_ticket(document, faults):
    first, second = document["realms"][0]["authentication"]["principals"]
    second["ticket_sha256"] = sha256(first["ticket"].encode()).hexdigest()
    assert faults(document) == [
        "realms[0].authentication.principals: expected a ticket of its own for each principal,"
        " got the same for principals[0] and principals[1]"
    ]


def test_two_rules_that_contradict_each_other(document, faults):
    rules = document["realms"][0]["authorization"]["rules"]
    rules.append({**rules[1], "allow": False, "actions": ["subscribe"]})
    assert faults(document) == [
        "realms[0].authorization.rules[3].uri: expected uri and role and match and actions that no other of the list"
        " has, got that of realms[0].authorization.rules[1].uri"
    ]


def test_the_same_uri_for_another_action_is_no_contradiction(document, faults):
    rules = document["realms"][0]["authorization"]["rules"]
    rules.append({**rules[0], "actions": ["call"]})
    assert faults(document) == []


def test_one_address_is_listened_on_once(document, faults):
    document["listen"] *= 2
    assert len(faults(document)) == 2


def test_a_key_that_occurs_twice(faults, valid):
    text = json.dumps(valid)
    again = text.replace('"name": "realm1"', '"name": "realm1", "name": "realm2"')
    assert faults(again) == ["realms[0].name: expected each key once, got it twice"]


def test_an_issuer_without_a_name_needs_the_store(document, faults):
    put(document, (*JWT, "issuer"), None)
    assert faults(document) == []
    put(document, (*JWT, "jti_in_store"), False)
    assert faults(document) == [
        "realms[0].authentication.ticket.jwt.issuer: expected text, or jti_in_store beside it, got null"
    ]


def test_names_of_tokens_in_the_store_need_a_store(document, faults):
    put(document, STORE, None)
    assert faults(document) == [
        "realms[0].store: expected a store for authentication.ticket.jwt.jti_in_store, got no store"
    ]
    put(document, (*JWT, "jti_in_store"), False)
    assert faults(document) == []


@pytest.mark.parametrize("preset", PRESETS_OF_JTI)
def test_names_of_signed_tokens_are_never_taken_for_tokens(document, faults, preset):
    put(document, (*STORE, "token_query"), None)
    put(document, (*STORE, "preset"), preset)
    assert faults(document) == []
    expected = (
        "realms[0].store: expected a preset whose tables hold tokens, or authentication.ticket.jwt with jti_in_store"
    )
    put(document, (*JWT, "jti_in_store"), False)
    assert faults(document) == [f"{expected}, got the preset {preset} without them"]
    put(document, JWT, None)
    assert faults(document) == [f"{expected}, got the preset {preset} without them"]


@pytest.mark.parametrize(
    ("preset", "token_hash", "known"),
    [
        ("django-oauth-toolkit", "plain", False),
        ("django-oauth-toolkit", "sha256", True),
        ("passport", "sha256", False),
        ("passport", "plain", True),
        ("doorkeeper", "plain", True),
        ("doorkeeper", "sha256", True),
        ("doorkeeper", None, True),
    ],
)
def test_how_a_presets_tables_hold_tokens(document, faults, preset, token_hash, known):
    put(document, (*STORE, "token_query"), None)
    put(document, (*STORE, "preset"), preset)
    put(document, (*STORE, "token_hash"), token_hash)
    fault = f"realms[0].store.token_hash: expected null beside this preset: it is known, got {token_hash}"
    assert faults(document) == ([] if known else [fault])


def test_signed_tokens_need_their_library(document, faults, monkeypatch):
    monkeypatch.setattr(tickets, "find_spec", lambda _: None)
    assert faults(document) == [
        'realms[0].authentication.ticket.jwt: expected the package PyJWT to be installed (pip install "wampgate[jwt]"),'
        " got no PyJWT"
    ]
    put(document, JWT, None)
    assert faults(document) == []


def test_certificates_are_for_keys_from_a_url(document, faults, tmp_path):
    (tmp_path / "ca.pem").write_text("")
    put(document, (*JWT, "ca_file"), "ca.pem")
    assert "jwt.ca_file: expected an https:// keys_url beside it, or null, got no such URL" in faults(document)[0]
    put(document, (*JWT, "secret"), GONE)
    put(document, (*JWT, "keys_url"), "https://login.example.org/keys")
    assert faults(document) == []


def test_a_ca_file_needs_tls(document, faults, tmp_path):
    (tmp_path / "ca.pem").write_text("")
    put(document, (*BRIDGE, "ca_file"), "ca.pem")
    assert faults(document) == []
    put(document, (*BRIDGE, "url"), "redis://localhost")
    assert "ca_file: expected a rediss:// url beside it, or null, got a url without TLS" in faults(document)[0]


@pytest.mark.parametrize("action", ["publish", "register"])
@pytest.mark.parametrize(
    ("uri", "match"),
    [
        ("wamp", "exact"),
        ("wamp.session.kill", "exact"),
        ("wampgate.publish", "exact"),
        ("", "prefix"),
        ("w", "prefix"),
        ("wamp", "prefix"),
        ("wamp.", "prefix"),
        ("wamp.session", "prefix"),
        ("wampgat", "prefix"),
        ("wampgate.x.", "prefix"),
        ("", "wildcard"),
        (".", "wildcard"),
        (".session.", "wildcard"),
        ("wamp..kill", "wildcard"),
        ("wampgate.", "wildcard"),
    ],
)
def test_no_rule_gives_away_what_is_the_routers(document, faults, action, uri, match):
    rule = {"role": "backend", "actions": ["subscribe", action], "uri": uri, "match": match}
    document["realms"][0]["authorization"]["rules"] = [rule]
    (line,) = faults(document)
    assert line.startswith("realms[0].authorization.rules[0].uri: expected nothing of")
    rule["allow"] = False
    assert faults(document) == []
    rule |= {"allow": True, "actions": ["subscribe", "call"]}
    assert faults(document) == []


@pytest.mark.parametrize(("uri", "match"), [("wampx", "exact"), ("wampgates.", "prefix"), ("a.wamp", "wildcard")])
def test_what_only_looks_like_the_routers(document, faults, uri, match):
    document["realms"][0]["authorization"]["rules"] = [
        {"role": "backend", "actions": ["publish", "register"], "uri": uri, "match": match}
    ]
    assert faults(document) == []


PROXIED = {"endpoint": "tcp:8081", "proxy_protocol": True}


def test_the_proxy_protocol_needs_someone_to_speak_it(document, faults):
    document["listen"] = [{"endpoint": "tcp:8080"}, PROXIED]
    (line,) = faults(document)
    assert line == (
        "trusted_proxies: expected the addresses of the proxies that speak the PROXY protocol to a listener with"
        " proxy_protocol, got none that could speak it to listen[1]"
    )
    document["trusted_proxies"] = ["unix"]
    assert len(faults(document)) == 1
    document["trusted_proxies"] = ["unix", "10.0.0.0/8"]
    assert faults(document) == []
    document["listen"] = [{"endpoint": "unix:/run/x.sock", "proxy_protocol": True}]
    assert faults(document) == []
    document["trusted_proxies"] = ["10.0.0.0/8"]
    assert len(faults(document)) == 1


def test_the_proxy_protocol_comes_before_tls(document, faults):
    document["listen"] = [PROXIED | {"endpoint": "ssl:8443:privateKey=x"}]
    document["trusted_proxies"] = ["10.0.0.0/8"]
    (line,) = faults(document)
    assert line.startswith("listen[0].proxy_protocol: expected false with an ssl: endpoint")


def test_an_endpoint_that_believes_everyone_is_refused(document, faults):
    document["listen"] = [{"endpoint": "haproxy:tcp:8080"}]
    (line,) = faults(document)
    assert line.startswith("listen[0].endpoint: expected an endpoint without haproxy:")
