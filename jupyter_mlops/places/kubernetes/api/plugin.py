"""Logging in by a program that the kubeconfig names: aws, gke-gcloud-auth-plugin, kubelogin and their like.

The Python client has this, too, but goes on as nobody where the program fails: people would read that
`system:anonymous` may not do this or that, and nothing of the program.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from base64 import b64encode
from pathlib import Path
from typing import Any

from ....core.base import Record, Seconds, read_record
from ....core.errors import Unavailable, Unreadable
from ....core.waiting import wait_for
from .kubeconfig import KubeLogin, KubePlugin, KubeServer

#: Seconds that the program has: it may wait for its user, in a browser.
PATIENCE: Seconds = 60.0

_GROUP = "client.authentication.k8s.io"
_VERSIONS = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1")
_LOG_IN = "Log in again, as you do for kubectl."


class PluginToken(Record):
    """What the program gives: a token, or a certificate with its key, as PEM text."""

    token: str = ""
    clientCertificateData: str = ""  # as Kubernetes writes it
    clientKeyData: str = ""


class _Credential(Record):
    apiVersion: str
    status: PluginToken


async def ask(login: KubeLogin, plugin: KubePlugin) -> PluginToken:
    """Run the program, as kubectl does, but never with a terminal.

    Raises
    ------
    Unavailable : it gave nothing; names it, and what it wrote.
    """
    what = f"The login plug-in {Path(plugin.command).name!r} of the kubeconfig's user {login.user_name!r} failed"
    if plugin.version not in _VERSIONS:
        raise Unavailable(what, f"its apiVersion is {plugin.version!r}", f"Write one of: {', '.join(_VERSIONS)}.")
    if plugin.mode == "Always":
        raise Unavailable(what, "it wants a terminal (interactiveMode: Always)", "Use a login that needs none.")
    try:
        code, written, said = await _run(plugin, _question(login.server, plugin))
    except asyncio.TimeoutError:
        raise Unavailable(what, f"it gave no answer in {PATIENCE:.0f} s", _LOG_IN) from None
    except OSError as error:
        hint = plugin.hint.strip() or "Install it, so that it is found on PATH."
        raise Unavailable(what, error.strerror or str(error), hint) from None
    if code != 0:
        raise Unavailable(what, ": ".join(filter(None, [f"exit code {code}", _end(said)])), _LOG_IN)
    try:
        found = read_record(_Credential, written)
    except Unreadable as error:
        raise Unavailable(what, f"it wrote no credential: {error.why}", _LOG_IN) from None
    if found.apiVersion != plugin.version:
        raise Unavailable(what, f"it speaks {found.apiVersion}, and the kubeconfig {plugin.version}", "Write the same.")
    status = found.status
    if bool(status.clientCertificateData) != bool(status.clientKeyData) or not (status.token or status.clientKeyData):
        raise Unavailable(what, "it gave neither a token nor a certificate with its key", _LOG_IN)
    return status


async def _run(plugin: KubePlugin, question: str) -> tuple[int, bytes, bytes]:
    """Its exit code, and what it wrote to standard output and standard error."""
    own = {variable.name: variable.value for variable in plugin.env}
    program = await asyncio.create_subprocess_exec(
        plugin.command,
        *plugin.args,
        env={**os.environ, **own, "KUBERNETES_EXEC_INFO": question},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        written, said = await wait_for(program.communicate(), PATIENCE)
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            program.kill()
        raise
    return program.returncode or 0, written, said


def _question(server: KubeServer, plugin: KubePlugin) -> str:
    """What the program is told of us, and of the cluster where it asks for that."""
    spec: dict[str, Any] = {"interactive": False}
    if plugin.wants_cluster:
        spec["cluster"] = _cluster(server)
    return json.dumps({"kind": "ExecCredential", "apiVersion": plugin.version, "spec": spec})


def _cluster(server: KubeServer) -> dict[str, Any]:
    authority = server.certificate_authority_data
    if not authority and server.certificate_authority:
        authority = b64encode(Path(server.certificate_authority).read_bytes()).decode()
    found = {
        "server": server.server,
        "tls-server-name": server.tls_server_name,
        "insecure-skip-tls-verify": server.insecure_skip_tls_verify,
        "certificate-authority-data": authority,
        "proxy-url": server.proxy_url,
        "disable-compression": server.disable_compression,
        "config": next((each.extension for each in server.extensions if each.name == f"{_GROUP}/exec"), None),
    }
    return {name: value for name, value in found.items() if value}


def _end(said: bytes) -> str:
    """The last lines of what it wrote for people."""
    lines = said.decode("utf-8", errors="replace").strip().splitlines()
    return " ".join(line.strip() for line in lines[-3:])[:500]
