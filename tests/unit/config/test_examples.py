"""router.json at the top and every example load, with the environment that they name."""

import re
import shutil
from pathlib import Path

import pytest

from wampgate.config import ConfigurationError, load, redacted
from wampgate.config.stores import PostgresStore

TOP = Path(__file__).parents[3]
FILES = [TOP / "router.json", *sorted((TOP / "examples/router").glob("*.json"))]
CANARY = "canary-91ab"
SUITABLE = {
    "DSN": f"postgresql://wampgate:{CANARY}@db.example.org/news",
    "URL": f"rediss://wampgate:{CANARY}@redis.example.org:6380/0",
    "SHA256": "ab" * 32,
    "CA": "ca.pem",
}


@pytest.fixture
def environ_of(tmp_path):
    def environ_of_text(text):
        names = re.findall(r"\$\{(\w+)\}", text)
        return {name: SUITABLE.get(name.rpartition("_")[2], CANARY) for name in names}

    return environ_of_text


@pytest.fixture
def copied(tmp_path):
    """Copies a file into a folder where the files that it refers to exist."""
    (tmp_path / "ca.pem").write_text("")
    (tmp_path / "postgres-password").write_text(f"{CANARY}\n")
    return lambda path: Path(shutil.copy(path, tmp_path))


def test_there_are_examples():
    assert len(FILES) >= 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_loads_and_hides_what_the_environment_holds(path, copied, environ_of):
    configuration = load(copied(path), environ_of(path.read_text()))
    assert configuration.realms
    assert CANARY not in f"{configuration} {redacted(configuration)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_without_the_environment_each_variable_is_named(path, copied, environ_of):
    names = environ_of(path.read_text())
    if not names:
        load(copied(path), {})
        return
    with pytest.raises(ConfigurationError) as caught:
        load(copied(path), {})
    for name in names:
        assert name in str(caught.value)


def test_the_top_one_is_the_production_form(copied, environ_of):
    path = TOP / "router.json"
    (realm,) = load(copied(path), environ_of(path.read_text())).realms
    assert isinstance(realm.store, PostgresStore)
    assert realm.store.dsn.reveal() == SUITABLE["DSN"]
    assert realm.bridges[0].url.reveal() == SUITABLE["URL"]
    assert realm.authmethods == ("ticket",)
