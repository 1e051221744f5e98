"""What every token store does alike: one suite over memory, SQLite and Postgres."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
import pytest_twisted
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, gatherResults

from wampgate.core.errors import StoreUnavailable
from wampgate.core.interfaces import Membership, Token, TokenStore
from wampgate.stores.questions import MAX_LENGTH

from .conftest import sleep, sqlite_shelf, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Heard, Opener, Shelf, SqlShelf

ALICE = {"text": "alice", "integer": "7", "uuid": "6f1f0b1e-5a2c-4f0e-9d54-0c2f3a1b7c11"}
BOB = {"text": "bob", "integer": "70", "uuid": "6f1f0b1e-5a2c-4f0e-9d54-0c2f3a1b7c12"}
ORGANIZATIONS = {
    "text": ["07", "7", "acme", "acme.eu", "ACME", "6f1f0b1e-5a2c-4f0e-9d54-0c2f3a1b7c11", "ä", "a b"],
    "integer": ["7", "70", "2147483647"],
    "uuid": [str(uuid.UUID(int=number)) for number in (1, 2, 2**127)],
}
# What no column of the type can hold, or holds in another writing.
STRANGERS = {
    "text": ["Alice", "ALICE", " alice", "alice ", "nobody", "%", "_lice", "alice\x00", "\ud800", ""],
    "integer": ["07", " 7", "7 ", "+7", "7.0", "7e0", "seven", "99999999999999999999999", "", "7\x00", "0x7", "\u0667"],
    "uuid": [
        "6F1F0B1E-5A2C-4F0E-9D54-0C2F3A1B7C11",
        "{6f1f0b1e-5a2c-4f0e-9d54-0c2f3a1b7c11}",
        "6f1f0b1e5a2c4f0e9d540c2f3a1b7c11",
        "6f1f0b1e",
        "no uuid",
        "",
    ],
}
ODD_TOKENS = [
    *("", "\x00", "a\x00b", "\ud800", "x\udfff", "x" * MAX_LENGTH, "x" * (MAX_LENGTH + 1)),
    *("' OR '1'='1", "'; DROP TABLE oauth_access_tokens; --", "E'\\''", '"', "\\", "\\'", "%", "_"),
    *("%s", "%(token)s", ":token", "?", "$1", "\n", "\u202e", "\ufb00", "\U0001f600"),
]


def both(*questions: Any) -> Deferred[list[Any]]:
    """The answers to questions that are asked at the same time."""
    return gatherResults([Deferred.fromCoroutine(question) for question in questions], consumeErrors=True)


@pytest_twisted.ensureDeferred
async def test_an_unknown_token_is_none(shelf: Shelf, opened: Opener) -> None:
    store: TokenStore = await opened(shelf)
    assert await store.look_up("unknown") is None


@pytest_twisted.ensureDeferred
async def test_a_valid_token_has_its_user_and_its_life(any_shelf: tuple[Shelf, str], opened: Opener) -> None:
    shelf, ids = any_shelf
    store = await opened(shelf)
    shelf.put_token("good", ALICE[ids], 600)
    shelf.put_token("other", BOB[ids], 60)
    token = await store.look_up("good")
    assert token is not None
    assert token.user == ALICE[ids]
    assert 590 < token.seconds_left <= 600.5
    assert store.ready


@pytest_twisted.ensureDeferred
async def test_an_expired_token_is_known_and_says_so(shelf: Shelf, opened: Opener) -> None:
    store = await opened(shelf)
    shelf.put_token("late", "alice", -60)
    token = await store.look_up("late")
    assert token is not None
    assert -70 < token.seconds_left < -55


@pytest_twisted.ensureDeferred
async def test_a_token_about_to_end_ends(shelf: Shelf, opened: Opener) -> None:
    store = await opened(shelf)
    shelf.put_token("now", "alice", 0)
    token = await store.look_up("now")
    assert token is not None
    assert token.seconds_left <= 0.5


@pytest_twisted.ensureDeferred
async def test_a_revoked_token_is_none_at_once(shelf: Shelf, opened: Opener) -> None:
    store = await opened(shelf)
    shelf.put_token("good", "alice", 600)
    assert await store.look_up("good") is not None
    shelf.drop_token("good")
    assert await store.look_up("good") is None


@pytest_twisted.ensureDeferred
async def test_tokens_are_compared_exactly(shelf: Shelf, opened: Opener) -> None:
    store = await opened(shelf)
    shelf.put_token("Token", "alice", 600)
    for other in ("token", "TOKEN", "Token ", " Token", "Toke", "Token\n"):
        assert await store.look_up(other) is None, other


@pytest.mark.parametrize("token", ODD_TOKENS)
@pytest_twisted.ensureDeferred
async def test_odd_tokens_are_unknown(shelf: Shelf, opened: Opener, token: str) -> None:
    store = await opened(shelf)
    shelf.put_token("good", "alice", 600)
    assert await store.look_up(token) is None
    assert await store.look_up("good") is not None


@pytest_twisted.ensureDeferred
async def test_memberships_are_all_and_only_ones_own(any_shelf: tuple[Shelf, str], opened: Opener) -> None:
    shelf, ids = any_shelf
    store = await opened(shelf)
    for organization in ORGANIZATIONS[ids]:
        shelf.put_membership(ALICE[ids], organization, "owner")
    shelf.put_membership(BOB[ids], ORGANIZATIONS[ids][0])
    found = await store.memberships(ALICE[ids])
    assert sorted(found, key=str) == sorted((Membership(id_, "owner") for id_ in ORGANIZATIONS[ids]), key=str)
    assert list(await store.memberships(BOB[ids])) == [Membership(ORGANIZATIONS[ids][0])]


@pytest_twisted.ensureDeferred
async def test_who_is_not_written_alike_is_somebody_else(any_shelf: tuple[Shelf, str], opened: Opener) -> None:
    shelf, ids = any_shelf
    store = await opened(shelf)
    shelf.put_membership(ALICE[ids], ORGANIZATIONS[ids][0])
    for stranger in STRANGERS[ids]:
        assert not await store.memberships(stranger), stranger
    assert len(await store.memberships(ALICE[ids])) == 1


@pytest_twisted.ensureDeferred
async def test_an_ended_membership_is_gone_at_once(shelf: Shelf, opened: Opener) -> None:
    store = await opened(shelf)
    shelf.put_membership("alice", "7")
    shelf.put_membership("alice", "8")
    assert len(await store.memberships("alice")) == 2
    shelf.drop_membership("alice", "7")
    assert [membership.organization for membership in await store.memberships("alice")] == ["8"]


@pytest_twisted.ensureDeferred
async def test_many_questions_at_once_get_each_its_answer(shelf: Shelf, opened: Opener) -> None:
    store = await opened(shelf)
    for number in range(50):
        shelf.put_token(f"token {number}", f"user {number}", 600)
        shelf.put_membership(f"user {number}", f"org-{number}")
    tokens = await both(*(store.look_up(f"token {number % 60}") for number in range(300)))
    for number, token in enumerate(tokens):
        expected = f"user {number % 60}" if number % 60 < 50 else None
        assert (token.user if token else None) == expected
    found = await both(*(store.memberships(f"user {number % 50}") for number in range(300)))
    assert [list(one) for one in found] == [[Membership(f"org-{number % 50}")] for number in range(300)]


@pytest_twisted.ensureDeferred
async def test_an_answer_is_never_older_than_its_question(shelf: Shelf, opened: Opener) -> None:
    """Who asks because of a revocation must not be told what another asker was about to hear."""
    store = await opened(shelf)
    shelf.put_token("good", "alice", 600)
    early = [Deferred.fromCoroutine(store.look_up("good")) for _ in range(3)]
    shelf.drop_token("good")
    late = await both(*(store.look_up("good") for _ in range(20)))
    assert late == [None] * 20
    await gatherResults(early)


@pytest_twisted.ensureDeferred
async def test_null_expires_is_expired_unless_allowed(sql_shelf: SqlShelf, opened: Opener) -> None:
    sql_shelf.put_raw("endless", "alice", "NULL")
    strict = await opened(sql_shelf)
    assert await strict.look_up("endless") == Token("alice", 0.0)
    lenient = await opened(sql_shelf, allow_null_expires=True)
    assert await lenient.look_up("endless") == Token("alice", float("inf"))


@pytest_twisted.ensureDeferred
async def test_a_token_of_no_user_opens_nothing(sql_shelf: SqlShelf, opened: Opener) -> None:
    sql_shelf.put_raw("application", None, "NULL")
    store = await opened(sql_shelf, allow_null_expires=True)
    assert await store.look_up("application") is None


@pytest_twisted.ensureDeferred
async def test_many_tokens_are_asked_for_at_once(any_shelf: tuple[Shelf, str], opened: Opener) -> None:
    shelf, ids = any_shelf
    store = await opened(shelf)
    shelf.put_token("alice's", ALICE[ids], 600)
    shelf.put_token('"quoted\\", {braced}', ALICE[ids], 60)
    shelf.put_token("bob's", BOB[ids], -60)
    many = [f"stranger {number}" for number in range(700)]
    found = await store.look_up_all(
        [*many, "alice's", "ALICE'S", "bob's", '"quoted\\", {braced}', *ODD_TOKENS, "bob's"]
    )
    assert {token: row.user for token, row in found.items()} == {
        "alice's": ALICE[ids],
        '"quoted\\", {braced}': ALICE[ids],
        "bob's": BOB[ids],
    }
    assert 590 < found["alice's"].seconds_left <= 600.5
    assert -70 < found["bob's"].seconds_left < -55
    assert await store.look_up_all([]) == {}


@pytest_twisted.ensureDeferred
async def test_many_users_are_asked_for_at_once(any_shelf: tuple[Shelf, str], opened: Opener) -> None:
    shelf, ids = any_shelf
    store = await opened(shelf)
    for organization in ORGANIZATIONS[ids]:
        shelf.put_membership(ALICE[ids], organization, "owner")
    shelf.put_membership(BOB[ids], ORGANIZATIONS[ids][0])
    users = [ALICE[ids], *STRANGERS[ids], BOB[ids], BOB[ids], *(f"nobody {number}" for number in range(600))]
    found = await store.memberships_of(users)
    assert set(found) == set(users)
    theirs = sorted(found.pop(ALICE[ids]), key=str)
    assert theirs == sorted((Membership(id_, "owner") for id_ in ORGANIZATIONS[ids]), key=str)
    assert list(found.pop(BOB[ids])) == [Membership(ORGANIZATIONS[ids][0])]
    assert not any(found.values())
    assert await store.memberships_of([]) == {}


@pytest_twisted.ensureDeferred
async def test_a_token_of_several_users_keeps_no_other_from_its_answer(tmp_path: Path, opened: Opener) -> None:
    shelf = sqlite_shelf(tmp_path, "text", "sha256")
    shelf.execute("DROP TABLE oauth_access_tokens")
    shelf.execute("CREATE TABLE oauth_access_tokens (access_token, client_id, user_id, expires)")
    for token, user in (("good", "alice"), ("odd", "alice"), ("odd", "bob")):
        shelf.put_token(token, user, 600)
    store = await opened(shelf)
    assert list(await store.look_up_all(["odd", "good"])) == ["good"]
    with pytest.raises(StoreUnavailable):
        await store.look_up("odd")


CHANGES: dict[str, Callable[[Any], None]] = {
    "token dropped": lambda shelf: shelf.drop_token("hers"),
    "token shortened": lambda shelf: shelf.change_life("hers", "alice", 5),
    "membership added": lambda shelf: shelf.put_membership("alice", "9"),
    "membership dropped": lambda shelf: shelf.drop_membership("alice", "7"),
    "role changed": lambda shelf: shelf.change_role("alice", "7", "admin"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest_twisted.ensureDeferred
async def test_a_change_is_told_at_once_and_what_is_asked_then_is_what_there_is(
    shelf: Shelf, opened: Opener, heard: Heard, change: str
) -> None:
    for user, token in (("alice", "hers"), ("bob", "his")):
        shelf.put_token(token, user, 600)
        shelf.put_membership(user, "7")
    store = await opened(shelf, heard)
    before = await state_of(store)
    answers: list[Deferred[Any]] = []
    heard.then = lambda: answers.append(Deferred.fromCoroutine(state_of(store)))
    CHANGES[change](shelf)
    assert await until(lambda: heard.of("alice"), 1.0) < 1.0
    assert heard.everything or heard.users == {"alice"}
    after = await answers[0]
    assert after != before
    assert after == await state_of(store)
    assert store.hears


async def state_of(store: Any) -> Any:
    """What a store says of alice, all ways of asking agreeing."""
    alone = await store.look_up("hers")
    among = (await store.look_up_all(["his", "hers"])).get("hers")
    assert (alone is None) == (among is None)
    members = sorted(await store.memberships("alice"), key=str)
    assert sorted((await store.memberships_of(["alice", "bob"]))["alice"], key=str) == members
    return alone and (alone.user, alone.seconds_left > 60), members


@pytest_twisted.ensureDeferred
async def test_nothing_is_told_without_a_change_nor_after_the_end(shelf: Shelf, opened: Opener, heard: Heard) -> None:
    shelf.put_membership("alice", "7")
    store = await opened(shelf, heard)
    await store.memberships("alice")
    await sleep(0.6)
    assert not heard.changes
    await store.stop()
    assert not store.hears
    shelf.drop_membership("alice", "7")
    await sleep(0.6)
    assert not heard.changes


@pytest_twisted.ensureDeferred
async def test_a_new_token_is_nobodys_change(shelf: Shelf, opened: Opener, heard: Heard) -> None:
    await opened(shelf, heard)
    shelf.put_token("new", "alice", 600)
    await sleep(0.4)
    assert not heard.users


METACHARACTERS = st.text(st.one_of(st.sampled_from("'\"\\;%_:?$-()\x00\n\t 07aA"), st.characters()), max_size=40)


def any_text_is_found(kind: str) -> Any:
    """The property for one kind of store; pytest-twisted can't run a parametrized one."""

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(texts=st.tuples(METACHARACTERS, METACHARACTERS, METACHARACTERS, METACHARACTERS))
    @pytest_twisted.ensureDeferred
    async def test_any_text_is_found_as_itself_and_as_nothing_else(
        shelf_of_kind: Callable[[str], Shelf], opened: Opener, texts: tuple[str, str, str, str]
    ) -> None:
        token, user, organization, other = texts
        assume(all(text and storable(text) for text in (token, user, organization)))
        if not opened.opened:
            opened.shelf = shelf_of_kind(kind)
            await opened(opened.shelf)
        await check_found(opened.shelf, opened.opened[0], token, user, organization, other)

    return test_any_text_is_found_as_itself_and_as_nothing_else


async def check_found(shelf: Shelf, store: Any, *texts: str) -> None:
    token, user, organization, other = texts
    shelf.put_token(token, user, 600)
    shelf.put_membership(user, organization)
    try:
        found, stranger, members, strangers = await both(
            store.look_up(token), store.look_up(other), store.memberships(user), store.memberships(other)
        )
    finally:
        shelf.drop_token(token)
        shelf.drop_membership(user, organization)
    assert found is not None
    assert found.user == user
    assert (stranger is None) == (other != token)
    assert list(members) == [Membership(organization)]
    assert list(strangers) == ([Membership(organization)] if other == user else [])


test_any_text_is_found_in_memory = any_text_is_found("memory")
test_any_text_is_found_in_sqlite = any_text_is_found("sqlite")
test_any_text_is_found_in_postgres = any_text_is_found("postgres")


def storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest_twisted.ensureDeferred
async def test_many_at_once_have_each_its_own_answer(
    shelf_of_kind: Callable[[str], Shelf], opened: Opener, kind: str
) -> None:
    """Odd ones among them: those are asked in batches that a storm makes."""
    shelf = shelf_of_kind(kind)
    store = await opened(shelf)
    for number in range(40):
        shelf.put_token(f"t{number}", f"user-{number}", 60 + number)
        shelf.put_membership(f"user-{number}", f"org-{number}")
    tokens = [f"t{number}" for number in range(50)] + ODD_TOKENS + [f"t{number}" for number in range(50)]
    found = await both(*(store.look_up(token) for token in tokens))
    for token, row in zip(tokens, found, strict=True):
        known = token.startswith("t") and int(token[1:]) < 40
        assert (row.user if row else None) == (f"user-{token[1:]}" if known else None), token
        assert row is None or int(token[1:]) + 55 < row.seconds_left <= int(token[1:]) + 60.5
    users = [f"user-{number}" for number in range(50)]
    memberships = await both(*(store.memberships(user) for user in users))
    assert [[one.organization for one in theirs] for theirs in memberships] == [
        *([f"org-{number}"] for number in range(40)),
        *([] for _ in range(10)),
    ]


@pytest_twisted.ensureDeferred
async def test_a_row_that_can_not_be_read_spoils_no_other_answer(
    shelf_of_kind: Callable[[str], Shelf], opened: Opener
) -> None:
    shelf: Any = shelf_of_kind("sqlite")
    store = await opened(shelf)
    for number in range(20):
        shelf.put_token(f"t{number}", "alice", 60)
    shelf.put_raw("odd", "bob", "'next Tuesday'")
    tokens = [f"t{number}" for number in range(10)] + ["odd"] + [f"t{number}" for number in range(10, 20)]
    outcomes: list[Any] = []
    for question in [Deferred.fromCoroutine(store.look_up(token)) for token in tokens]:
        try:
            outcomes.append((await question).user)
        except StoreUnavailable:
            outcomes.append("refused")
    assert outcomes == ["alice"] * 10 + ["refused"] + ["alice"] * 10
