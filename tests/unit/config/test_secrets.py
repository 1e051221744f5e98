"""No way of printing a configuration or an error tells a secret."""

import json
import pickle

import pytest

from wampgate.config import Secret, changed, redacted

CANARY = "canary-5f2e"


@pytest.fixture
def secretive(document):
    """Secrets in every place that takes one: written down, and from outside."""
    first = document["realms"][0]
    first["store"]["dsn"] = f"postgresql://user:{CANARY}@localhost/${{DATABASE}}"
    first["authentication"]["principals"][0]["ticket"] = CANARY
    first["authentication"]["principals"].append({"authid": "third", "role": "r", "ticket": "${TICKET}"})
    first["authentication"]["principals"].append({"authid": "${AUTHID}", "role": "${ROLE}", "ticket": "x${TICKET}"})
    first["bridges"][0]["url"] = f"redis://user:{CANARY}@localhost"
    document["hosts"].append("${HOST}")
    document["listen"][0]["endpoint"] = "tcp:${PORT}:interface=${HOST}"
    document["realms"][1]["store"]["path"] = "/${FILE}"
    return document


@pytest.fixture
def environ():
    names = ("DATABASE", "TICKET", "AUTHID", "ROLE", "HOST", "FILE")
    return {name: f"{CANARY}-{name.lower()}" for name in names} | {"PORT": "9"}


def sections_of(section):
    from wampgate.config.section import Section

    yield section
    for name in section.__struct_fields__:
        value = getattr(section, name)
        for element in value if isinstance(value, tuple) else (value,):
            if isinstance(element, Section):
                yield from sections_of(element)


def test_no_representation_tells_a_secret(secretive, load_document, environ):
    configuration = load_document(secretive, **environ)
    assert configuration.realms[0].store.dsn.reveal().count(CANARY) == 2
    assert configuration.realms[0].authentication.principals[3].authid == f"{CANARY}-authid"
    for section in sections_of(configuration):
        for shown in (repr(section), str(section), f"{section}", repr(section.__rich_repr__()), repr(section.__dict__)):
            assert CANARY not in shown
    assert CANARY not in json.dumps(redacted(configuration))


def test_what_is_shown_instead_says_where_it_came_from(secretive, load_document, environ):
    shown = redacted(load_document(secretive, **environ))
    assert shown["listen"][0]["endpoint"] == "tcp:${PORT}:interface=${HOST}"
    assert shown["hosts"][-1] == "${HOST}"
    first, second = shown["realms"]
    assert first["store"]["dsn"] == "(hidden)"
    assert first["store"]["type"] == "postgres"
    assert [principal["ticket"] for principal in first["authentication"]["principals"]] == [
        "(hidden)",
        None,
        "${TICKET}",
        "(hidden)",
    ]
    assert first["authentication"]["principals"][1]["ticket_sha256"] == "(hidden)"
    assert first["authentication"]["principals"][3]["authid"] == "${AUTHID}"
    assert second["store"]["path"] == "/${FILE}"


def test_a_changed_section_hides_what_the_original_hides(secretive, load_document, environ):
    principal = load_document(secretive, **environ).realms[0].authentication.principals[3]
    other = changed(principal, role="open")
    assert other.role == "open"
    assert other.authid == principal.authid
    shown = redacted(other)
    assert (shown["authid"], shown["role"], shown["ticket"]) == ("${AUTHID}", "open", "(hidden)")


def test_no_error_tells_a_secret(secretive, faults, environ):
    first = secretive["realms"][0]
    first["name"] = "${TICKET} is no URI"
    first["store"] |= {
        "dsn": CANARY,
        "timezone": "${TICKET} no zone",
        "token_hash": "${TICKET}",
        "token_query": "${TICKET}",
    }
    first["authentication"]["ticket"] = CANARY
    first["authentication"]["principals"][0] = CANARY
    first["authentication"]["principals"][1] = {"authid": "${BAD}", "role": "${BAD}", "ticket_sha256": CANARY}
    first["authentication"]["principals"][2]["ticket_sha256"] = [CANARY]
    first["authentication"]["principals"][3]["ticket"] = {"it is": CANARY}
    first["authorization"]["rules"][0] |= {"uri": "${WAMP}", "match": "exact"}
    first["bridges"][0] |= {"url": f"http://:{CANARY}@h", "name": f"redis://{CANARY}@h"}
    first["bridges"][0]["rules"] = CANARY
    secretive["listen"][0]["endpoint"] = "${TICKET}"
    secretive["hosts"] = "${TICKET}"
    secretive["passwort"] = CANARY
    lines = faults(secretive, **environ, BAD=f"two words {CANARY}", WAMP=f"wamp.{CANARY}")
    assert len(lines) >= 16
    assert CANARY not in "\n".join(lines)


def test_a_secret_hides_itself():
    secret = Secret(CANARY)
    assert CANARY not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == CANARY
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_secrets_compare_by_what_they_hold():
    assert Secret(CANARY) == Secret(CANARY, "${X}")
    assert Secret(CANARY) != Secret("other")
    assert Secret(CANARY) != CANARY
    assert len({Secret(CANARY), Secret(CANARY)}) == 1


def test_a_principals_digest_is_the_same_either_way(document, load_document):
    digest = "b221d9dbb083a7f33428d7c2a3c3198ae925614d70210e28716ccaa7cd4ddb79"
    principals = document["realms"][0]["authentication"]["principals"]
    principals[0]["ticket"], principals[1]["ticket_sha256"] = "hi", digest
    first, second = load_document(document).realms[0].authentication.principals
    import hashlib

    assert first.digest == hashlib.sha256(b"hi").hexdigest()
    assert second.digest == digest
