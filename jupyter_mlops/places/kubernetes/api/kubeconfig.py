"""The kubeconfig by kubectl's own rules: which files, which of two entries, whose paths, which context and namespace.

The Python client has rules of its own. Where they differ, a cluster would be started, or stopped, in another Kubernetes
than kubectl shows, or as somebody with other rights. `tests/kubernetes/test_kubeconfigs.py` compares both.
"""

from __future__ import annotations

import base64
import binascii
import functools
import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import AliasGenerator, ConfigDict, Field

from ....core.base import Record, read_record
from ....core.errors import InvalidSpec, NotFound, Unreadable

#: Where Kubernetes puts what a pod needs to speak with it.
IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_REPAIR = "Correct it, or set KUBECONFIG to the path of another one."


class _Entry(Record):
    """A part of a kubeconfig, whose names are written with dashes."""

    model_config = ConfigDict(
        extra="ignore", alias_generator=AliasGenerator(validation_alias=lambda name: name.rstrip("_").replace("_", "-"))
    )


class KubeExtension(_Entry):
    """What other programs keep beside an entry."""

    name: str = ""
    extension: Any = None


class KubeServer(_Entry):
    """Where an API is (an entry of `clusters`)."""

    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    disable_compression: bool = False
    extensions: list[KubeExtension] = []

    @property
    def url(self) -> str:
        """Where the API is."""
        return ("" if "://" in self.server else "http://") + self.server.rstrip("/")


class KubeVariable(Record):
    """A variable for a login plug-in."""

    name: str
    value: str = ""


class KubePlugin(Record):
    """A program that logs in."""

    command: str = ""
    args: list[str] = []
    env: list[KubeVariable] = []
    version: str = Field("", validation_alias="apiVersion")
    hint: str = Field("", validation_alias="installHint")
    wants_cluster: bool = Field(default=False, validation_alias="provideClusterInfo")
    mode: str = Field("", validation_alias="interactiveMode")


class KubeUser(_Entry):
    """Who we are (an entry of `users`)."""

    token: str = ""
    token_file: str = Field("", validation_alias="tokenFile")
    username: str = ""
    password: str = ""
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    as_: str = ""
    as_uid: str = ""
    as_groups: list[str] = []
    as_user_extra: dict[str, list[str]] = {}
    auth_provider: dict[str, Any] | None = None
    exec_: KubePlugin | None = None

    @property
    def impersonation(self) -> list[tuple[str, str]]:
        """The headers by which we act as somebody else."""
        from urllib.parse import quote

        if not self.as_:
            return []
        found = [("Impersonate-User", self.as_)]
        found += [("Impersonate-Uid", self.as_uid)] if self.as_uid else []
        found += [("Impersonate-Group", group) for group in self.as_groups]
        for key, values in self.as_user_extra.items():
            found += [(f"Impersonate-Extra-{quote(key, safe='')}", value) for value in values]
        return found


class _Context(Record):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _NamedServer(Record):
    name: str
    entry: KubeServer = Field(KubeServer(), validation_alias="cluster")


class _NamedUser(Record):
    name: str
    entry: KubeUser = Field(KubeUser(), validation_alias="user")


class _NamedContext(Record):
    name: str
    entry: _Context = Field(_Context(), validation_alias="context")


class _File(_Entry):
    """One kubeconfig."""

    kind: str = "Config"
    clusters: list[_NamedServer] = []
    users: list[_NamedUser] = []
    contexts: list[_NamedContext] = []
    current_context: str = ""


class KubeLogin(Record):
    """What a context leads to: where, as whom, and in which namespace (empty: it names none)."""

    user_name: str
    namespace: str
    server: KubeServer
    user: KubeUser


_EntryT = TypeVar("_EntryT")


class Kubeconfig:
    """All files of the kubeconfig together: of two entries of a name the first one counts, and so does the first
    current context."""

    def __init__(self, files: list[_File]) -> None:
        self.current = next((file.current_context for file in files if file.current_context), "")
        self._servers = _first(entry for file in files for entry in file.clusters)
        self._users = _first(entry for file in files for entry in file.users)
        self._contexts = _first(entry for file in files for entry in file.contexts)

    def login(self, context: str = "") -> KubeLogin | None:
        """What `context` (empty: the current one) leads to; None when none is named, and none is the current one.

        Raises
        ------
        UnknownContext : there is no such context.
        InvalidSpec : it leads nowhere, or says two things that exclude each other.
        """
        name = context or self.current
        if not name:
            return None
        if name not in self._contexts:
            raise UnknownContext.named(name, self._contexts)
        chosen = self._contexts[name]
        server = self._named(self._servers, "cluster", chosen.cluster, name)
        if server is None or not server.server:
            raise _wrong(f"its context {name!r} leads to no server")
        user = self._named(self._users, "user", chosen.user, name) or KubeUser()
        _check(chosen.user, user, server)
        return KubeLogin(user_name=chosen.user, namespace=chosen.namespace, server=server, user=user)

    def _named(self, entries: dict[str, _EntryT], noun: str, name: str, context: str) -> _EntryT | None:
        if name and name not in entries:
            raise _wrong(f"its context {context!r} names the {noun} {name!r}, which isn't there")
        return entries.get(name)


class UnknownContext(NotFound, InvalidSpec):
    """The kubeconfig has no context of that name."""

    noun = "context of the kubeconfig"


def read() -> Kubeconfig:
    """The kubeconfig as it is now. A file that isn't there is left out, as kubectl does.

    Raises
    ------
    Unreadable : a file is there and can't be read; names it.
    """
    return _read(stamp())


def stamp() -> str:
    """Which files the kubeconfig is, and as of when: another file, or a changed one, makes another stamp."""
    return os.pathsep.join(f"{path} {_changed(path)}" for path in _paths())


def paths() -> str:
    """The files of the kubeconfig, for people."""
    return os.pathsep.join(map(str, _paths()))


def in_pod() -> bool:
    """Whether Kubernetes gave this process, in a pod, an API and a login of its own."""
    named = os.environ.get("KUBERNETES_SERVICE_HOST") and os.environ.get("KUBERNETES_SERVICE_PORT")
    return bool(named) and (IN_POD / "token").is_file()


def namespace_of(login: KubeLogin | None) -> str:
    """The namespace that is meant where none is named: the context's, else the pod's that we are in; or another one,
    that who runs the pod has made for this user's clusters."""
    if login is not None and login.namespace:
        return login.namespace
    if not in_pod():
        return "default"
    for variable in ("JUPYTER_MLOPS_NAMESPACE", "POD_NAMESPACE"):
        if named := os.environ.get(variable):
            return named
    try:
        return (IN_POD / "namespace").read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"


def way() -> str | None:
    """Where the current context leads; None where that can't be known."""
    try:
        login = read().login()
    except (Unreadable, InvalidSpec):
        return None
    if login is not None:
        return f"{login.server.url} {namespace_of(login)}"
    return f"pod {os.environ['KUBERNETES_SERVICE_HOST']} {namespace_of(None)}" if in_pod() else None


def _paths() -> list[Path]:
    """As kubectl: no `~` is expanded in the variable, and what is named twice counts once."""
    named = os.environ.get("KUBECONFIG")
    if not named:
        return [Path.home() / ".kube" / "config"]
    return list(dict.fromkeys(Path(path) for path in named.split(os.pathsep) if path))


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@functools.lru_cache(maxsize=4)
def _read(stamp_: str) -> Kubeconfig:
    """The kubeconfig of that stamp."""
    found = [_file(path) for path in _paths()]
    return Kubeconfig([file for file in found if file is not None])


def _file(path: Path) -> _File | None:
    """One file, with paths that don't depend on it any more; None when there is none."""
    import yaml

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, yaml.YAMLError) as error:
        why = (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())
        raise Unreadable(f"The kubeconfig {path} can't be read", why, _REPAIR) from None
    try:
        file = read_record(_File, _without_nothing({} if data is None else data))
        if file.kind != "Config":
            raise Unreadable("", f"it is a {file.kind}")
        for noun, entries in (("cluster", file.clusters), ("user", file.users), ("context", file.contexts)):
            names = [entry.name for entry in entries]
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise Unreadable("", f"it has two entries for the {noun} {twice!r}")
    except Unreadable as error:
        raise Unreadable(f"The kubeconfig {path} can't be read", error.why, _REPAIR) from None
    _resolve(file, path.parent)
    return file


def _without_nothing(data: Any) -> Any:
    """`data` without what is null, which is the same as not there."""
    if isinstance(data, dict):
        return {key: _without_nothing(value) for key, value in data.items() if value is not None}
    return [_without_nothing(value) for value in data] if isinstance(data, list) else data


def _resolve(file: _File, folder: Path) -> None:
    """Paths are meant from the folder of the file that they stand in; a program's only where it has a slash."""
    folder = folder.absolute()
    for server in (named.entry for named in file.clusters):
        server.certificate_authority = _from(folder, server.certificate_authority)
    for user in (named.entry for named in file.users):
        user.client_certificate = _from(folder, user.client_certificate)
        user.client_key = _from(folder, user.client_key)
        user.token_file = _from(folder, user.token_file)
        if user.exec_ is not None and os.sep in user.exec_.command:
            user.exec_.command = _from(folder, user.exec_.command)


def _from(folder: Path, path: str) -> str:
    return str(folder / path) if path else ""


def _first(entries: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for named in entries:
        found.setdefault(named.name, named.entry)
    return found


def _check(name: str, user: KubeUser, server: KubeServer) -> None:
    """Raise `InvalidSpec` for what kubectl refuses, too: nobody should have to guess which of two things holds."""
    whose = f"the user {name!r}"
    ways = [user.token or user.token_file, user.username or user.password]
    if all(ways):
        raise _wrong(f"{whose} has both a token and a password")
    if user.exec_ is not None and user.auth_provider is not None:
        raise _wrong(f"{whose} has both 'exec' and 'auth-provider'")
    if (user.client_certificate or user.client_certificate_data) and not (user.client_key or user.client_key_data):
        raise _wrong(f"{whose} has a client certificate without its key")
    if (user.as_uid or user.as_groups or user.as_user_extra) and not user.as_:
        raise _wrong(f"{whose} names whose groups or id to act with, but not as whom ('as')")
    if server.insecure_skip_tls_verify and (server.certificate_authority or server.certificate_authority_data):
        raise _wrong("'insecure-skip-tls-verify' and a certificate authority exclude each other")
    if server.proxy_url and server.proxy_url.partition("://")[0] not in ("http", "https"):
        raise _wrong(f"its proxy {server.proxy_url!r} is none that speaks HTTP, and no other is supported here")
    for field in ("certificate_authority_data", "client_certificate_data", "client_key_data"):
        try:
            base64.b64decode(getattr(server, field, "") or getattr(user, field, ""), validate=True)
        except binascii.Error as error:
            raise _wrong(f"'{field.replace('_', '-')}' is no base64 ({error})") from None


def _wrong(why: str) -> InvalidSpec:
    return InvalidSpec("The kubeconfig doesn't lead to a cluster", why, f"Look at {paths()}.")
