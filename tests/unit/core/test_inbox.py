"""Requests that wait for an authorizer: in order within their kind, in any order of the answers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from wampgate.core.decisions import Decision, Pending
from wampgate.core.inbox import Inbox
from wampgate.wire.messages import Call, Publish, Subscribe

if TYPE_CHECKING:
    from collections.abc import Callable

    from wampgate.wire.messages import Message


def wait(  # noqa: PLR0917 - the arguments of Inbox.wait, most of them positional there too
    inbox: Inbox,
    kind: type[Message],
    request: int,
    answer: Decision | Pending[Decision],
    act: Callable[[Decision], None],
    ask: Callable[[], Decision | Pending[Decision]] | None = None,
) -> None:
    """Let a request wait that is never asked about again, unless the test says how."""
    inbox.wait(kind, request, answer, ask=ask or (lambda: answer), act=act)


YES, NO = Decision(True, "yes"), Decision(False, "no")
KINDS: tuple[type[Message], ...] = (Publish, Call, Subscribe)


@given(
    requests=st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(("later", "now", "was there"))), max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_each_kind_acts_in_its_order_whatever_the_order_of_the_answers(
    requests: list[tuple[type[Message], str]], order: object
) -> None:
    inbox = Inbox()
    acted: list[tuple[type[Message], int, Decision]] = []
    answers: list[tuple[Pending[Decision], Decision]] = []
    expected: dict[type[Message], list[tuple[type[Message], int, Decision]]] = {kind: [] for kind in KINDS}

    for request, (kind, when) in enumerate(requests, 1):
        decision = YES if request % 3 else NO
        answer: Decision | Pending[Decision]
        if when == "now" and inbox.has(kind):
            answer = decision
        else:
            answer = Pending()
            if when == "was there":
                answer.resolve(decision)
            else:
                answers.append((answer, decision))
        act = partial(lambda kind, request, given: acted.append((kind, request, given)), kind, request)
        wait(inbox, kind, request, answer, act)
        expected[kind].append((kind, request, decision))

    assert len(inbox) == len(requests) - len(acted)
    order.shuffle(answers)  # type: ignore[attr-defined]  # Hypothesis' own random
    for pending, decision in answers:
        pending.resolve(decision)
    for kind in KINDS:
        assert [entry for entry in acted if entry[0] is kind] == expected[kind]
        assert not inbox.has(kind)
    assert len(inbox) == 0
    assert inbox.requests == set()


def test_a_kind_does_not_wait_for_another() -> None:
    inbox = Inbox()
    acted: list[str] = []
    first: Pending[Decision] = Pending()
    wait(inbox, Publish, 1, first, lambda _: acted.append("publish"))
    second: Pending[Decision] = Pending()
    wait(inbox, Call, 2, second, lambda _: acted.append("call"))
    assert (inbox.has(Publish), inbox.has(Call), inbox.has(Subscribe)) == (True, True, False)
    second.resolve(YES)
    assert acted == ["call"]
    assert inbox.requests == {1}


def test_what_comes_after_a_waiting_one_waits_though_it_is_decided() -> None:
    inbox = Inbox()
    acted: list[int] = []
    first: Pending[Decision] = Pending()
    wait(inbox, Publish, 1, first, lambda _: acted.append(1))
    wait(inbox, Publish, 2, YES, lambda _: acted.append(2))
    wait(inbox, Publish, 3, NO, lambda _: acted.append(3))
    assert acted == []
    first.resolve(NO)
    assert acted == [1, 2, 3]


def test_an_inbox_that_was_cleared_acts_no_more() -> None:
    inbox = Inbox()
    acted: list[int] = []
    answers: list[Pending[Decision]] = [Pending(), Pending()]
    for request, answer in enumerate(answers, 1):
        wait(inbox, Publish, request, answer, lambda _, request=request: acted.append(request))  # type: ignore[misc]
    inbox.clear()
    for answer in answers:
        answer.resolve(YES)
    assert acted == []
    assert len(inbox) == 0


def test_what_acts_may_clear_the_inbox() -> None:
    inbox = Inbox()
    acted: list[int] = []
    first: Pending[Decision] = Pending()

    def end(_: Decision) -> None:
        acted.append(1)
        inbox.clear()

    wait(inbox, Publish, 1, first, end)
    wait(inbox, Publish, 2, YES, lambda _: acted.append(2))
    first.resolve(YES)
    assert acted == [1]


def test_what_waits_is_asked_for_again_when_rights_have_changed() -> None:
    inbox = Inbox()
    acted: list[tuple[int, str]] = []
    before: Pending[Decision] = Pending()
    after: Pending[Decision] = Pending()
    wait(inbox, Subscribe, 1, before, lambda given: acted.append((1, given.because)), lambda: after)
    wait(inbox, Subscribe, 2, YES, lambda given: acted.append((2, given.because)), lambda: NO)
    inbox.reconsider()
    # The answer to the older question counts for nothing, however late it comes.
    before.resolve(YES)
    assert acted == []
    after.resolve(NO)
    assert acted == [(1, "no"), (2, "no")]
    inbox.reconsider()
    assert len(acted) == 2


def test_none_acts_by_what_was_said_before_while_others_are_asked_again() -> None:
    inbox = Inbox()
    acted: list[tuple[int, str]] = []
    was_there: Pending[Decision] = Pending()
    was_there.resolve(YES)
    wait(inbox, Subscribe, 1, Pending(), lambda given: acted.append((1, given.because)), lambda: was_there)
    wait(inbox, Subscribe, 2, YES, lambda given: acted.append((2, given.because)), lambda: NO)
    inbox.reconsider()
    assert acted == [(1, "yes"), (2, "no")]
