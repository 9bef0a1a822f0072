"""Who we are to Kubernetes: as the kubeconfig says, or in a pod without one, as its service account."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....core.errors import InvalidSpec, Unavailable
from . import rest

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient, Configuration

#: Where Kubernetes tells a pod of its namespace.
_IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Login:
    """A login that is renewed when it is refused: tokens expire, kubelets rotate them, people log in again.

    Parameters
    ----------
    context : of the kubeconfig; empty for the current one.
    """

    def __init__(self, context: str) -> None:
        self._context = context
        self._renewing = asyncio.Lock()
        self._configuration: Configuration
        self._client: ApiClient

    async def open(self) -> tuple[ApiClient, str]:
        """Log in: the client, and the namespace that goes with the login.

        Raises
        ------
        Unavailable : there is neither a kubeconfig nor a pod around us.
        InvalidSpec : the kubeconfig can't be used, or lacks the context.
        """
        from kubernetes.aio.client import ApiClient, Configuration

        self._configuration = Configuration()
        self._configuration.connection_pool_maxsize = 0  # no limit: callers ask for 50 things at a time, beside watches
        namespace = await _load(self._configuration, self._context)
        self._client = ApiClient(self._configuration)
        return self._client, namespace

    async def headers(self, path: str) -> dict[str, str]:
        """What a request says of us."""
        return await rest.login_headers(self._client, path)

    async def renew(self, refused: dict[str, str]) -> None:
        """Log in anew, since a request with these headers was refused; once for all that were at the same time."""
        async with self._renewing:
            if (await self.headers("")).items() <= refused.items():
                await _load(self._configuration, self._context)
                if self._configuration.cert_file:  # some plug-ins give certificates that expire
                    context = rest.ssl_context(self._client)
                    context.load_cert_chain(self._configuration.cert_file, self._configuration.key_file)


async def _load(configuration: Any, context: str) -> str:
    """Load the login into `configuration`; the namespace that goes with it."""
    from kubernetes.aio import config

    file = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    there = _any_exists(file.split(os.pathsep))
    load: Any = config
    try:
        if there:
            loader = await load.load_kube_config(file, context or None, configuration, persist_config=False)
            return str(loader.current_context["context"].get("namespace") or "default")
        load.load_incluster_config(client_configuration=configuration)
        return _pods_namespace()
    except config.ConfigException as error:
        if there:
            raise InvalidSpec("The kubeconfig doesn't lead to a cluster", str(error), f"Look at {file}.") from None
        raise Unavailable(
            "There is no way to a Kubernetes cluster",
            f"there is no kubeconfig at {file}, and this is not a pod",
            "Get a kubeconfig from who runs the cluster, and set KUBECONFIG to its path.",
        ) from None


def _any_exists(paths: list[str]) -> bool:
    return any(Path(path).expanduser().exists() for path in paths if path)


def _pods_namespace() -> str:
    """The pod's own; or another, that who runs the pod has made for this user's clusters."""
    return os.environ.get("JUPYTER_MLOPS_NAMESPACE") or _IN_POD.read_text(encoding="utf-8").strip()
