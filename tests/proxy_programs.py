"""nginx, HAProxy and Caddy for tests: the real programs, with the configurations of examples/deploy/, on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import pytest
from conftest import rule, static_configuration
from redis_server import write_certificates
from router_process import RouterProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEPLOY: Final = Path(__file__).parents[1] / "examples" / "deploy"
HOST: Final = "localhost"
"""Stands for news.example.org, which no resolver knows here."""

START_SECONDS: Final = 20.0
GUESSES: Final = 4


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def replaced(text: str, values: Mapping[str, str]) -> str:
    """A text with other values in it; each one has to be there, or the text is not what the test takes it for."""
    for old, new in values.items():
        assert old in text, f"no {old!r} in the configuration"
        text = text.replace(old, new)
    return text


class Node(RouterProcess):
    """A router behind a proxy: WebSockets and HTTP at ``port``, RawSocket with the PROXY protocol at ``rawsocket``.

    Args:
        limits: more of them.
    """

    def __init__(self, **limits: float) -> None:
        self.rawsocket = free_port()
        configuration = static_configuration(
            listen=[
                {"endpoint": "tcp:0:interface=127.0.0.1"},
                {"endpoint": f"tcp:{self.rawsocket}:interface=127.0.0.1", "serves": ["wamp"], "proxy_protocol": True},
            ],
            hosts=[HOST],
            trusted_proxies=["127.0.0.1"],
            limits={"failed_logins_per_address_per_minute": GUESSES} | limits,
        )
        configuration["realms"][0]["authorization"]["rules"].append(rule("client", ["subscribe"], "organization.7"))
        super().__init__(configuration)

    def start(self) -> None:
        """As every router, and the second listener too."""
        super().start()
        self.wait_for_log(f"listening on tcp:{self.rawsocket}:")

    def _endpoints(self) -> int:
        # The second listener is announced in another way.
        return 1


class Proxy:
    """One of the three, in front of two nodes. A context manager: it takes connections on entry and is gone on exit.

    Args:
        ports: the nodes' ports for WebSockets and HTTP.
        rawsocket: their ports for RawSocket.
        folder: for its files, which are left there.
        other: what the configuration is to say instead of what it says.

    Attributes:
        port: where it listens on 127.0.0.1 with TLS, as ``localhost``.
        authority: the file with the authority that vouches for it.
    """

    name: str

    def __init__(
        self, ports: Sequence[int], rawsocket: Sequence[int], folder: Path, other: Mapping[str, str] | None = None
    ) -> None:
        if shutil.which(self.name) is None:
            pytest.skip(f"{self.name.upper()} WAS NOT TESTED: it is not installed (Debian has it)")
        self.port, self.tls_rawsocket = free_port(), free_port()
        self.authority = folder / "ca.pem"
        self._folder = folder
        self._ports, self._rawsocket = ports, rawsocket
        self._other = other or {}
        self._process: subprocess.Popen[bytes] | None = None
        write_certificates(folder, [HOST])

    def __enter__(self) -> Self:
        self._write()
        checked = subprocess.run(
            self._check(), env=self._environment(), capture_output=True, text=True, timeout=30, check=False
        )
        self.checked = checked.stdout + checked.stderr
        assert checked.returncode == 0, self.checked
        with (self._folder / "output.log").open("wb") as output:
            self._process = subprocess.Popen(self._run(), env=self._environment(), stdout=output, stderr=output)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in self._folder.glob("*.log"))

    def trusting(self) -> ssl.SSLContext:
        """A client's TLS that trusts the proxy's authority and nobody else."""
        context = ssl.create_default_context(cafile=str(self.authority))
        context.set_alpn_protocols(["http/1.1"])
        return context

    # --- what each does in its own way ---

    def _write(self) -> None:
        """Write the configuration."""
        raise AssertionError("each proxy does this")

    def _check(self) -> Sequence[str]:
        """The command that checks the configuration and exits."""
        raise AssertionError("each proxy does this")

    def _run(self) -> Sequence[str]:
        """The command that runs it in the foreground."""
        raise AssertionError("each proxy does this")

    def _environment(self) -> dict[str, str]:
        return dict(os.environ)

    # --- inside ---

    def _nodes(self) -> dict[str, str]:
        """What the configurations call the nodes, and where they are."""
        return {f"10.0.0.{5 + index}:8080": f"127.0.0.1:{port}" for index, port in enumerate(self._ports)}

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                plain = socket.create_connection(("127.0.0.1", self.port), 1)
                with plain, self.trusting().wrap_socket(plain, server_hostname=HOST):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"{self.name} does not take connections: {self.log()}")


class Nginx(Proxy):
    """nginx, with nginx/wampgate.conf in its section http."""

    name = "nginx"

    def _write(self) -> None:
        values = {
            "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl",
            "news.example.org;": f"{HOST};",
            "/etc/nginx/tls/news.example.org.crt": str(self._folder / "server.pem"),
            "/etc/nginx/tls/news.example.org.key": str(self._folder / "server.key"),
        }
        mine = replaced((DEPLOY / "nginx/wampgate.conf").read_text(), {**values, **self._nodes(), **self._other})
        (self._folder / "wampgate.conf").write_text(mine)
        temporary = "\n".join(
            f"    {kind}_temp_path {self._folder}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""
        (self._folder / "nginx.conf").write_text(
            f"{user}daemon off;\nworker_processes 1;\npid {self._folder}/nginx.pid;\n"
            f"error_log {self._folder}/error.log;\nevents {{ worker_connections 256; }}\n"
            f"http {{\n    access_log {self._folder}/access.log;\n{temporary}\n"
            f"    include {self._folder}/wampgate.conf;\n}}\n"
        )

    def _check(self) -> Sequence[str]:
        return ["nginx", "-t", "-p", str(self._folder), "-c", "nginx.conf", "-e", f"{self._folder}/error.log"]

    def _run(self) -> Sequence[str]:
        return ["nginx", "-p", str(self._folder), "-c", "nginx.conf", "-e", f"{self._folder}/error.log"]


class Haproxy(Proxy):
    """HAProxy with haproxy/haproxy.cfg."""

    name = "haproxy"

    def _write(self) -> None:
        pem = self._folder / "both.pem"
        pem.write_text((self._folder / "server.pem").read_text() + (self._folder / "server.key").read_text())
        values = {
            "bind :443": f"bind 127.0.0.1:{self.port}",
            "bind :8443": f"bind 127.0.0.1:{self.tls_rawsocket}",
            "/etc/haproxy/news.example.org.pem": str(pem),
            "Host news.example.org": f"Host {HOST}",
            "maxconn 40000": "maxconn 200",
            **{f"10.0.0.{5 + index}:8082": f"127.0.0.1:{port}" for index, port in enumerate(self._rawsocket)},
        }
        mine = replaced((DEPLOY / "haproxy/haproxy.cfg").read_text(), {**values, **self._nodes(), **self._other})
        (self._folder / "haproxy.cfg").write_text(mine)

    def _check(self) -> Sequence[str]:
        return ["haproxy", "-c", "-f", str(self._folder / "haproxy.cfg")]

    def _run(self) -> Sequence[str]:
        return ["haproxy", "-db", "-f", str(self._folder / "haproxy.cfg")]


class Caddy(Proxy):
    """Caddy with caddy/Caddyfile; its certificate comes from an authority of its own."""

    name = "caddy"

    def _write(self) -> None:
        mine = replaced(
            (DEPLOY / "caddy/Caddyfile").read_text(), {"news.example.org": HOST, **self._nodes(), **self._other}
        )
        mine = f"""{{
	admin off
	skip_install_trust
	http_port {free_port()}
	https_port {self.port}
	default_bind 127.0.0.1
}}
{mine}"""
        (self._folder / "Caddyfile").write_text(mine)
        self.authority = self._folder / "data/caddy/pki/authorities/local/root.crt"

    def _check(self) -> Sequence[str]:
        return ["caddy", "validate", "--config", str(self._folder / "Caddyfile"), "--adapter", "caddyfile"]

    def _run(self) -> Sequence[str]:
        return ["caddy", "run", "--config", str(self._folder / "Caddyfile"), "--adapter", "caddyfile"]

    def _environment(self) -> dict[str, str]:
        home = {"HOME": "", "XDG_DATA_HOME": "data", "XDG_CONFIG_HOME": "config"}
        return {**os.environ, **{name: str(self._folder / below) for name, below in home.items()}}


PROXIES: Final = {proxy.name: proxy for proxy in (Nginx, Haproxy, Caddy)}
