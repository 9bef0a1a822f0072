"""A key pair per cluster: who doesn't have it can neither connect to its processes nor be connected to by them."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed.security import Security

#: A certificate is as good as its cluster is alive, and clocks are set: it is valid at any time.
ALWAYS = datetime.datetime(2000, 1, 1), datetime.datetime(2100, 1, 1)


def new_pair() -> tuple[str, str]:
    """A key and its certificate, as PEM text.

    The certificate is its own authority, and the same for scheduler, workers and clients: having it is the permission.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "jupyter-mlops")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ALWAYS[0])
        .not_valid_after(ALWAYS[1])
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("jupyter-mlops")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return text.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def security(key: str, certificate: str) -> Security:
    """Dask's security settings of a pair, as PEM text or as paths of files, for all roles."""
    from distributed.security import Security

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
