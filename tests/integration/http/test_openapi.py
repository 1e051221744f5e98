"""The OpenAPI document is valid, and the router does what it says: Schemathesis tries it, with a fixed seed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import rule, static_configuration, ticket_of
from integration.http.plain_http import Connection, Response, ask
from router_process import RouterProcess

from wampgate.http.backend.exchange import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20
EXAMPLES = 60
"""For each route; more are for whoever looks for something."""


@pytest.fixture(scope="module")
def open_to_all() -> Iterator[RouterProcess]:
    """A router on which alice may publish and call anything, so that not everything ends at a 403."""
    configuration = static_configuration(
        listen=[{"endpoint": "tcp:0:interface=127.0.0.1", "serves": ["backend", "wamp"]}],
        limits={"batch_publications": 5},
    )
    rules = configuration["realms"][0]["authorization"]["rules"]
    rules.append(rule("client", ["call"], "", "prefix"))
    # Everything would be more than anyone may publish: what begins with w is the router's, in part.
    rules.extend(rule("client", ["publish"], letter, "prefix") for letter in "abcdefghijklmnopqrstuvxyzABC0123456789")
    with RouterProcess(configuration) as process:
        yield process


def document_of(process: RouterProcess) -> Response:
    with Connection(process.port) as connection:
        connection.send(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        return connection.response()


def test_it_is_a_valid_document(open_to_all: RouterProcess) -> None:
    validator: Any = pytest.importorskip("openapi_spec_validator")
    response = document_of(open_to_all)
    assert response.headers["content-type"] == "application/json"
    validator.OpenAPIV31SpecValidator(response.json).validate()
    assert set(response.json["paths"]) == set(ROUTES)
    assert response.json["components"]["schemas"]["BatchBody"]["properties"]["publications"]["maxItems"] == 5


def test_it_says_what_bodies_may_be(open_to_all: RouterProcess) -> None:
    validation: Any = pytest.importorskip("jsonschema")
    document = document_of(open_to_all).json
    for route, good, bad in (
        (
            "/publish",
            {"topic": "a.b", "args": [1], "kwargs": {"x": None}, "options": {"exclude": [1]}},
            {"topic": "a..b"},
        ),
        ("/publish/batch", {"publications": [{"topic": "a"}]}, {"publications": []}),
        ("/call", {"procedure": "a.b", "timeout_ms": 100}, {"procedure": "a", "timeout_ms": 0}),
    ):
        schema = document["paths"][route]["post"]["requestBody"]["content"]["application/json"]["schema"]
        validator = validation.Draft202012Validator({**schema, "components": document["components"]})
        assert validator.is_valid(good)
        assert not validator.is_valid(bad)
        assert ask(open_to_all.port, route, good, ticket_of("alice")).status in (200, 404)
        assert ask(open_to_all.port, route, bad, ticket_of("alice")).status == 422


@pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None,
    reason="schemathesis is missing: the OpenAPI document is not tried",
)
def test_schemathesis_finds_nothing(open_to_all: RouterProcess, tmp_path: Path) -> None:
    base = f"http://127.0.0.1:{open_to_all.port}"
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{base}/openapi.json"),
            *("--header", f"Authorization: Bearer {ticket_of('alice')}"),
            *("--checks", "all", "--seed", str(SEED), "--max-examples", str(EXAMPLES)),
            *("--phases", "examples,coverage,fuzzing", "--no-color"),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONWARNINGS": "ignore",
            "SCHEMATHESIS_HOOKS": "without_keys",
            "PYTHONPATH": str(Path(__file__).parent),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-8_000:] + finished.stderr[-2_000:]
