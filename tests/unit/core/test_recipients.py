"""Who receives an event: exclusion and eligibility, against the six sentences of the specification."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wampgate.core.interfaces import Connection, Principal
from wampgate.core.local import LocalLink
from wampgate.core.recipients import narrowing, recipients_of
from wampgate.core.session import Session
from wampgate.wire.messages import PublishOptions

if TYPE_CHECKING:
    from collections.abc import Sequence


def session(number: int, authid: str, authrole: str) -> Session:
    made = Session(LocalLink(lambda _message, _payload: None), Connection("inside", "inside"))
    made.id = number
    made.principal = Principal(authid, authrole, "ticket", "static")
    return made


JOE, JOE_AGAIN, ANN, ROOT = (
    session(1, "joe", "member"),
    session(2, "joe", "member"),
    session(3, "ann", "member"),
    session(4, "root", "admin"),
)
ALL = (JOE, JOE_AGAIN, ANN, ROOT)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"exclude": []}, [1, 2, 3, 4]),
        ({"exclude_authid": []}, [1, 2, 3, 4]),
        ({"exclude_authrole": []}, [1, 2, 3, 4]),
        ({"eligible": []}, []),
        ({"eligible_authid": []}, []),
        ({"eligible_authrole": []}, []),
        ({"exclude": [1]}, [2, 3, 4]),
        ({"exclude": [99]}, [1, 2, 3, 4]),
        ({"exclude_authid": ["joe"]}, [3, 4]),
        ({"exclude_authrole": ["member"]}, [4]),
        ({"eligible": [1, 3]}, [1, 3]),
        ({"eligible": [99]}, []),
        ({"eligible_authid": ["joe", "root"]}, [1, 2, 4]),
        ({"eligible_authrole": ["admin", "nobody"]}, [4]),
        ({"eligible": [1, 3], "exclude": [3]}, [1]),
        ({"eligible": [1], "eligible_authid": ["ann"]}, []),
        ({"eligible_authrole": ["member"], "exclude_authid": ["ann"]}, [1, 2]),
        ({"eligible_authid": ["joe"], "exclude": [1]}, [2]),
        ({"exclude": [1], "exclude_authid": ["ann"], "exclude_authrole": ["admin"]}, [2]),
    ],
)
def test_lists(options: dict[str, Any], expected: list[int]) -> None:
    test = narrowing(PublishOptions(**options))
    assert [receiver.id for receiver in recipients_of(ALL, None, test)] == expected
    without_joe = [number for number in expected if number != 1]
    assert [receiver.id for receiver in recipients_of(ALL, JOE, test)] == without_joe


session_lists = st.none() | st.lists(st.integers(1, 5), max_size=3)
authid_lists = st.none() | st.lists(st.sampled_from(("joe", "ann", "root", "x")), max_size=3)
authrole_lists = st.none() | st.lists(st.sampled_from(("member", "admin", "x")), max_size=3)


@given(
    lists=st.fixed_dictionaries(
        {
            "eligible": session_lists,
            "eligible_authid": authid_lists,
            "eligible_authrole": authrole_lists,
            "exclude": session_lists,
            "exclude_authid": authid_lists,
            "exclude_authrole": authrole_lists,
        }
    ),
    publisher=st.none() | st.sampled_from(ALL),
)
def test_a_receiver_fulfils_all_six(lists: dict[str, Any], publisher: Session | None) -> None:
    def receives(subscriber: Session) -> bool:
        who = subscriber.principal
        return (
            (lists["eligible"] is None or subscriber.id in lists["eligible"])
            and (lists["eligible_authid"] is None or who.authid in lists["eligible_authid"])
            and (lists["eligible_authrole"] is None or who.authrole in lists["eligible_authrole"])
            and (lists["exclude"] is None or subscriber.id not in lists["exclude"])
            and (lists["exclude_authid"] is None or who.authid not in lists["exclude_authid"])
            and (lists["exclude_authrole"] is None or who.authrole not in lists["exclude_authrole"])
            and subscriber is not publisher
        )

    found: Sequence[Session] = recipients_of(ALL, publisher, narrowing(PublishOptions(**lists)))
    assert list(found) == [subscriber for subscriber in ALL if receives(subscriber)]


def test_an_event_for_all_is_copied_for_none() -> None:
    assert recipients_of(ALL, None, None) is ALL
