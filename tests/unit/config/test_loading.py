"""Files that load, and files that can't even be taken for a configuration."""

import os
from pathlib import Path

import pytest

from wampgate.config import ConfigurationError, load
from wampgate.config.stores import PostgresStore, SqliteStore

MINIMAL = '{"realms": [{"name": "realm1", "authentication": {"anonymous": {}}}]}'


def test_a_full_document_becomes_typed_values(document, load_document, tmp_path):
    configuration = load_document(document)
    first, second = configuration.realms
    assert isinstance(first.store, PostgresStore)
    assert first.store.dsn.reveal() == "postgresql://user:dsn-secret@localhost/news"
    assert first.store.timeout_seconds == 1.0
    assert first.authmethods == ("ticket", "anonymous")
    assert first.authorization.rules[2].match == "wildcard"
    assert first.bridges[0].rules[1].room == "{organization}/{kind}"
    assert isinstance(second.store, SqliteStore)
    assert second.store.path == tmp_path / "var/second.sqlite3"
    assert second.authmethods == ("anonymous",)
    assert second.authorization.organization is None
    assert configuration.limits.message_bytes == 65536


def test_defaults_are_safe(load_document):
    configuration = load_document(MINIMAL)
    assert [listen.endpoint for listen in configuration.listen] == ["tcp:8080:interface=127.0.0.1"]
    assert configuration.hosts == configuration.origins == configuration.trusted_proxies == ()
    assert configuration.goodbye == "auto"
    assert not any(listen.proxy_protocol for listen in configuration.listen)
    assert configuration.realms[0].authorization.rules == ()
    assert configuration.realms[0].store is None
    assert configuration.limits.message_bytes == 1048576


def test_loading_twice_gives_equal_configurations(document, load_document):
    assert load_document(document) == load_document(document)


def test_a_configuration_is_immutable(load_document):
    with pytest.raises(AttributeError):
        load_document(MINIMAL).hosts = ("evil.example",)


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(ConfigurationError, match=r"nowhere\.json: no such file; name another with --config"):
        load(tmp_path / "nowhere.json", {})


def test_a_folder_is_no_configuration(tmp_path):
    with pytest.raises(ConfigurationError, match="can't be read: Is a directory"):
        load(tmp_path, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission(tmp_path):
    path = tmp_path / "router.json"
    path.write_text(MINIMAL)
    path.chmod(0)
    with pytest.raises(ConfigurationError, match="can't be read: Permission denied"):
        load(path, {})


def test_a_path_that_no_system_takes():
    with pytest.raises(ConfigurationError, match="not a legal path"):
        load(Path("router\0.json"), {})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1, column 1: expected JSON, got: Expecting value"),
        ('{\n  "realms": [,]\n}', "line 2, column 14: expected JSON, got: Expecting value"),
        ("{\n  # a comment\n}", "line 2, column 3: expected JSON, got: Expecting property name enclosed in double"),
        ("{\n  # a comment\n}", "; comments are written // or /* */"),
        ('{ /* without an end "realms": [] }', "column 3: expected JSON"),
        ('{"realms": [NaN]}', "expected JSON, got NaN, Infinity or a number of thousands of digits"),
        (f'{{"limits": {{"connections": {"9" * 5000}}}}}', "a number of thousands of digits"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "expected an object, got a list"),
        ("null", "expected an object, got null"),
        ('"realm1"', "expected an object, got text of 6 characters"),
    ],
)
def test_what_is_no_configuration_at_all(faults, text, fault):
    (line,) = faults(text)
    assert fault in line


def test_bytes_that_are_no_utf8(tmp_path):
    path = tmp_path / "router.json"
    path.write_bytes(b'{\n"realms":\n"\xff"}')
    with pytest.raises(ConfigurationError, match="line 3: expected UTF-8, got other bytes"):
        load(path, {})


def test_a_byte_order_mark_is_no_fault(load_document):
    assert load_document("\ufeff" + MINIMAL).realms[0].name == "realm1"


def test_a_relative_path_is_taken_from_the_files_folder_wherever_one_is(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/router.json").write_text(
        '{"realms": [{"name": "r", "store": {"type": "sqlite", "path": "var/x.sqlite3"}}]}'
    )
    monkeypatch.chdir(tmp_path)
    configuration = load(Path("etc/router.json"), {})
    assert configuration.realms[0].store.path == tmp_path / "etc/var/x.sqlite3"
