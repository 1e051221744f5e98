"""Wrong answers to challenges count as guesses, whichever the method and however they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from unit.authentication.proving import (
    OTHER_KEY,
    ScramClient,
    Table,
    cra,
    credentials,
    public,
    routed,
    sign,
)

if TYPE_CHECKING:
    from unit.core.routed import Peer, Routed

DENIED = "wamp.error.authentication_denied"
DENIED_MESSAGE = {"message": "the credentials are not accepted"}


def guess(peer: Peer, method: str, number: int) -> list[object]:
    """What one wrong guess gets in the end: ABORT, without its first element."""
    client = ScramClient("ann", "wrong")
    extra = {"pubkey": public(OTHER_KEY)} if method == "cryptosign" else client.authextra
    (message,) = peer.hello(authmethods=[method], authid="ann", authextra=extra)
    if message[0] == 4:
        challenge = message[2]
        if method == "wampcra":
            (message,) = peer.say(5, cra(f"wrong {number}", challenge["challenge"]), {})
        elif method == "cryptosign":
            (message,) = peer.say(5, sign(OTHER_KEY, challenge["challenge"]), {})
        else:
            (message,) = peer.say(5, *client.answer(challenge))
    assert message[0] == 3
    return [message[2], message[1]]


@pytest.mark.parametrize("method", ["wampcra", "cryptosign", "wamp-scram"])
def test_an_address_has_so_many_guesses(method: str) -> None:
    router = routed(guesses=5)
    outcomes = [guess(router.peer(), method, number) for number in range(12)]
    assert outcomes == [[DENIED, DENIED_MESSAGE]] * 12
    reasons = [str(fields["because"]) for event, fields in router.records if event == "join_refused"]
    assert [reason.startswith("too many refused logins") for reason in reasons] == [False] * 5 + [True] * 7
    # The right answer is not heard any more, others' are.
    late = joined(router, "127.0.0.1")
    assert late[0] == 3
    assert joined(router, "127.0.0.2")[0] == 2
    router.pass_time(61)
    assert joined(router, "127.0.0.1")[0] == 2


def joined(router: Routed, address: str) -> list[object]:
    peer = router.peer(address)
    (message,) = peer.hello(authmethods=["wampcra"], authid="ann")
    if message[0] == 4:
        (message,) = peer.say(5, cra("the secret of ann", message[2]["challenge"]), {})
    return list(message)


def test_the_same_answer_in_many_sessions_is_as_many_guesses() -> None:
    router = routed(guesses=5)
    peers = [router.peer() for _ in range(12)]
    for peer in peers:
        assert peer.hello(authmethods=["wampcra"], authid="ann")[0][0] == 4
    for peer in peers:
        assert peer.say(5, "the same answer", {})[0][2] == DENIED
    reasons = [str(fields["because"]) for event, fields in router.records if event == "join_refused"]
    assert sum(reason.startswith("wrong signature") for reason in reasons) == 5


def test_answers_that_come_at_once_are_no_more_than_the_address_has() -> None:
    """All challenges are out before the first answer: the limit still holds."""
    router = routed(guesses=5)
    peers = [router.peer() for _ in range(12)]
    texts = [peer.hello(authmethods=["wampcra"], authid="ann")[0][2]["challenge"] for peer in peers]
    for number, (peer, text) in enumerate(zip(peers, texts, strict=True)):
        peer.say(5, cra(f"guess {number}", text), {})
    reasons = [str(fields["because"]) for event, fields in router.records if event == "join_refused"]
    assert sum(reason.startswith("wrong signature") for reason in reasons) == 5


def test_sources_are_not_asked_for_an_address_that_has_none_left() -> None:
    source = Table(("wampcra", credentials("joe", {"secret": "x"}, provider="store")))
    router = routed(source, guesses=3)
    for number in range(3):
        guess(router.peer(), "wampcra", number)
    before = len(source.asked)
    for number in range(10):
        (abort,) = router.peer().hello(authmethods=["wampcra"], authid=f"joe-{number}")
        assert [abort[2], abort[1]] == [DENIED, DENIED_MESSAGE]
    assert len(source.asked) == before


def test_right_answers_never_count() -> None:
    router = routed(guesses=3)
    for _ in range(20):
        assert joined(router, "127.0.0.1")[0] == 2
