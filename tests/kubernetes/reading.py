"""Objects of a Kubernetes, read over a connection that is kept: tests look often, and each process of kubectl takes
a fifth of a second of a CPU from what they wait for."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
import threading
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

#: Where each kind is.
_GROUPS = {
    "api/v1": ("pods", "services", "secrets", "configmaps", "serviceaccounts", "events", "nodes", "namespaces"),
    "apis/apps/v1": ("deployments",),
    "apis/batch/v1": ("cronjobs", "jobs"),
    "apis/policy/v1": ("poddisruptionbudgets",),
    "apis/networking.k8s.io/v1": ("networkpolicies",),
    "apis/rbac.authorization.k8s.io/v1": ("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
    "apis/apiextensions.k8s.io/v1": ("customresourcedefinitions",),
    "apis/kubernetes.dask.org/v1": ("daskclusters", "daskworkergroups"),
}
_ROOTS = {kind: root for root, kinds in _GROUPS.items() for kind in kinds}
#: Seconds for an answer: the machine may be busy.
_PATIENCE = 60.0
#: How often one is asked for that Kubernetes puts off, as by kubectl.
_TRIES = 10


class Reader:
    """Reads, as the user of a kubeconfig. One request at a time; any thread may ask.

    Parameters
    ----------
    config : one context with its certificates, as kubectl tells of it. Its login is a certificate or a token.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._address, self._turn = urlsplit(cluster["server"]).netloc, threading.Lock()
        self._headers = {"Accept": "application/json"}
        if "token" in user:
            self._headers["Authorization"] = f"Bearer {user['token']}"
        authority = cluster.get("certificate-authority-data")
        self._tls = ssl.create_default_context(cadata=base64.b64decode(authority).decode() if authority else None)
        if "client-certificate-data" in user:
            with tempfile.NamedTemporaryFile() as both:  # the library reads them from a file only
                for part in ("client-certificate-data", "client-key-data"):
                    both.write(base64.b64decode(user[part]) + b"\n")
                both.flush()
                self._tls.load_cert_chain(both.name)
        self._kept: http.client.HTTPSConnection | None = None

    @staticmethod
    def takes(config: dict[str, Any]) -> bool:
        """Whether it can log in as the kubeconfig says: others need programs, which kubectl starts."""
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        plain = user.keys() <= {"token", "client-certificate-data", "client-key-data"}
        return plain and cluster.keys() <= {"server", "certificate-authority-data"}

    def objects(self, kinds: str, namespace: str, selector: str) -> list[dict[str, Any]]:
        """Objects of these kinds, separated by commas; of all namespaces where none is named. As kubectl's: each says
        its kind, and nobody wants to know who set which field."""
        found: list[dict[str, Any]] = []
        for kind in kinds.split(","):
            inside = f"/namespaces/{namespace}" if namespace else ""
            query = "?" + urlencode({"labelSelector": selector}) if selector else ""
            listed = json.loads(self.text(f"/{_ROOTS[kind]}{inside}/{kind}{query}"))
            for item in listed["items"]:
                item["kind"], item["apiVersion"] = listed["kind"].removesuffix("List"), listed["apiVersion"]
                item["metadata"].pop("managedFields", None)
                found.append(item)
        return found

    def text(self, path: str) -> str:
        """What is at a path. An AssertionError where it isn't told, as by `Kube.kubectl`."""
        with self._turn:
            try:
                for _ in range(_TRIES):
                    status, wait, body = self._ask(path)
                    if not wait:
                        break
                    time.sleep(wait)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                raise AssertionError(f"Kubernetes doesn't answer: {error!r}") from error
        assert status == 200, body
        return body

    def _ask(self, path: str) -> tuple[int, int, str]:
        """A kept connection may have ended meanwhile: then another one is asked."""
        if self._kept is not None:
            try:
                return self._answer(self._kept, path)
            except (OSError, http.client.HTTPException):
                self.close()
        self._kept = http.client.HTTPSConnection(self._address, timeout=_PATIENCE, context=self._tls)
        return self._answer(self._kept, path)

    def _answer(self, connection: http.client.HTTPSConnection, path: str) -> tuple[int, int, str]:
        """The status, in how many seconds to ask again, and what is said."""
        connection.request("GET", path, headers=self._headers)
        answer = connection.getresponse()
        wait = int(answer.headers.get("Retry-After", "0")) if answer.status in (429, 503) else 0
        return answer.status, wait, answer.read().decode(errors="replace")

    def close(self) -> None:
        """End the connection; another request makes one anew."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
