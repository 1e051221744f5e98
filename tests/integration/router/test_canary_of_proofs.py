"""Secrets, keys, cookies and a procedure's answers, by every method, good and bad: none comes out anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from callee import Callee, ProcedureError
from conftest import principal, rule, static_configuration, ticket_of
from integration.http.plain_http import ask
from raw_wamp import ABORT, Peer
from raw_websocket import Closed
from router_process import RouterProcess
from unit.authentication.proving import KEY, ScramClient, cra, public, sign

from wampgate.authentication.derivation import scram_secret, wampcra_secret
from wampgate.config import redacted
from wampgate.config.loading import load

if TYPE_CHECKING:
    from collections.abc import Iterator

ASK = "com.example.authenticate"
AUTHORIZE = "com.example.authorize"
PLAIN = "canary-secret-of-ann"
PASSWORD = "canary-password-of-joe"
TOLD = "canary-told-by-the-procedure"
TICKET = "canary-ticket-for-the-procedure"
WRONG = "canary-wrong"
SALTED = wampcra_secret(PASSWORD, iterations=100)
SCRAM = scram_secret(PASSWORD, kdf="pbkdf2", iterations=100)
ENVIRON = {
    "PLAIN": PLAIN,
    "SALTED": SALTED["secret"],
    "STORED": SCRAM["stored_key"],
    "SERVER": SCRAM["server_key"],
}


def configuration() -> dict[str, Any]:
    principals = [
        {"authid": "ann", "role": "client", "wampcra": {"secret": "${PLAIN}"}},
        {
            "authid": "joe",
            "role": "client",
            "wampcra": SALTED | {"secret": "${SALTED}"},
            "scram": SCRAM | {"stored_key": "${STORED}", "server_key": "${SERVER}"},
            "cryptosign": {"public_keys": [public(KEY)]},
        },
        principal("decider", "decider"),
    ]
    methods = ["ticket", "wampcra", "scram", "cryptosign"]
    sections: dict[str, Any] = {name: {} for name in ("ticket", "cookie", "wampcra", "scram", "cryptosign")}
    realm = {
        "name": "realm1",
        "authentication": {
            **sections,
            "dynamic": {"procedure": ASK, "methods": methods, "deadline_seconds": 1},
            "principals": principals,
        },
        "authorization": {
            "rules": [
                rule("decider", ["register"], "com.example.", "prefix"),
                rule("decider", ["call"], "wampgate.", "prefix"),
            ],
            "dynamic": [{"roles": ["member"], "procedure": AUTHORIZE}],
        },
    }
    return static_configuration(realms=[realm], limits={"failed_logins_per_address_per_minute": 1000})


NONSENSE: dict[str, Any] = {
    "an unknown field": {"role": "member", "authid": "eve", "exipres_in": TOLD},
    "a secret of another kind": {"role": "member", "authid": "eve", "secret": {"deep": TOLD}},
    "several values in one": [TOLD, TOLD],
    "a role that is none": {"role": f"{TOLD} {TOLD}", "authid": "eve"},
    "a role instead of an object": f"{TOLD}\n{TOLD}",
    "an authid that is none": {"role": "member", "authid": f"{TOLD}\0"},
    "a huge one": {"role": "member", "authid": "eve", "extra": TOLD * 20_000},
    "a number": {"role": "member", "authid": "eve", "expires_in": TOLD},
    "keys that are none": {"kdf": TOLD, "salt": TOLD, "stored_key": TOLD, "server_key": TOLD, "memory": TOLD},
    "a public key that is none": {"role": "member", "authid": "eve", "public_key": TOLD},
}


def authenticate(realm: str, authid: str | None, details: dict[str, Any]) -> Any:
    """Answers with what the client's name or ticket is a key of."""
    named = str(authid or details.get("ticket")).removeprefix(f"{TICKET} ")
    if named == "error":
        raise ProcedureError("wamp.error.runtime_error")
    if named == "good":
        secrets = {"wampcra": {"secret": TOLD}, "scram": SCRAM, "cryptosign": {"public_key": details.get("key")}}
        return {"role": "member", "authid": "good", "user": "42"} | secrets.get(details["authmethod"], {})
    return NONSENSE.get(named)


def authorize(session: Any, uri: str, action: str, options: Any) -> Any:
    """Says yes to one thing, and to all others something that means nothing."""
    return uri == "com.example.yes" or {"allow": TOLD, TOLD: TOLD}


class Heard:
    """A router, and all that its clients were sent."""

    def __init__(self, process: RouterProcess) -> None:
        self.process = process
        self.texts: list[str] = []

    def peer(self, **how: Any) -> Peer:
        return Peer(self.process.port, **how)

    def receive(self, peer: Peer) -> Any:
        try:
            message: Any = peer.receive()
        except Closed as closed:
            message = [ABORT, *closed.args]
        self.texts.append(repr(message))
        return message

    def prove(self, method: str, authid: str, secret: str = "") -> Any:
        """Join, or not."""
        client = ScramClient(authid, secret)
        extra = {"cryptosign": {"pubkey": public(KEY)}, "wamp-scram": client.authextra}.get(method, {})
        with self.peer() as peer:
            peer.hello(authmethods=[method], authid=authid, authextra=extra)
            message = self.receive(peer)
            if message[0] == ABORT:
                return message
            answer: Any = (secret, {})
            if method == "wampcra":
                answer = (cra(secret, message[2]["challenge"]), {})
            elif method == "cryptosign":
                answer = (secret or sign(KEY, message[2]["challenge"]), {})
            elif method == "wamp-scram":
                answer = client.answer(message[2])
            peer.send(5, *answer)
            return self.receive(peer)


@pytest.fixture(scope="module")
def heard() -> Iterator[Heard]:
    with RouterProcess(configuration(), arguments=["--debug"], environ=ENVIRON) as process:
        decider = Peer(process.port).join(ticket_of("decider"))
        with Callee(decider, {ASK: authenticate, AUTHORIZE: authorize}):
            yield Heard(process)


def go_on_with_a_cookie(heard: Heard) -> list[str]:
    """Log in by a ticket of the procedure's, join, ask, log out; the cookies that there were."""
    port = heard.process.port
    origin = {"Origin": f"http://127.0.0.1:{port}"}
    bearer = f"{TICKET} good"
    made = ask(port, "/session", b"", bearer, headers=origin | {"Content-Type": ""}, host=f"127.0.0.1:{port}")
    assert made.status == 201
    heard.texts.append(repr(made.body))
    value = made.headers["set-cookie"].partition("=")[2].partition(";")[0]
    for cookie in (value, WRONG, value[:-1] + "_"):
        headers = {"Host": f"127.0.0.1:{port}", "Cookie": f"__Host-wampgate={cookie}"} | origin
        with heard.peer(headers=list(headers.items())) as peer:
            peer.hello(authmethods=["cookie"])
            message = heard.receive(peer)
            assert (message[0] == 2) == (cookie == value)
            if cookie == value:
                for number, topic in enumerate(("com.example.yes", "com.example.no"), 1):
                    peer.send(32, number, {}, topic)
                    heard.receive(peer)
    for method in ("DELETE", "PUT"):
        headers = {"Cookie": f"__Host-wampgate={value}", "Content-Type": ""} | origin
        answer = ask(port, "/session", b"", bearer, method=method, headers=headers, host=f"127.0.0.1:{port}")
        heard.texts.append(repr(answer.body))
    return [value]


def print_what_operators_see(heard: Heard) -> None:
    """The configuration, right and with each secret in a wrong place."""
    folder = heard.process.folder
    good = load(folder / "router.json", ENVIRON)
    heard.texts += [repr(good), repr(redacted(good))]
    document = json.loads((folder / "router.json").read_text())
    assert command(heard, "check", "--config", str(folder / "router.json")) == 0
    ann, joe, _ = document["realms"][0]["authentication"]["principals"]
    faults: list[tuple[dict[str, Any], str, Any]] = [
        (ann["wampcra"], "secret", ["${PLAIN}", WRONG]),
        (ann["wampcra"], "secret", f"${{PLAIN}} {WRONG}"),
        (ann["wampcra"], "salt", {"x": WRONG}),
        (joe["wampcra"], "secret", WRONG),
        (joe["scram"], "stored_key", WRONG),
        (joe["scram"], "server_key", f"${{SERVER}}{WRONG}"),
        (joe["scram"], "server_key", {WRONG: "${SERVER}"}),
        (joe["cryptosign"], "private_key", WRONG),
        (joe, "password", WRONG),
    ]
    for section, key, value in faults:
        before = dict(section)
        section[key] = value
        faulty = folder / "faulty.json"
        faulty.write_text(json.dumps(document))
        command(heard, "check", "--config", str(faulty))
        faulty.unlink()
        section.clear()
        section.update(before)


def command(heard: Heard, *arguments: str) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "wampgate", *arguments],
        cwd=heard.process.folder,
        env={**os.environ, **ENVIRON},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    heard.texts += [done.stdout, done.stderr]
    return done.returncode


def forms(secret: str) -> set[str]:
    data = secret.encode()
    return {secret, sha256(data).hexdigest(), data.hex(), b64encode(data).decode()}


def test_no_proof_comes_out_of_what_it_is_made(heard: Heard) -> None:
    assert heard.prove("wampcra", "ann", PLAIN)[0] == 2
    assert heard.prove("wampcra", "joe", SALTED["secret"])[0] == 2
    assert heard.prove("wamp-scram", "joe", PASSWORD)[0] == 2
    assert heard.prove("cryptosign", "joe")[0] == 2
    assert heard.prove("wampcra", "good", TOLD)[0] == 2
    for method in ("wampcra", "wamp-scram", "cryptosign"):
        for authid in ("ann", "joe", "nobody", "good"):
            assert heard.prove(method, authid, WRONG)[0] == ABORT
        for authid in ("error", *NONSENSE):
            heard.prove(method, authid, WRONG)
    for ticket in ("error", "nobody", *NONSENSE):
        with suppress(Closed), heard.peer() as peer:
            peer.hello(authmethods=["ticket"])
            heard.receive(peer)
            peer.send(5, f"{TICKET} {ticket}", {})
            assert heard.receive(peer)[0] == ABORT
    cookies = go_on_with_a_cookie(heard)
    print_what_operators_see(heard)
    log = heard.process.log()
    # The test must not pass because nothing was heard.
    assert log.count("answers nonsense") >= 3 * len(NONSENSE) // 2
    assert "(hidden)" in "\n".join(heard.texts)
    private = KEY.private_bytes_raw().hex()
    secrets = [PLAIN, PASSWORD, SALTED["secret"], SCRAM["stored_key"], SCRAM["server_key"], TOLD, TICKET, WRONG]
    allowed = "\n".join(heard.texts)
    for secret in (*secrets, private, *cookies):
        for form in forms(secret):
            assert form not in log, [line for line in log.splitlines() if form in line][:2]
            assert form not in allowed, [line for line in allowed.splitlines() if form in line][:2]
