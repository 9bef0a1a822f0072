"""Who we are to Kubernetes: as the kubeconfig says, or in a pod without one, as its service account."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....core.errors import InvalidSpec, Unavailable
from . import kubeconfig, plugin, rest
from .kubeconfig import KubeLogin
from .proxy import proxy_to

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient, Configuration
    from multidict import CIMultiDict

_EXTRA = "Install it with `pip install 'jupyter-mlops[kubernetes]'`."


class NoKubernetes(Unavailable):
    """There is no way to a Kubernetes from here."""


def no_way() -> NoKubernetes:
    """The error where neither a kubeconfig nor a pod leads to a Kubernetes."""
    return NoKubernetes(
        "There is no way to a Kubernetes cluster",
        f"no current context is in {kubeconfig.paths()}, and this is not a pod",
        "Get a kubeconfig from who runs the cluster, and set KUBECONFIG to its path.",
    )


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
        self._impersonation: list[tuple[str, str]] = []

    async def open(self) -> tuple[ApiClient, str]:
        """Log in: the client, and the namespace that goes with the login.

        Raises
        ------
        NoKubernetes : the package kubernetes is missing, or there is neither a kubeconfig nor a pod around us.
        InvalidSpec : the kubeconfig lacks the context, or what it says leads to no login.
        Unreadable : a file of the kubeconfig can't be read.
        Unavailable : a login plug-in failed.
        """
        try:
            from kubernetes.aio.client import ApiClient, Configuration
        except ImportError as error:
            raise NoKubernetes("Kubernetes clusters need the package 'kubernetes'", str(error), _EXTRA) from None
        self._configuration = Configuration()
        self._configuration.connection_pool_maxsize = 0  # no limit: callers ask for 50 things at a time, beside watches
        #: Neither proxies by Python's rules, nor a ~/.netrc, which kubectl doesn't know.
        self._configuration.client_session_kwargs = {"trust_env": False}
        namespace = await self._load()
        try:
            self._client = ApiClient(self._configuration)
        except (OSError, ValueError) as error:  # certificates that are none
            raise _unusable(error) from None
        return self._client, namespace

    async def headers(self, path: str) -> CIMultiDict[str]:
        """What a request says of us."""
        from multidict import CIMultiDict

        found = CIMultiDict(await rest.login_headers(self._client, path))
        found.extend(self._impersonation)
        return found

    async def renew(self, refused: Mapping[str, str]) -> None:
        """Log in anew, since a request with these headers was refused; once for all that were at the same time."""
        async with self._renewing:
            if (await self.headers("")).get("Authorization") == refused.get("Authorization"):
                await self._load()
                if self._configuration.cert_file:  # some plug-ins give certificates that expire
                    context = rest.ssl_context(self._client)
                    context.load_cert_chain(self._configuration.cert_file, self._configuration.key_file)

    async def _load(self) -> str:
        """Load the login into the configuration; the namespace that goes with it."""
        from kubernetes.aio import config

        found = (await asyncio.to_thread(kubeconfig.read)).login(self._context)
        load: Any = config
        if found is None:
            if not kubeconfig.in_pod():
                raise no_way()
            try:
                load.load_incluster_config(client_configuration=self._configuration)
            except config.ConfigException as error:
                raise Unavailable("This pod's login to Kubernetes can't be used", str(error)) from None
        else:
            self._impersonation = found.user.impersonation
            entries = await _entries(found)
            try:
                await load.load_kube_config_from_dict(entries, client_configuration=self._configuration)
            except (config.ConfigException, OSError, ValueError, KeyError, TypeError) as error:
                raise _unusable(error) from None
        self._configuration.proxy = (found.server.proxy_url if found else "") or proxy_to(self._configuration.host)
        return kubeconfig.namespace_of(found)


async def _entries(found: KubeLogin) -> dict[str, Any]:
    """The login as a kubeconfig of one context, in which nothing is left to rules that differ from kubectl's."""
    server, user = found.server, found.user
    cluster = _given(server, "certificate_authority", "certificate_authority_data", "tls_server_name", "proxy_url")
    cluster |= {"server": server.url, "insecure-skip-tls-verify": server.insecure_skip_tls_verify}
    entry: dict[str, Any] = {}
    if server.url.startswith("https:"):  # kubectl never sends a login to who can't prove that it is the server
        names = ("client_certificate", "client_certificate_data", "client_key", "client_key_data")
        entry = _given(user, *names, "username", "password", "auth_provider")
        if token := await asyncio.to_thread(_token, found):
            entry["token"] = token
        elif user.exec_ is not None:
            entry |= _as_entry(await plugin.ask(found, user.exec_))
    return {
        "current-context": "context",
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "user", "user": entry}],
    }


def _given(part: Any, *names: str) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name in names if (value := getattr(part, name))}


def _token(found: KubeLogin) -> str:
    """The token; what stands in a file is newer than what stands beside it."""
    user = found.user
    if not user.token_file:
        return user.token
    try:
        return Path(user.token_file).read_text(encoding="utf-8").strip() or user.token
    except OSError as error:
        if user.token:
            return user.token
        raise _unusable(error) from None


def _as_entry(given: plugin.PluginToken) -> dict[str, str]:
    found = {"token": given.token} if given.token else {}
    if given.clientKeyData:
        found["client-certificate-data"] = b64encode(given.clientCertificateData.encode()).decode()
        found["client-key-data"] = b64encode(given.clientKeyData.encode()).decode()
    return found


def _unusable(error: Exception) -> InvalidSpec:
    return InvalidSpec(
        "The kubeconfig doesn't lead to a cluster",
        str(error) or type(error).__name__,
        f"Look at {kubeconfig.paths()}.",
    )
