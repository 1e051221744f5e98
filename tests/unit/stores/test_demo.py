"""The demo's database and its tokens: random, private, renewed, and never somebody else's."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from wampgate.stores.demo import DemoTokens, prepare_demo
from wampgate.stores.demo_mark import is_demo
from wampgate.stores.preparing import PreparationFailed, prepare_sqlite
from wampgate.stores.questions import stored_form

DATABASE = Path("var") / "wampgate.sqlite3"
TOKENS = Path("var") / "demo-tokens.json"


def rows(folder: Path, query: str, *parameters: Any) -> list[Any]:
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        found = connection.execute(query, parameters).fetchall()
        connection.commit()
        return found


def lives(folder: Path) -> dict[str, tuple[str, float]]:
    query = "SELECT access_token, user_id, (julianday(expires) - julianday('now')) * 86400 FROM oauth_access_tokens"
    return {token: (user, seconds) for token, user, seconds in rows(folder, query)}


def test_who_may_see_what(tmp_path: Path) -> None:
    tokens = prepare_demo(tmp_path)
    members = sorted(rows(tmp_path, "SELECT user_id, organization_id FROM organization_members"))
    assert members == [("alice", "7"), ("alice", "8"), ("bob", "8")]
    found = lives(tmp_path)
    assert len(found) == 3
    assert found[stored_form(tokens.alice, "sha256")] == ("alice", pytest.approx(30 * 86400, abs=60))
    assert found[stored_form(tokens.bob, "sha256")] == ("bob", pytest.approx(30 * 86400, abs=60))
    assert found[stored_form(tokens.expired, "sha256")] == ("alice", pytest.approx(-3600, abs=60))
    assert is_demo(tmp_path / DATABASE)


def test_tokens_are_in_their_file_alone(tmp_path: Path) -> None:
    tokens = prepare_demo(tmp_path)
    assert json.loads((tmp_path / TOKENS).read_text()) == {
        "alice": tokens.alice,
        "bob": tokens.bob,
        "expired": tokens.expired,
        "backend": tokens.backend,
        "operator": tokens.operator,
    }
    everything = b"".join(file.read_bytes() for file in (tmp_path / "var").iterdir() if file.name != TOKENS.name)
    for token in (tokens.alice, tokens.bob, tokens.expired, tokens.backend, tokens.operator):
        assert token.encode() not in everything
        assert token not in repr(tokens)
    for file in (tmp_path / "var").iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_tokens_are_random_per_database(tmp_path: Path) -> None:
    first, second = prepare_demo(tmp_path / "a"), prepare_demo(tmp_path / "b")
    every = [token for one in (first, second) for token in asdict(one).values()]
    assert len(set(every)) == 10
    assert all(len(token) >= 43 for token in every)


def test_a_second_start_renews_the_same(tmp_path: Path) -> None:
    tokens = prepare_demo(tmp_path)
    rows(tmp_path, "UPDATE oauth_access_tokens SET expires = '2001-01-01 00:00:00'")
    rows(tmp_path, "INSERT INTO oauth_access_tokens VALUES ('mine', 'app', 'carol', NULL, NULL)")
    rows(tmp_path, "DELETE FROM organization_members WHERE user_id = 'bob'")
    (tmp_path / TOKENS).chmod(0o644)
    assert prepare_demo(tmp_path) == tokens
    found = lives(tmp_path)
    assert found[stored_form(tokens.alice, "sha256")][1] > 29 * 86400
    assert found[stored_form(tokens.expired, "sha256")][1] < 0
    assert "mine" in found
    assert rows(tmp_path, "SELECT count(*) FROM organization_members") == [(3,)]
    assert (tmp_path / TOKENS).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "{",
        "[]",
        "{}",
        '{"alice": 1}',
        '{"alice": "x", "bob": "y", "expired": "z", "backend": "w", "operator": "v"}',
        "same",
        b"\xff",
    ],
)
def test_a_lost_or_broken_tokens_file_gives_new_tokens(tmp_path: Path, content: str | bytes | None) -> None:
    old = prepare_demo(tmp_path)
    file = tmp_path / TOKENS
    if content is None:
        file.unlink()
    elif content == "same":
        file.write_text(json.dumps(dict.fromkeys(asdict(old), "x" * 43)))
    else:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    new = prepare_demo(tmp_path)
    assert new.alice not in ("x" * 43, old.alice)
    assert stored_form(new.alice, "sha256") in lives(tmp_path)
    assert stored_form(old.alice, "sha256") not in lives(tmp_path)
    assert prepare_demo(tmp_path) == new


def test_a_new_database_does_not_take_over_an_old_file(tmp_path: Path) -> None:
    old = prepare_demo(tmp_path)
    for file in (tmp_path / "var").glob("wampgate.sqlite3*"):
        file.unlink()
    assert prepare_demo(tmp_path) != old


def test_another_database_is_never_touched(tmp_path: Path) -> None:
    prepare_sqlite(tmp_path / DATABASE)
    before = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(PreparationFailed, match="is not a demo database and is left as it is"):
        prepare_demo(tmp_path)
    assert (tmp_path / DATABASE).read_bytes() == before
    assert not (tmp_path / TOKENS).exists()
    assert not is_demo(tmp_path / DATABASE)


def test_what_is_no_database_is_never_touched(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    path.parent.mkdir()
    path.write_text("a letter " * 100)
    assert not is_demo(path)
    assert not is_demo(tmp_path / "nothing")
    assert not is_demo(tmp_path)
    with pytest.raises(PreparationFailed, match="not a demo"):
        prepare_demo(tmp_path)
    assert path.read_text().startswith("a letter")


def test_an_interrupted_first_start_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / DATABASE).touch()
    assert isinstance(prepare_demo(tmp_path), DemoTokens)


def test_two_that_start_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        tokens = list(threads.map(prepare_demo, [tmp_path] * 8))
    assert all(stored_form(one.alice, "sha256") in lives(tmp_path) for one in tokens)
    assert len({one.alice for one in tokens}) == 1


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "var").touch()
    with pytest.raises(PreparationFailed, match="could not be prepared in"):
        prepare_demo(tmp_path)
