"""Who may stay when a realm's configuration has changed."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.composition.judging import Ends, judged
from wampgate.config.differences import differences, unchangeable
from wampgate.config.reading import read
from wampgate.config.references import References
from wampgate.core.interfaces import Known, Principal

TICKET: Final = sha256(b"a ticket").hexdigest()
OTHER: Final = sha256(b"another ticket").hexdigest()
STORE: Final = {"type": "sqlite", "path": "x.sqlite3"}
KEYS: Final = ["11" * 32, "22" * 32]


def configuration(*realms: dict[str, Any], **more: Any) -> Any:
    """A configuration of some realms' sections."""
    found, problems = read(json.loads(json.dumps({"realms": list(realms)} | more)), References({}, Path()))
    assert found is not None, problems
    return found


def realm(*principals: dict[str, Any], name: str = "realm1", **authentication: Any) -> Any:
    return configuration(section(*principals, name=name, **authentication)).realms[0]


def section(*principals: dict[str, Any], name: str = "realm1", **authentication: Any) -> dict[str, Any]:
    store = authentication.pop("store", STORE)
    made = {"ticket": {}, "anonymous": {}, "principals": list(principals)} | authentication
    return {"name": name, "store": store, "authentication": made}


def known(authid: str = "alice", role: str = "client", **by: Any) -> dict[str, Any]:
    return {"authid": authid, "role": role, **(by or {"ticket_sha256": TICKET})}


ALICE: Final = Principal("alice", "client", "ticket", "static", token_id=TICKET)
ANNA: Final = Principal("anna", "member", "ticket", "store", user="anna", token_id="x")
GUEST: Final = Principal("anonymous-1", "anonymous", "anonymous", "anonymous")
KEYED: Final = Principal("alice", "client", "cryptosign", "static")
STORED: Final = Principal("anna", "member", "cryptosign", "store", known=Known("cryptosign", "anna", "x"))

CASES: Final[dict[str, tuple[Principal, Any, Any, Any]]] = {
    "the same": (ALICE, realm(known()), realm(known()), "client"),
    "another role": (ALICE, realm(known()), realm(known(role="boss")), "boss"),
    "no principal any more": (ALICE, realm(known()), realm(), Ends.REVOKED),
    "another ticket": (ALICE, realm(known()), realm(known(ticket_sha256=OTHER)), Ends.REVOKED),
    "another principal beside": (ALICE, realm(known()), realm(known(), known("bob", ticket_sha256=OTHER)), "client"),
    "a user": (ANNA, realm(), realm(ticket={"role": "guest"}), "guest"),
    "a user's name is a principal's now": (ANNA, realm(), realm(known("anna")), Ends.REVOKED),
    "no store any more": (ANNA, realm(), realm(known(), store=None), Ends.REVOKED),
    "an organization is asked for": (ANNA, realm(), realm(ticket={"require_organization": True}), Ends.AGAIN),
    "no organization is asked for": (ANNA, realm(ticket={"require_organization": True}), realm(), "member"),
    "a guest": (GUEST, realm(), realm(anonymous={"role": "visitor"}), "visitor"),
    "no guests any more": (GUEST, realm(), realm(anonymous=None), Ends.REVOKED),
    "one more key": (
        KEYED,
        realm(known(cryptosign={"public_keys": KEYS[:1]}), cryptosign={}),
        realm(known(cryptosign={"public_keys": KEYS}), cryptosign={}),
        "client",
    ),
    "one key less": (
        KEYED,
        realm(known(cryptosign={"public_keys": KEYS}), cryptosign={}),
        realm(known(cryptosign={"public_keys": KEYS[:1]}), cryptosign={}),
        Ends.REVOKED,
    ),
    "the method is off": (
        KEYED,
        realm(known(cryptosign={"public_keys": KEYS}), cryptosign={}),
        realm(known()),
        Ends.REVOKED,
    ),
    "a role that the section may have given": (
        STORED,
        realm(cryptosign={}),
        realm(cryptosign={"role": "x"}),
        Ends.AGAIN,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_who_may_stay(case: str) -> None:
    who, before, after, expected = CASES[case]
    verdict = judged(before, after, who)
    assert (verdict if isinstance(verdict, Ends) else verdict.authrole) == expected


@pytest.mark.parametrize("case", CASES)
def test_who_stays_is_who_it_was_but_for_the_role(case: str) -> None:
    who, before, after, _ = CASES[case]
    verdict = judged(before, after, who)
    if not isinstance(verdict, Ends):
        assert verdict.authid == who.authid
        assert judged(after, after, verdict) is verdict
    assert judged(before, before, who) is who


# --- what differs ---

SECTIONS = st.lists(
    st.builds(
        lambda name, count, role: section(known(role=role), name=name) | {"topics": [{"uri": f"a.{count}"}]},
        st.sampled_from(["realm1", "realm2", "realm3"]),
        st.integers(1, 3),
        st.sampled_from(["client", "boss"]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda each: str(each["name"]),
)
CONFIGURATIONS = st.builds(
    lambda realms, limit, host: configuration(*realms, limits={"connections": limit}, hosts=[host]),
    SECTIONS,
    st.integers(1, 2),
    st.sampled_from(["a.example", "b.example"]),
)


@given(before=CONFIGURATIONS, after=CONFIGURATIONS)
def test_there_is_a_difference_exactly_where_there_is_one(before: Any, after: Any) -> None:
    found = differences(before, after)
    same_realms = {each.name: each for each in before.realms} == {each.name: each for each in after.realms}
    assert ("limits" in found) == (before.limits != after.limits)
    assert ("hosts" in found) == (before.hosts != after.hosts)
    assert bool([each for each in found if each.startswith("realms[")]) == (not same_realms)
    assert len(found) == len(set(found))
    assert unchangeable(before, after) == []


@given(before=CONFIGURATIONS, after=CONFIGURATIONS)
def test_what_comes_goes_on_the_way_back(before: Any, after: Any) -> None:
    def turned(text: str) -> str:
        swap = {"added": "removed", "removed": "added"}
        head, _, tail = text.rpartition(" ")
        return f"{head} {swap[tail]}" if tail in swap and head else text

    assert sorted(map(turned, differences(before, after))) == sorted(differences(after, before))


def test_what_a_store_keeps_is_not_changed_on_the_way() -> None:
    def kept(store: str, url: str = "redis://a") -> Any:
        return configuration(
            section()
            | {
                "topics": [{"uri": "a.b", "history": {"store": store}}],
                "history": {"stores": [{"type": "redis", "name": "kept", "url": url}]},
            }
        )

    assert unchangeable(kept("kept"), kept("kept")) == []
    assert [str(each).partition(":")[0] for each in unchangeable(kept("memory"), kept("kept"))] == ["realms[0].topics"]
    assert [str(each).partition(":")[0] for each in unchangeable(kept("kept"), kept("kept", "redis://b"))] == [
        "realms[0].history.stores"
    ]
    assert unchangeable(kept("memory"), kept("memory", "redis://b")) == []
