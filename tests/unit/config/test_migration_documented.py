"""docs/migrating-from-crossbar.md: what it shows of router.json loads, and is what the script makes of config.json."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wampgate.authentication.derivation import scram_secret
from wampgate.authorization.rules import Rule, Rules

TOP = Path(__file__).parents[3]
TEXT = (TOP / "docs" / "migrating-from-crossbar.md").read_text()
SCRIPT = TOP / "examples" / "python" / "from_crossbar.py"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
OURS = [text for language, text in BLOCKS if language == "json"]
THEIRS = [text for language, text in BLOCKS if language == "javascript"]
REALMS = [{"name": "realm1", "authentication": {"anonymous": {}}}]


@pytest.fixture
def load_block(load_document, tmp_path):
    """Loads a block; sections without realms get some, variables a value, and there are the files that are named."""

    def load_it(text):
        (tmp_path / "ca.pem").write_text("")
        environ = {
            name: "8082" if name == "PORT" else f"the value of {name}" for name in re.findall(r"\$\{(\w+)\}", text)
        }
        return load_document({"realms": REALMS} | json.loads(text), **environ)

    return load_it


@pytest.fixture
def convert(tmp_path):
    """Runs the script: what it prints as JSON, and what it says beside."""

    def convert_it(config, *arguments):
        (tmp_path / "config.json").write_text(json.dumps(config))
        command = [sys.executable, SCRIPT, tmp_path / "config.json", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return (json.loads(done.stdout) if done.returncode == 0 else None), done.stderr

    return convert_it


def node(realm=None, transports=()):
    """A config.json with one realm."""
    realm = {"name": "realm1", "roles": [{"name": "user"}]} | (realm or {})
    return {"version": 2, "workers": [{"type": "router", "realms": [realm], "transports": list(transports)}]}


def web(auth=None, endpoint=None, **more):
    """A web transport with a WebSocket."""
    service = {"type": "websocket"} | ({} if auth is None else {"auth": auth}) | more
    return {"type": "web", "endpoint": endpoint or {"type": "tcp", "port": 8080}, "paths": {"ws": service}}


def test_there_are_blocks():
    assert len(OURS) >= 7
    assert len(THEIRS) >= 3


@pytest.mark.parametrize("text", OURS, ids=range(len(OURS)))
def test_what_it_shows_of_router_json_loads(load_block, text):
    assert load_block(text).realms


@pytest.mark.parametrize("text", THEIRS, ids=range(len(THEIRS)))
def test_what_it_shows_of_config_json_is_json(text):
    json.loads(text if text.startswith("{") else f"{{{text}}}")


def test_the_script_makes_the_one_of_the_other(convert):
    document, _ = convert(json.loads(THEIRS[0]), "--own", "com.example.")
    assert document == json.loads(OURS[0])


@pytest.mark.parametrize(
    ("role", "asked", "allowed"),
    [
        ("frontend", ("call", "com.example.x", "exact"), True),
        ("frontend", ("publish", "com.example.x", "exact"), False),
        ("frontend", ("publish", "com.example.7.chat", "exact"), True),
        ("frontend", ("call", "com.example.7.chat", "exact"), False),
        ("frontend", ("subscribe", "com.example.", "prefix"), True),
        ("frontend", ("call", "wamp.session.count", "exact"), True),
        ("frontend", ("call", "wamp.session.kill", "exact"), False),
        ("backend", ("register", "com.example.x", "exact"), True),
        ("backend", ("call", "wamp.session.kill", "exact"), False),
    ],
)
def test_the_rules_allow_what_the_permissions_allowed(load_block, role, asked, allowed):
    (realm,) = load_block(OURS[0]).realms
    rules = Rules(
        Rule(rule.role, frozenset(rule.actions), rule.uri, rule.match, rule.allow, rule.disclose, "rule")
        for rule in realm.authorization.rules
    )
    decision = rules.decide(role, *asked)
    assert (decision is not None and decision.allowed) is allowed


def test_everything_is_what_the_application_has(convert):
    everything = dict.fromkeys(("call", "register", "publish", "subscribe"), True)
    config = node({"roles": [{"name": "user", "permissions": [{"uri": "*", "allow": everything}]}]}, [web()])
    document, said = convert(config)
    assert document is None
    assert "--own" in said
    document, _ = convert(config, "--own", "com.example.", "--own", "org.example.")
    rules = document["realms"][0]["authorization"]["rules"]
    assert [rule["uri"] for rule in rules] == ["com.example.", "org.example."]


def test_every_static_method(convert, load_document):
    argon2 = pytest.importorskip("argon2")
    assert argon2
    from autobahn.wamp.auth import derive_scram_credential

    salt = bytes(range(16))
    auth = {
        "ticket": {"type": "static", "principals": {"joe": {"ticket": "a ${ ticket", "role": "user"}}},
        "wampcra": {"type": "static", "users": {"joe": {"secret": "$SECRET", "role": "user"}}},
        "cryptosign": {"type": "static", "principals": {"joe": {"authorized_keys": ["AB" * 32], "role": "user"}}},
        "scram": {
            "type": "static",
            "principals": {"ann": derive_scram_credential("ann", "pencil", salt) | {"role": "user"}},
        },
        "anonymous": {"type": "static", "role": "user"},
        "cookie": {},
    }
    document, said = convert(node(transports=[web(auth)]))
    joe, ann = document["realms"][0]["authentication"]["principals"]
    assert ann["scram"] == scram_secret("pencil", kdf="argon2id-13", iterations=4096, memory=512, salt=salt)
    (realm,) = load_document(document, SECRET="the secret").realms
    assert realm.authmethods == ("ticket", "cryptosign", "scram", "wampcra", "anonymous")
    assert realm.authentication.principals[0].wampcra.secret.reveal() == "the secret"
    assert realm.authentication.principals[0].ticket.reveal() == "a ${ ticket"
    assert joe["cryptosign"]["public_keys"] == ["ab" * 32]
    assert "cookies" in said


def test_procedures_that_decide(convert, load_document):
    dynamic = {"type": "dynamic", "authenticator": "com.example.authenticate"}
    transports = [
        web(
            {
                "ticket": dynamic,
                "wampcra": dynamic,
                "anonymous": dynamic | {"authenticator": "com.example.other"},
                "cryptosign": {
                    "type": "static",
                    "principals": {"decider": {"authorized_keys": ["ab" * 32], "role": "decider"}},
                },
            }
        )
    ]
    register = {"uri": "com.example.*", "allow": {"register": True}}
    roles = [{"name": "decider", "permissions": [register]}, {"name": "user", "authorizer": "com.example.authorize"}]
    document, said = convert(node({"roles": roles}, transports))
    (realm,) = load_document(document).realms
    assert realm.authentication.dynamic.methods == ("ticket", "wampcra", "anonymous")
    assert realm.authorization.dynamic[0].roles == ("user",)
    assert "com.example.other" in said


def test_without_auth_everyone_is_anonymous(convert):
    document, _ = convert(node(transports=[web()]))
    assert document["realms"][0]["authentication"] == {"anonymous": {"role": "anonymous"}}


@pytest.mark.parametrize(
    ("endpoint", "listens"),
    [
        ({"type": "tcp", "port": 8080, "interface": "127.0.0.1"}, "tcp:8080:interface=127.0.0.1"),
        ({"type": "tcp", "port": 8080, "version": 6}, "tcp:8080:interface=\\:\\:"),
        ({"type": "tcp", "port": "$PORT"}, "tcp:${PORT}"),
        ({"type": "unix", "path": "a:b.sock"}, "unix:a\\:b.sock"),
        (
            {
                "type": "tcp",
                "port": 443,
                "tls": {"key": "k.pem", "certificate": "c.pem", "chain_certificates": ["i.pem"]},
            },
            "ssl:443:privateKey=k.pem:certKey=c.pem:extraCertChain=i.pem",
        ),
    ],
)
def test_endpoints(convert, load_document, endpoint, listens):
    document, _ = convert(node(transports=[web(endpoint=endpoint)]))
    assert document["listen"] == [{"endpoint": listens}]
    assert load_document(document, PORT="8080").listen


def test_what_it_can_t_convert_it_says(convert):
    transports = [
        web({"tls": {"type": "static", "principals": {}}, "anonymous": {}}, options={"allowed_origins": ["*"]}),
        {
            "type": "web",
            "endpoint": {"type": "tcp", "port": 8081},
            "paths": {"/": {"type": "static", "directory": "web"}, "publish": {"type": "publisher", "realm": "realm1"}},
        },
    ]
    config = node({"store": {"type": "memory", "call-queue": [{"uri": "com.example.x"}]}}, transports)
    config["workers"].append({"type": "container"})
    document, said = convert(config)
    assert document is not None
    for word in ("SHA-256", "allowed_origins", "static", "HTTP publishing", "call-queue", "components", "hosts"):
        assert word in said
