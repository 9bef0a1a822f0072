"""The keys of a cluster: who has none can neither connect to its processes nor be connected to by them.

Scheduler, workers and clients have a key each, whose certificate says which part it is. What only clients may ask, the
scheduler refuses to workers (`controller/guard.py`).
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..controller.roles import CLIENT, ROLES, SCHEDULER, WORKER

if TYPE_CHECKING:
    from distributed.security import Security

#: A certificate is as good as its cluster is alive, and clocks are set: it is valid at any time.
ALWAYS = datetime.datetime(2000, 1, 1), datetime.datetime(2100, 1, 1)


@dataclass(frozen=True)
class Pair:
    """A key and its certificate, as PEM text or as paths of files."""

    key: str
    certificate: str


@dataclass(frozen=True)
class ClusterKeys:
    """The certificate of a cluster's authority, and the pair of each role."""

    authority: str
    pairs: dict[str, Pair]


def new_keys() -> ClusterKeys:
    """The keys of a new cluster, as PEM text. The authority's own key is kept nowhere: nobody can make more of them."""
    from cryptography.hazmat.primitives.asymmetric import ec

    top = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate(top.public_key(), "authority", top)
    pairs = {}
    for role in ROLES:
        key = ec.generate_private_key(ec.SECP256R1())
        pairs[role] = Pair(_text_of(key), _certificate(key.public_key(), role, top))
    return ClusterKeys(authority, pairs)


def security(authority: str, **pairs: Pair) -> Security:
    """Dask's security settings of who has these pairs, by their roles. `authority` is the certificate of the cluster's
    authority, as PEM text or a path."""
    from distributed.security import Security

    settings: dict[str, Any] = {}
    for role, pair in pairs.items():
        settings |= {f"tls_{role}_key": pair.key, f"tls_{role}_cert": pair.certificate}
    return Security(require_encryption=True, tls_ca_file=authority, **settings)


def security_of_one(pair: Pair) -> Security:
    """The same for a cluster that was made when all parts had one pair: its certificate is its own authority."""
    return security(pair.certificate, **dict.fromkeys((SCHEDULER, WORKER, CLIENT), pair))


def _certificate(key: Any, name: str, top: Any) -> str:
    """A certificate for the public `key`, signed by the authority, whose private key is `top`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    def called(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    own = name == "authority"
    certificate = (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called("authority"))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(ALWAYS[0])
        .not_valid_after(ALWAYS[1])
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("jupyter-mlops")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=own, path_length=0 if own else None), critical=True)
        .sign(top, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _text_of(key: Any) -> str:
    from cryptography.hazmat.primitives import serialization

    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return str(key.private_bytes(encoding, form, serialization.NoEncryption()).decode())
