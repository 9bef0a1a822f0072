"""The Secret in which the pods of a service, and whoever looks, read and write who answers while a version is tried.

A pod has the right to read and change this one object, and nothing else. It is asked by plain HTTPS: a client of
Kubernetes would have to be brought to each image.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import ssl
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ..core.base import Seconds
from ..core.board import SPLIT, Board, board_of, packed
from ..core.errors import Conflict, Refused, Unavailable
from ..core.split import ReplicaReport, Split

#: Where Kubernetes puts the pod's right, and seconds for an answer.
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PATIENCE: Seconds = 10.0


class SplitBoard:
    """Reads and changes it, from a pod.

    Parameters
    ----------
    name : of the Secret.
    api : where Kubernetes is asked; default: as it tells its pods.
    account : the folder with the pod's token, namespace and authority.
    """

    def __init__(self, name: str, api: str = "", account: Path = _ACCOUNT) -> None:
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        host = f"[{host}]" if ":" in host else host
        self._name, self._api, self._account = name, urlsplit(api or f"https://{host}:{port}"), account
        self._connection: http.client.HTTPConnection | None = None
        self._last: Board | None = None
        #: Held while it is asked: over the connection one question goes at a time, also where nobody waits for the
        #: answer any more, and what is asked next knows of what was heard.
        self._one = threading.Lock()

    async def read(self, *, cached: bool = False) -> Board:
        """What stands there.

        Parameters
        ----------
        cached : whether what the API has at hand will do, which costs it little: it may be some moments old, and isn't
            older than what was seen here.

        Raises
        ------
        Unavailable, Refused, Unreadable
        """
        return await self._ask("GET", cached=cached)

    async def write_split(self, split: Split, version: str) -> Board:
        """Change who answers, which nobody is to have changed since; what stands there then. Raises as `read`, and
        `Conflict`."""
        return await self._change({SPLIT: split.model_dump_json().encode()}, version)

    async def report(self, pod: str, report: ReplicaReport, without: Iterable[str] = ()) -> Board:
        """Say what a pod knows; what stands there then. Raises as `read`.

        Parameters
        ----------
        without : pods whose reports go.
        """
        return await self._change({**dict.fromkeys(without), pod: packed(report)})

    async def _change(self, files: Mapping[str, bytes | None], version: str = "") -> Board:
        data = {name: None if each is None else base64.b64encode(each).decode() for name, each in files.items()}
        body: dict[str, Any] = {"data": data}
        if version:
            body["metadata"] = {"resourceVersion": version}
        return await self._ask("PATCH", body)

    async def _ask(self, method: str, body: Mapping[str, Any] | None = None, *, cached: bool = False) -> Board:
        """What stands there, as of this answer, or of a later one that was here before anybody came to read this."""
        await asyncio.to_thread(self._hear, method, body, cached)
        assert self._last is not None
        return self._last

    def _hear(self, method: str, body: Mapping[str, Any] | None, cached: bool) -> None:
        with self._one:
            last = "" if self._last is None else self._last.version
            item = self._asked(method, body, f"?resourceVersion={quote(last or '0')}" if cached else "")
            version = str((item.get("metadata") or {}).get("resourceVersion", ""))
            if not version or version != last:  # what is as before isn't read again
                self._last = board_of(item)

    def _asked(self, method: str, body: Mapping[str, Any] | None, query: str) -> dict[str, Any]:
        what = "What is decided about the version that is tried can't be read or written"
        try:
            space = (self._account / "namespace").read_text(encoding="utf-8").strip()
            token = (self._account / "token").read_text(encoding="utf-8").strip()  # Kubernetes changes it
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"}
            path = f"/api/v1/namespaces/{space}/secrets/{self._name}{query}"
            status, text = self._sent(method, path, None if body is None else json.dumps(body), headers)
            told = json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unavailable(what, f"Kubernetes doesn't answer: {error or type(error).__name__}", "") from error
        if status < 300 and isinstance(told, dict):
            return told
        why = f"Kubernetes answers {status}: {told.get('message', '') if isinstance(told, dict) else ''}"
        if status == 409:
            raise Conflict("The version that is tried isn't changed", "somebody has decided meanwhile", "")
        raise (Refused if status in (401, 403) else Unavailable)(what, why, "")

    def _sent(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Over the connection that is there, or, where that was closed meanwhile, a new one."""
        for kept in (True, False):
            there = self._connection if kept else None
            if kept and there is None:
                continue
            self._connection = there = there or self._connected()
            try:
                there.request(method, path, body, dict(headers))
                answer = there.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                self.close()
                if not kept:
                    raise
        raise AssertionError

    def _connected(self) -> http.client.HTTPConnection:
        host, port = self._api.hostname or "", self._api.port
        if self._api.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=_PATIENCE)
        trusted = ssl.create_default_context(cafile=str(self._account / "ca.crt"))
        return http.client.HTTPSConnection(host, port, timeout=_PATIENCE, context=trusted)

    def close(self) -> None:
        """Ask no more."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
