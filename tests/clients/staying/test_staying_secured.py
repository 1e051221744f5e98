"""``wampgate.client`` over TLS: the router's certificate is checked, and what is not trusted is told on entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from clients.staying.staying import PYTHON, Staying
from conftest import static_configuration, ticket_of
from redis_server import write_certificates
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for name, hosts in (("mine", ["127.0.0.1"]), ("another", ["127.0.0.1"]), ("elsewhere", ["news.example.org"])):
        (folder / name).mkdir()
        write_certificates(folder / name, hosts)
    both = (folder / "another/ca.pem").read_text() + (folder / "mine/ca.pem").read_text()
    (folder / "both.pem").write_text(both)
    return folder


@pytest.fixture(scope="module")
def secure(certificates: Path) -> Iterator[RouterProcess]:
    with RouterProcess(certified(certificates / "mine")) as process:
        yield process


def certified(folder: Path) -> dict[str, Any]:
    """A router's configuration that shows a certificate."""
    files = f"privateKey={folder / 'server.key'}:certKey={folder / 'server.pem'}"
    return static_configuration(listen=[{"endpoint": f"ssl:0:{files}:interface=127.0.0.1"}])


def staying(framework: str, port: int, ca_file: Path | None) -> Staying:
    settings = {} if ca_file is None else {"ca_file": str(ca_file)}
    return Staying(framework, port, token=ticket_of("alice"), url=f"wss://127.0.0.1:{port}/ws", settings=settings)


@pytest.mark.parametrize("framework", PYTHON)
@pytest.mark.parametrize("ca_file", ["mine/ca.pem", "both.pem"])
def test_whom_the_authority_vouches_for(
    secure: RouterProcess, certificates: Path, framework: str, ca_file: str
) -> None:
    with staying(framework, secure.port, certificates / ca_file) as client:
        client.wait_for("here")
        assert client.do("publish", "com.example.topic", 1) > 0


@pytest.mark.parametrize("framework", PYTHON)
@pytest.mark.parametrize("ca_file", ["another/ca.pem", None])
def test_whom_nobody_vouches_for(
    secure: RouterProcess, certificates: Path, framework: str, ca_file: str | None
) -> None:
    with staying(framework, secure.port, certificates / ca_file if ca_file else None) as client:
        told = client.wait_for("never")
        assert told[1] == "wampgate.client.untrusted"
        assert "certificate verify failed" in told[2]
        assert client.ended() == 0


@pytest.mark.parametrize("framework", PYTHON)
def test_another_host_s_certificate(certificates: Path, framework: str) -> None:
    folder = certificates / "elsewhere"
    with (
        RouterProcess(certified(folder)) as process,
        staying(framework, process.port, folder / "ca.pem") as client,
    ):
        assert client.wait_for("never")[1] == "wampgate.client.untrusted"
