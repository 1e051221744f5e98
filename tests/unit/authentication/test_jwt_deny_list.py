"""The deny list: what it names is refused at the door, and ends for who is inside."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from signed_tokens import AUDIENCE, ISSUER, key_set, signing_key
from unit.core.routed import RealmUnderTest, Routed

from wampgate.authentication.deny_list import DenialWatch, DenyList, UnusableDenials, read_denials
from wampgate.authentication.jwt import Expected, JwtTokens
from wampgate.authentication.key_source import FixedKeys
from wampgate.authentication.keys import read_keys
from wampgate.authentication.ticket import TicketAuthenticator
from wampgate.authentication.watched_file import FileUnusable
from wampgate.core.interfaces import Issued

if TYPE_CHECKING:
    from pathlib import Path

    from unit.core.routed import Peer

KEY = signing_key("EdDSA")


def denied(entries: list[dict[str, Any]], user: str, issued: Issued) -> bool:
    return read_denials(json.dumps({"denied": entries}).encode()).include(user, issued)


@pytest.mark.parametrize(
    ("entries", "user", "id_", "at", "expected"),
    [
        ([], "joe", "t-1", 100, False),
        ([{"jti": "t-1"}], "joe", "t-1", 100, True),
        ([{"jti": "t-1"}], "joe", "t-2", 100, False),
        ([{"jti": "t-1"}], "joe", None, None, False),
        ([{"jti": 7}], "joe", "7", None, True),
        ([{"user": "joe"}], "joe", None, None, True),
        ([{"user": "joe"}], "joe", "t-1", 10**10, True),
        ([{"user": "joe"}], "JOE", "t-1", 100, False),
        ([{"user": 7}], "7", "t-1", 100, True),
        ([{"issued_before": 100}], "joe", "t-1", 99.9, True),
        ([{"issued_before": 100}], "joe", "t-1", 100, False),
        ([{"issued_before": 100}], "joe", "t-1", None, True),
        ([{"issued_before": "1970-01-01T00:01:40Z"}], "joe", "t-1", 99, True),
        ([{"issued_before": "1970-01-01T01:01:40+01:00"}], "joe", "t-1", 100, False),
        ([{"user": "joe", "issued_before": 100}], "joe", "t-1", 99, True),
        ([{"user": "joe", "issued_before": 100}], "joe", "t-1", None, True),
        ([{"user": "joe", "issued_before": 100}], "joe", "t-1", 101, False),
        ([{"user": "joe", "issued_before": 100}], "ann", "t-1", 99, False),
        ([{"issued_before": 50}, {"user": "joe", "issued_before": 100}], "joe", "t-1", 70, True),
        ([{"issued_before": 100}, {"user": "joe", "issued_before": 50}], "joe", "t-1", 70, True),
        ([{"issued_before": 100}, {"issued_before": 50}], "joe", "t-1", 70, True),
        ([{"user": "joe", "issued_before": 100}, {"user": "joe", "issued_before": 50}], "joe", "t-1", 70, True),
    ],
)
def test_what_is_denied(
    entries: list[dict[str, Any]], user: str, id_: str | None, at: float | None, expected: bool
) -> None:
    assert denied(entries, user, Issued(id_, at)) is expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"denied": {}}',
        b'{"denied": [], "more": 1}',
        b'{"denied": ["t-1"]}',
        b'{"denied": [{}]}',
        b'{"denied": [{"jti": ""}]}',
        b'{"denied": [{"jti": null}]}',
        b'{"denied": [{"jti": true}]}',
        b'{"denied": [{"jti": "a", "user": "joe"}]}',
        b'{"denied": [{"user": ""}]}',
        b'{"denied": [{"sub": "joe"}]}',
        b'{"denied": [{"issued_before": "yesterday"}]}',
        b'{"denied": [{"issued_before": "2026-01-31T12:00:00"}]}',
        b'{"denied": [{"issued_before": 0}]}',
        b'{"denied": [{"issued_before": -1}]}',
        b'{"denied": [{"issued_before": true}]}',
        b'{"denied": [{"user": "joe", "issued_before": null}]}',
        b'{"denied": [{"jti": "good"}, {"jti": []}]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_half_a_deny_list_is_none(content: bytes) -> None:
    with pytest.raises(UnusableDenials):
        read_denials(content)


@given(st.binary(max_size=80) | st.text(max_size=60).map(str.encode))
def test_whatever_a_file_holds(content: bytes) -> None:
    with pytest.raises(UnusableDenials):
        read_denials(content)


class Setting:
    """A router whose users have signed tokens, and a deny list that the test writes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "denied.json"
        self.write()
        self.deny_list = DenyList(self.path)
        tokens = JwtTokens(
            FixedKeys(read_keys(key_set(KEY), secrets=True)), Expected((AUDIENCE,), ISSUER), self.deny_list
        )
        realm = RealmUnderTest(authenticators={})
        self.routed = Routed(realm)
        realm.realm.authenticators = {
            "ticket": TicketAuthenticator(store=realm.store, now=self.routed.clock, signed=tokens)
        }
        self.store = realm.store
        self.watch = DenialWatch(
            self.deny_list, realm.realm, self.routed.router, now=self.routed.clock, join_seconds=10
        )

    def write(self, *entries: dict[str, Any]) -> None:
        self.path.write_text(json.dumps({"denied": list(entries)}))

    def look(self) -> None:
        self.watch.look()
        self.routed.flush()

    def join(self, **claims: Any) -> Peer:
        return self.routed.peer().join(KEY.token(**claims))


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


def test_who_is_inside_is_told_and_ended(setting: Setting) -> None:
    now = int(time.time())
    joe = setting.join(jti="a", iat=now - 100)
    other = setting.join(jti="b", iat=now - 10)
    ann = setting.join(sub="ann", jti="c", iat=now - 100)
    for peer in (joe, other, ann):
        peer.heard()
    setting.look()
    assert [joe.heard(), other.heard(), ann.heard()] == [[], [], []]
    setting.write({"jti": "a"})
    setting.look()
    assert [message[0::2] for message in joe.heard()] == [[6, "wampgate.close.token_revoked"]]
    assert other.heard() == ann.heard() == []
    setting.write({"jti": "a"}, {"user": "joe", "issued_before": now - 5})
    setting.look()
    assert [message[2] for message in other.heard()] == ["wampgate.close.token_revoked"]
    assert ann.heard() == []
    setting.write({"issued_before": now})
    setting.look()
    assert [message[2] for message in ann.heard()] == ["wampgate.close.token_revoked"]


def test_who_comes_later_is_refused(setting: Setting) -> None:
    setting.write({"user": "joe"})
    setting.look()
    peer = setting.routed.peer()
    peer.hello(authmethods=["ticket"])
    assert peer.say(5, KEY.token(), {})[0][2] == "wamp.error.authentication_denied"
    assert "denied token of user 'joe'" in str(setting.routed.records[-1])
    setting.join(sub="ann")


def test_who_was_just_joining_is_ended_too(setting: Setting) -> None:
    setting.store.slow = True
    peer = setting.routed.peer()
    peer.hello(authmethods=["ticket"])
    peer.say(5, KEY.token(), {})
    # The token was good when it was looked at; the memberships have not come yet.
    assert setting.routed.waiting
    setting.write({"user": "joe"})
    setting.look()
    setting.routed.clock.now += 5
    setting.routed.answer()
    assert peer.heard()[0][0] == 2
    setting.look()
    assert peer.heard()[0][2] == "wampgate.close.token_revoked"


def test_sessions_without_a_signed_token_are_left_alone(setting: Setting) -> None:
    token = setting.routed.realm.add_user("joe")
    joe = setting.routed.peer().join(token)
    setting.write({"user": "joe"}, {"issued_before": 10**10})
    setting.look()
    assert joe.session.established


def test_a_broken_list_goes_on_to_hold_as_it_was(setting: Setting) -> None:
    setting.write({"user": "joe"})
    setting.look()
    for broken in ("", "{", '{"denied": [{"user": ""}]}'):
        setting.path.write_text(broken)
        setting.look()
        assert setting.deny_list.denies("joe", Issued(None, None))
    setting.path.unlink()
    setting.look()
    assert setting.deny_list.denies("joe", Issued(None, None))
    setting.write()
    setting.look()
    assert not setting.deny_list.denies("joe", Issued(None, None))


def test_a_list_that_is_broken_from_the_start_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileUnusable, match=r"denied\.json: No such file"):
        DenyList(tmp_path / "denied.json")
    (tmp_path / "denied.json").write_text('{"denied": [{"jti": "a"}, {"id": "b"}]}')
    with pytest.raises(FileUnusable, match=r"denied\[1\]: expected an object of jti"):
        DenyList(tmp_path / "denied.json")
