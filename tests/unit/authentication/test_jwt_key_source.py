"""Where keys come from: files that are rewritten, URLs that rotate, fail, and must not be stormed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from signed_tokens import key_set, signing_key
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from unit.core.routed import Clock, outcome_of

from wampgate.authentication.key_source import (
    FRESH_SECONDS,
    REFETCH_SECONDS,
    STALE_SECONDS,
    DownloadFailed,
    FileKeys,
    UrlKeys,
)
from wampgate.authentication.watched_file import MAX_BYTES, FileUnusable
from wampgate.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from wampgate.authentication.keys import Key

OLD, NEW = signing_key("ES256", "old"), signing_key("ES256", "new")


class Publisher:
    """An issuer's URL in the test's hand: answers when told to."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.asked: list[Deferred[bytes]] = []
        self.keys = UrlKeys("https://login.example.org/keys", self._download, self.clock)

    async def _download(self) -> bytes:
        answer: Deferred[bytes] = Deferred()
        self.asked.append(answer)
        return await answer

    def find(self, kid: str | None) -> Deferred[Key | None]:
        return Deferred.fromCoroutine(self.keys.find(kid, "ES256"))

    def answer(self, content: bytes) -> None:
        self.asked[-1].callback(content)

    def fail(self) -> None:
        self.asked[-1].errback(DownloadFailed("it is down"))


def started(content: bytes = key_set(OLD)) -> Publisher:
    publisher = Publisher()
    Deferred.fromCoroutine(publisher.keys.start())
    publisher.answer(content)
    return publisher


def result(answer: Deferred[Key | None]) -> str | None:
    """The name of the key that was found."""
    assert answer.called
    found = answer.result
    if isinstance(found, Failure):
        answer.addErrback(lambda _: None)
        raise found.value
    assert found is None or not isinstance(found, Deferred)
    return None if found is None else found.kid


def test_known_keys_are_used_without_asking() -> None:
    publisher = started()
    for _ in range(100):
        assert result(publisher.find("old")) == "old"
    assert len(publisher.asked) == 1


def test_an_unknown_name_asks_once_and_finds_the_new_key() -> None:
    publisher = started()
    publisher.clock.now += REFETCH_SECONDS
    waiting = [publisher.find("new") for _ in range(50)]
    assert not any(answer.called for answer in waiting)
    assert len(publisher.asked) == 2
    publisher.answer(key_set(OLD, NEW))
    assert {result(answer) for answer in waiting} == {"new"}
    assert result(publisher.find("new")) == "new"


def test_unknown_names_storm_nobody() -> None:
    publisher = started()
    for second in range(60):
        for number in range(10):
            answer = publisher.find(f"made up {second} {number}")
            if not answer.called:
                publisher.answer(key_set(OLD))
            assert result(answer) is None
        publisher.clock.now += 1
    # At the start, and each half minute since.
    assert len(publisher.asked) == 2


def test_a_key_that_is_withdrawn_is_used_no_more() -> None:
    publisher = started(key_set(OLD, NEW))
    publisher.clock.now += FRESH_SECONDS
    answer = publisher.find("old")
    assert not answer.called
    publisher.answer(key_set(NEW))
    assert result(answer) is None


def test_keys_outlive_an_outage_for_a_day() -> None:
    publisher = started()
    publisher.clock.now += FRESH_SECONDS
    answer = publisher.find("old")
    publisher.fail()
    assert result(answer) == "old"
    # Until it may be asked again, nobody waits.
    assert result(publisher.find("old")) == "old"
    # What is not known can't be judged: it may be a new key.
    with pytest.raises(StoreUnavailable):
        result(publisher.find("new"))
    publisher.clock.now += STALE_SECONDS
    answer = publisher.find("old")
    publisher.fail()
    with pytest.raises(StoreUnavailable):
        result(answer)


def test_without_keys_nothing_can_be_said_until_they_are_there() -> None:
    publisher = Publisher()
    Deferred.fromCoroutine(publisher.keys.start())
    publisher.fail()
    with pytest.raises(StoreUnavailable):
        result(publisher.find("old"))
    publisher.clock.now += REFETCH_SECONDS
    answer = publisher.find("old")
    publisher.answer(key_set(OLD))
    assert result(answer) == "old"


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"keys": []}', key_set(signing_key("HS256", "old"))])
def test_an_answer_without_keys_changes_nothing(content: bytes) -> None:
    publisher = started()
    publisher.clock.now += FRESH_SECONDS
    answer = publisher.find("old")
    publisher.answer(content)
    assert result(answer) == "old"


def test_the_keys_of_a_file_change_with_it(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "keys.json"
    path.write_bytes(key_set(OLD))
    keys = FileKeys(path, clock)
    assert outcome_of(keys.find("old", "ES256")) is not None
    # As an editor replaces a file, and as one overwrites it.
    (tmp_path / "beside").write_bytes(key_set(NEW))
    (tmp_path / "beside").replace(path)
    clock.now += 1
    assert outcome_of(keys.find("old", "ES256")) is None
    assert outcome_of(keys.find("new", "ES256")) is not None
    path.write_bytes(key_set(OLD, NEW))
    clock.now += 1
    assert outcome_of(keys.find("old", "ES256")) is not None


def test_a_file_that_breaks_leaves_the_keys_as_they_were(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "keys.json"
    path.write_bytes(key_set(OLD))
    keys = FileKeys(path, clock)
    for broken in (b"", b"{", b"x" * (MAX_BYTES + 1)):
        path.write_bytes(broken)
        clock.now += 1
        assert outcome_of(keys.find("old", "ES256")) is not None
    path.unlink()
    clock.now += 1
    assert outcome_of(keys.find("old", "ES256")) is not None
    path.write_bytes(key_set(NEW))
    clock.now += 1
    assert outcome_of(keys.find("old", "ES256")) is None


def test_a_file_without_keys_is_named_with_its_fault(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(FileUnusable, match=r"keys\.json: No such file"):
        FileKeys(path, Clock())
    path.write_bytes(b"{}")
    with pytest.raises(FileUnusable, match=r"keys\.json: it is no JWK set"):
        FileKeys(path, Clock())
    os.truncate(path, 0)
    with pytest.raises(FileUnusable, match=r"keys\.json"):
        FileKeys(path, Clock())
