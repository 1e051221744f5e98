"""docs/deploying.md and examples/deploy/ say the same: the files that are there, and the figures that are in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "examples/deploy"
TEXT: Final = (ROOT / "docs/deploying.md").read_text()
FILES: Final = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and "secrets" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_each_file_says_what_it_is_for(path: Path) -> None:
    if path.suffix == ".json" or path.name == ".gitignore":
        return
    first, second, *_ = path.read_text().splitlines()
    about = second if first.startswith("#!") else first
    assert re.match(r"# \S.{30,}", about), about


def test_each_folder_has_its_place_in_the_page() -> None:
    for folder in ("systemd", "docker", "kubernetes", "nginx", "haproxy", "caddy"):
        assert list((DEPLOY / folder).iterdir())
        assert f"{folder}/" in TEXT


@pytest.mark.parametrize(
    ("pattern", "file"),
    [
        (r"TimeoutStopSec=\w+", "systemd/wampgate.service"),
        (r"stop_grace_period: \w+", "docker/compose.yaml"),
        (r"terminationGracePeriodSeconds: \d+", "kubernetes/deployment.yaml"),
    ],
)
def test_the_page_has_the_figures_of_the_files(pattern: str, file: str) -> None:
    found = re.findall(pattern, TEXT)
    assert found
    assert set(found) == set(re.findall(pattern, (DEPLOY / file).read_text()))


def test_each_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:systemd|docker|kubernetes|nginx|haproxy|caddy)/[\w./-]+)`", TEXT)
    named += [f"systemd/{name}" for name in re.findall(r"\bwampgate\.(?:service|socket|sysusers\.conf)\b", TEXT)]
    named += [f"kubernetes/{name}" for name in re.findall(r"`(\w[\w.]*\.yaml)`", TEXT) if name != "compose.yaml"]
    assert len(named) > 10
    assert not [name for name in named if not (DEPLOY / name).is_file()]


def test_the_commands_install_what_the_configuration_asks_for() -> None:
    (names,) = re.findall(r"^for name in (.*); do$", TEXT, re.MULTILINE)
    asked = re.findall(r"\$\{file:secrets/([\w-]+)\}", (DEPLOY / "systemd/router.json").read_text())
    assert sorted(names.split()) == sorted(asked)
    handed = re.findall(r"^LoadCredential=([\w-]+):", (DEPLOY / "systemd/credentials.conf").read_text(), re.MULTILINE)
    assert sorted(handed) == sorted(asked)
