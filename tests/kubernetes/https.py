"""An HTTPS server that remembers who asked it how, its certificates, and a proxy before it."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

#: What a request says of who asks.
_TELLING = ("authorization", "impersonate-")


class Authority:
    """Issues certificates; all files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")])
        self.path = folder / "ca.crt"
        self.path.write_bytes(self._issue(self._name, self._key, [], authority=True))

    def pair(self, name: str, *names: x509.GeneralName, days: float = 1) -> tuple[Path, Path]:
        """A certificate of that common name, for those names, with its key; it is valid for so many days."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate, private = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        certificate.write_bytes(self._issue(subject, key, list(names), days=days))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate, private

    def _issue(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        names: list[x509.GeneralName],
        authority: bool = False,
        days: float = 1,
    ) -> bytes:
        now = datetime.datetime.now(tz=datetime.timezone.utc)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=2))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if authority:
            usage = dict.fromkeys(
                ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                 "encipher_only", "decipher_only"), False,
            )  # fmt: skip
            made = made.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


LOCAL = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


class Asked(NamedTuple):
    """A request: by which name the server was called, whose certificate came along, and what the headers tell."""

    path: str
    server_name: str | None
    client: str | None
    headers: list[tuple[str, str]]


class Server:
    """Answers whatever it is asked with `answer`, and remembers the requests."""

    def __init__(self, port: int, asked: list[Asked]) -> None:
        self.url, self.asked = f"https://127.0.0.1:{port}", asked
        #: Status and body of its answers.
        self.status = 200
        self.answer: dict[str, Any] | bytes = {}


@contextlib.contextmanager
def serving(authority: Authority, pair: tuple[Path, Path]) -> Iterator[Server]:
    """A server with that certificate, to which clients may show one of the same authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_OPTIONAL
    called: dict[int, str | None] = {}

    def call(connection: Any, name: str | None, _: Any) -> None:
        called[connection.fileno()] = name

    context.sni_callback = call

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            subject = (self.connection.getpeercert() or {}).get("subject", ())  # type: ignore[attr-defined]
            names = [value for part in subject for key, value in part if key == "commonName"]
            telling = [(key.lower(), value) for key, value in self.headers.items() if key.lower().startswith(_TELLING)]
            name = called.get(self.connection.fileno())
            made.asked.append(Asked(self.path, name, names[0] if names else None, sorted(telling)))
            body = made.answer if isinstance(made.answer, bytes) else json.dumps(made.answer).encode()
            self.send_response(made.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            """Tests look at `asked`."""

    class Secure(_Quiet):
        def finish_request(self, request: Any, client_address: Any) -> None:
            with context.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)

    with _running(Secure(("127.0.0.1", 0), Handler)) as port:
        made = Server(port, [])
        yield made


@contextlib.contextmanager
def proxying() -> Iterator[tuple[str, list[str]]]:
    """A proxy: its URL, and the hosts that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append(self.path)
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host, int(port))) as there:
                self.send_response(200)
                self.end_headers()
                ends = {self.connection: there, there: self.connection}
                while True:
                    for end in select.select(list(ends), [], [])[0]:
                        if not (data := end.recv(65536)):
                            return
                        ends[end].sendall(data)

        def log_message(self, *_: Any) -> None:
            """Tests look at `asked`."""

    with _running(_Quiet(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}", asked


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that doesn't trust us hangs up."""


@contextlib.contextmanager
def _running(server: ThreadingHTTPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
