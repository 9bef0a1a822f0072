"""A worker that somebody has taken over: its certificate opens nothing but what workers do."""

from __future__ import annotations

import asyncio
import datetime
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgpack
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from distributed import Client, rpc

from jupyter_mlops.controller.remote import open_link
from jupyter_mlops.controller.roles import CLIENT, WORKER
from jupyter_mlops.core.errors import AnswerRefused, MlopsError, NotFound
from jupyter_mlops.places.kubernetes.managed import security_of
from jupyter_mlops.places.local import tls

from ..evil import GREETING, FakeScheduler, pickled, plain, read_frames, serialized
from ..places.place import LocalPlace, call
from .processes import GONE, folder, running

#: What a worker has no business to ask, of Dask and of us.
CLIENTS_ONLY = (
    "run_function",
    "register_scheduler_plugin",
    "register_worker_plugin",
    "broadcast",
    "proxy",
    "scatter",
    "gather",
    "restart",
    "set_metadata",
    "terminate",
    "feed",
    "mlops_view",
    "mlops_scale",
    "mlops_stop",
    "mlops_open_run",
)


@asynccontextmanager
async def connection(url: str, security: Any, greeting: bytes) -> AsyncIterator[Callable[[bytes], Any]]:
    """Sends messages byte by byte, and gives the first frames of the answers."""
    where, context = urlsplit(url), security.get_connection_args("worker")["ssl_context"]
    reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=context)

    async def send(message: bytes) -> Any:
        writer.write(message)
        await writer.drain()
        return msgpack.unpackb((await read_frames(reader))[0], strict_map_key=False)

    try:
        await send(greeting)
        yield send
    finally:
        writer.transport.abort()


async def test_a_worker_reaches_nothing_with_its_certificate(local: LocalPlace, tmp_path: Path) -> None:
    name, _ = await running(local)
    address = await local.backend.address(name)
    worker = tls.security(folder(local, name), WORKER)
    asking = rpc(address.url, connection_args=worker.get_connection_args("worker"))
    for operation in CLIENTS_ONLY:
        with pytest.raises(PermissionError, match=operation):
            await getattr(asking, operation)()
    assert "workers" in await asking.identity()
    await asking.close_rpc()

    as_client = tls.security(folder(local, name), WORKER)
    as_client.tls_client_cert, as_client.tls_client_key = worker.tls_worker_cert, worker.tls_worker_key
    with pytest.raises(ImportError, match="may not be its client"):
        await Client(address.url, security=as_client, asynchronous=True, timeout=GONE, set_as_default=False)
    with pytest.raises(MlopsError, match="a worker may not ask for 'mlops_view'"):
        await open_link(address.url, as_client, GONE)

    # what it sends is not unpickled in the scheduler, wherever in a message it is
    marker = tmp_path / "marker"
    around = {"op": "heartbeat_worker", "reply": True, "address": "tls://127.0.0.1:1", "now": 0.0}
    for evil in (pickled, serialized):
        greeting = evil(marker, lambda member: {**GREETING, "more": member})
        async with connection(address.url, worker, greeting) as send:
            answered = await send(evil(marker, lambda member: {**around, "metrics": member}))
            assert answered["status"] in ("missing", "uncaught-error")
    # its stream may not be used as a client's
    async with connection(address.url, worker, plain(GREETING)) as send:
        told = await send(plain({"op": "run_function", "reply": True, "function": b"", "args": b""}))
        assert "may not ask" in told["exception_text"]
    assert not marker.exists()
    assert await call(local.backend, name, sum, [1, 2]) == 3  # it goes on


async def test_a_worker_in_the_schedulers_place_is_not_listened_to(local: LocalPlace, tmp_path: Path) -> None:
    name, _ = await running(local)
    worker, client = (tls.security(folder(local, name), role) for role in (WORKER, CLIENT))
    context = worker.get_listen_args("worker")["ssl_context"]
    async with FakeScheduler(pickled(tmp_path / "marker")).listening(context) as fake:
        with pytest.raises(AnswerRefused, match="in the scheduler's place"):
            await open_link(f"tls://127.0.0.1:{fake.port}", client)
    assert fake.asked == [] and not (tmp_path / "marker").exists()


def old_pair() -> tuple[str, str]:
    """A key and a certificate as versions before 0.2 made one for all parts of a cluster."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "jupyter-mlops")])
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    text = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return text.decode(), certificate.public_bytes(encoding).decode()


async def test_a_cluster_with_one_key_for_all_is_reached(tmp_path: Path) -> None:
    key, certificate = old_pair()
    (tmp_path / "tls").mkdir()
    for name, text in (("key.pem", key), ("cert.pem", certificate)):
        (tmp_path / "tls" / name).write_text(text)
    data = {"tls.key": key, "tls.crt": certificate}
    secret = {"metadata": {"name": "old-tls"}, "data": {name: b64encode(data[name].encode()) for name in data}}
    here, pods = tls.security(tmp_path, CLIENT), security_of(secret)
    answer = plain({"format": 1, "error": "NotFound", "what": "It is well"})
    context = here.get_listen_args("scheduler")["ssl_context"]
    async with FakeScheduler(answer).listening(context) as fake:
        for security in (here, pods):
            with pytest.raises(NotFound, match="It is well"):
                await open_link(f"tls://127.0.0.1:{fake.port}", security)
