"""A key pair per cluster: who doesn't have it can neither connect to its processes nor be connected to by them.

On a machine with several users any of them could otherwise run code as this one: a Dask port unpickles what it gets.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed.security import Security

_YEARS = 10


def make_keys(folder: Path) -> None:
    """Make `tls/key.pem` and `tls/cert.pem` in `folder`, readable by their owner only.

    The certificate is its own authority, and the same for scheduler, workers and clients: having it is the permission.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "jupyter-mlops")])
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("jupyter-mlops")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls").mkdir(mode=0o700, exist_ok=True)
    _write(
        folder / "tls" / "key.pem",
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    _write(folder / "tls" / "cert.pem", certificate.public_bytes(serialization.Encoding.PEM))


def security(folder: Path) -> Security:
    """Dask's security settings for the cluster in `folder`, for all roles."""
    from distributed.security import Security

    key, certificate = str(folder / "tls" / "key.pem"), str(folder / "tls" / "cert.pem")
    return Security(
        require_encryption=True,
        tls_ca_file=certificate,
        tls_scheduler_key=key,
        tls_scheduler_cert=certificate,
        tls_worker_key=key,
        tls_worker_cert=certificate,
        tls_client_key=key,
        tls_client_cert=certificate,
    )


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
