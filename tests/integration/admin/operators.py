"""A router with a listener for operators, and what they ask it."""

from __future__ import annotations

import json
import re
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

from conftest import principal, rule, static_configuration
from prometheus_client.parser import text_string_to_metric_families
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT = "tcp:0:interface=127.0.0.1"
_SERVED = re.compile(r"operators are served on \S+ \(port (\d+)\)")


def with_operator(admin: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The static configuration with an operator beside its principals, and a listener for it."""
    document = static_configuration(**more)
    realm = document["realms"][0]
    realm["authentication"]["principals"].append(principal("operator", "operator"))
    realm["authorization"]["rules"] += [
        rule("operator", ["call"], prefix, "prefix") for prefix in ("wampgate.", "wamp.")
    ]
    realm["meta_api"] = {"sights": [{"role": "operator", "sees": "all"}]}
    return {**document, "admin": {"endpoint": ENDPOINT, **(admin or {})}}


def serving_operators(admin: Mapping[str, Any] | None = None, **more: Any) -> RouterProcess:
    return RouterProcess(with_operator(admin, **more))


def admin_port(process: RouterProcess) -> int:
    """Where the operators' listener is on 127.0.0.1."""
    found = _SERVED.findall(process.log())
    assert found, process.log()
    return int(found[-1])


class Answer:
    """An HTTP answer; header names in lower case."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def fetch(port: int, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
    """One request on a connection of its own; underscores in the headers' names are hyphens."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        data = None if body is None else json.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, data, named | ({} if data is None else {"Content-Type": "application/json"}))
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


def metrics(process: RouterProcess) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every series of a scrape, by its name and labels."""
    families = text_string_to_metric_families(fetch(admin_port(process), "/metrics").text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def metric(process: RouterProcess, name: str, **labels: str) -> float:
    """One series; 0 if there is none."""
    return metrics(process).get((name, frozenset(labels.items())), 0.0)
