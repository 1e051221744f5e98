"""Rooms and channels that whoever reaches Redis may invent: each leads to its organization's topic or to none."""

from __future__ import annotations

import re
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.bridge.test_socketio_emitter import NAMESPACE, SHARED, kinds, packet

TOPIC: Final = re.compile(r"organization\.[A-Za-z0-9_-]{1,64}", re.ASCII).fullmatch

FORGED: Final = (
    "",
    ".",
    "organization",
    "organization.",
    "organization..",
    "organization..7",
    "organization.7.",
    "organization.7.admin",
    "organization.7.admin.secret",
    "organization.acme.eu",
    " organization.7",
    "organization.7 ",
    "organization.7\n",
    "organization.7\u2028",
    "organization.7\x00",
    "organization.\uff17",
    "organization.\u0667",
    "organization.*",
    "organization.?",
    "organization.[7]",
    "organization.{organization}",
    "organization.7#",
    "organization." + "7" * 65,
    "ORGANIZATION.7",
    "wamp.session.on_join",
    "wampgate.revoked",
    "com.example.news",
)


def topics_of(room: object) -> list[str]:
    """Where a message to a room leads, by whichever way the room is named."""
    named = [SHARED, NAMESPACE]
    found = [kind for channel in named for kind in kinds(packet(rooms=[room]), channel)]
    if isinstance(room, str):
        found += kinds(packet(rooms=["organization.7"]), f"{NAMESPACE}{room}#")
    return [kind for kind in found if "." in kind]


@pytest.mark.parametrize("room", FORGED, ids=repr)
def test_a_forged_room_leads_nowhere(room: str) -> None:
    assert [topic for topic in topics_of(room) if room] == []


@pytest.mark.parametrize("room", ["organization.7", "organization.acme-eu", "organization." + "7" * 64])
def test_an_honest_one_leads_to_its_topic(room: str) -> None:
    assert set(topics_of(room)) == {room}


@given(
    st.one_of(
        st.text(),
        st.text().map("organization.{}".format),
        st.text(alphabet="7.aZ-_ #\n*").map("organization.{}".format),
    )
)
def test_no_room_leads_to_what_is_no_organizations_topic(room: str) -> None:
    assert all(TOPIC(topic) for topic in topics_of(room))
