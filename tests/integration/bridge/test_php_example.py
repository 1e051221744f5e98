"""The PHP example for plain channels, run as it stands."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted

EXAMPLE = Path(__file__).parents[3] / "examples/php/publish_news.php"


def php(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run PHP. What WAMPGATE_TEST_PHP_INI names is loaded too, for an extension that isn't installed in PHP's place."""
    ini = os.environ.get("WAMPGATE_TEST_PHP_INI")
    command = ["php", *(["-c", ini] if ini else []), *arguments]
    environment = {**os.environ, **environ}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def php_with_redis() -> None:
    if shutil.which("php") is None or php("-r", "exit(extension_loaded('redis') ? 0 : 1);").returncode:
        pytest.skip("THE PHP EXAMPLE WAS NOT RUN: there is no php on PATH, or it lacks the redis extension")


@pytest.mark.usefixtures("php_with_redis")
@pytest_twisted.ensureDeferred
async def test_publish_news(harness: Any) -> None:
    server = harness.server()
    await harness.reading(server.url)
    arguments = (str(EXAMPLE), "7", "Größe: 1.50")
    run = await harness.in_thread(php, *arguments, REDIS_HOST="127.0.0.1", REDIS_PORT=str(server.port))
    assert run.returncode == 0, run.stderr
    assert await harness.published() == [("organization.7", [], {"text": "Größe: 1.50"})]


@pytest.mark.skipif(shutil.which("php") is None, reason="THE PHP EXAMPLES WERE NOT CHECKED: there is no php on PATH")
@pytest.mark.parametrize("example", sorted(EXAMPLE.parent.glob("*.php")), ids=lambda path: path.name)
def test_examples_are_php_and_say_how_to_use_them(example: Path) -> None:
    assert php("-l", str(example)).returncode == 0
    assert "composer require" in example.read_text() or php(str(example)).returncode in (1, 2)
