"""We go to the same Kubernetes as kubectl, by the same way, as the same user: a table of kubeconfigs, each of which is
given to both, as far as there is a kubectl on this machine."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from jupyter_mlops.core.errors import MlopsError

from .https import LOCAL, Asked, Authority, Server, proxying, serving

aio = pytest.importorskip("kubernetes.aio")
KUBECTL = shutil.which("kubectl")
PATIENCE = 150.0
#: What is asked for.
PATH = "/apis"


@dataclass
class Bed:
    """A folder with kubeconfigs, and what they lead to."""

    folder: Path
    #: Its certificate is for 127.0.0.1; that of `named` for api.example only.
    server: Server
    named: Server
    proxy: str
    proxied: list[str] = field(default_factory=list)

    def cluster(self, **more: Any) -> dict[str, Any]:
        return {"server": self.server.url, "certificate-authority": str(self.folder / "tls" / "ca.crt"), **more}

    def data(self, name: str) -> str:
        return base64.b64encode((self.folder / "tls" / name).read_bytes()).decode()

    def plugin(self, body: str, **more: Any) -> dict[str, Any]:
        """A login plug-in that runs `body`, in which `status` is what it gives."""
        version = more.pop("apiVersion", "client.authentication.k8s.io/v1")
        program = (
            "import json, os, sys\n"
            f"{body}\n"
            f"print(json.dumps({{'kind': 'ExecCredential', 'apiVersion': '{version}', 'status': status}}))\n"
        )
        arguments = ["-c", program]
        return {"command": sys.executable, "args": arguments, "apiVersion": version, "interactiveMode": "Never", **more}

    @property
    def asked(self) -> list[Asked]:
        return [*self.server.asked, *self.named.asked]

    def forget(self) -> None:
        for noted in (self.server.asked, self.named.asked, self.proxied):
            noted.clear()


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """The servers of all tests here."""
    folder = tmp_path_factory.mktemp("kubeconfigs")
    authority = Authority(folder / "tls")
    authority.pair("ann")
    Authority(folder / "others")
    with (
        serving(authority, authority.pair("server", LOCAL)) as server,
        serving(authority, authority.pair("named", x509.DNSName("api.example"))) as named,
        proxying() as (proxy, proxied),
    ):
        yield Bed(folder, server, named, proxy, proxied)


def config(
    cluster: dict[str, Any] | None = None,
    user: dict[str, Any] | None = None,
    context: dict[str, Any] | None = None,
    name: str = "one",
    current: str | None = None,
) -> dict[str, Any]:
    """A kubeconfig with one of each, all of that name."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [] if cluster is None else [{"name": name, "cluster": cluster}],
        "users": [] if user is None else [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, **(context or {})}}],
        "current-context": name if current is None else current,
    }


@dataclass
class Outcome:
    """What came of a request: what the server saw of it, and whether it went by the proxy; or why there was none."""

    asked: list[Asked]
    proxied: bool
    namespace: str
    error: str = ""


async def ours(bed: Bed) -> Outcome:
    from jupyter_mlops.places.kubernetes.api.client import Api

    bed.forget()
    try:
        api = await Api.connect()
    except MlopsError as error:
        return Outcome([], bool(bed.proxied), "", str(error))
    try:
        await api.request("GET", PATH)
    except MlopsError as error:
        return Outcome(list(bed.asked), bool(bed.proxied), api.namespace, str(error))
    finally:
        await api.close()
    return Outcome(list(bed.asked), bool(bed.proxied), api.namespace)


def kubectls(bed: Bed) -> Outcome:
    bed.forget()
    done = _kubectl("get", "--raw", PATH)
    asked = [each for each in bed.asked if each.path == PATH]  # some distributions ask for the version first
    return Outcome(asked, bool(bed.proxied), "", done.stderr.strip())


def kubectls_namespace() -> str:
    return _kubectl("config", "view", "--minify", "-o", "jsonpath={.contexts[0].context.namespace}").stdout.strip()


def _kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert KUBECTL is not None
    return subprocess.run([KUBECTL, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)


def bearer(token: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return sorted([("authorization", f"Bearer {token}"), *more])


#: What is in the files of KUBECONFIG (in `a`, `b` and `deep/c`), and what the server sees of the request: the name it
#: is called by, whose certificate, which headers; or words of the error.
_ROWS: dict[str, Any] = {
    "a token": (lambda bed: [config(bed.cluster(), {"token": "t"})], (None, None, bearer("t"))),
    "the first current context counts": (
        lambda bed: [
            config(bed.cluster(), {"token": "first"}, name="one"),
            config(bed.cluster(), {"token": "second"}, name="two"),
        ],
        (None, None, bearer("first")),
    ),
    "an empty current context doesn't": (
        lambda bed: [
            config(bed.cluster(), {"token": "first"}, name="one", current=""),
            config(bed.cluster(), {"token": "second"}, name="two"),
        ],
        (None, None, bearer("second")),
    ),
    "the first entry of a name counts whole": (
        lambda bed: [
            {**config(None, {"token": "first"}), "contexts": [], "current-context": ""},
            config(bed.cluster(), {"token": "second", "as": "root"}, {"namespace": "second"}),
        ],
        (None, None, bearer("first"), "second"),
    ),
    "files that are missing or empty are left out": (
        lambda bed: [None, "", config(bed.cluster(), {"token": "t"})],
        (None, None, bearer("t")),
    ),
    "paths are meant from the file that they stand in": (
        lambda bed: [
            {**config(None, {"token": "t"}), "contexts": []},
            None,
            config({"server": bed.server.url, "certificate-authority": "../tls/ca.crt"}),
        ],
        (None, None, bearer("t")),
    ),
    "a certificate": (
        lambda bed: [config(bed.cluster(), {"client-certificate": "tls/ann.crt", "client-key": "tls/ann.key"})],
        (None, "ann", []),
    ),
    "certificates as data": (
        lambda bed: [
            config(
                {"server": bed.server.url, "certificate-authority-data": bed.data("ca.crt")},
                {"client-certificate-data": bed.data("ann.crt"), "client-key-data": bed.data("ann.key")},
            )
        ],
        (None, "ann", []),
    ),
    "a password": (
        lambda bed: [config(bed.cluster(), {"username": "ann", "password": "x"})],
        (None, None, [("authorization", "Basic YW5uOng=")]),
    ),
    "a token's file is newer than the token": (
        lambda bed: [config(bed.cluster(), {"token": "old", "tokenFile": "token"})],
        (None, None, bearer("from-file")),
    ),
    "acting as somebody else": (
        lambda bed: [config(bed.cluster(), {"token": "t", "as": "bob"})],
        (None, None, bearer("t", ("impersonate-user", "bob"))),
    ),
    "with groups, an id and more": (
        lambda bed: [
            config(
                bed.cluster(),
                {
                    "token": "t",
                    "as": "bob",
                    "as-uid": "7",
                    "as-groups": ["a", "b"],
                    "as-user-extra": {"acme.com/team": ["x", "y"]},
                },
            )
        ],
        (
            None,
            None,
            bearer(
                "t",
                ("impersonate-user", "bob"),
                ("impersonate-uid", "7"),
                ("impersonate-group", "a"),
                ("impersonate-group", "b"),
                ("impersonate-extra-acme.com%2fteam", "x"),
                ("impersonate-extra-acme.com%2fteam", "y"),
            ),
        ),
    ),
    "groups without a user": (lambda bed: [config(bed.cluster(), {"as-groups": ["a"]})], "not as whom"),
    "the server's name in its certificate": (
        lambda bed: [config(bed.cluster(server=bed.named.url, **{"tls-server-name": "api.example"}), {"token": "t"})],
        ("api.example", None, bearer("t")),
    ),
    "a certificate for another name": (
        lambda bed: [config(bed.cluster(server=bed.named.url), {"token": "t"})],
        "There is no safe connection to Kubernetes",
    ),
    "a certificate of nobody that we trust": (
        lambda bed: [config(bed.cluster(**{"certificate-authority": "others/ca.crt"}), {"token": "t"})],
        "There is no safe connection to Kubernetes",
    ),
    "any certificate": (
        lambda bed: [config({"server": bed.named.url, "insecure-skip-tls-verify": True}, {"token": "t"})],
        (None, None, bearer("t")),
    ),
    "any certificate, of that authority": (
        lambda bed: [config(bed.cluster(**{"insecure-skip-tls-verify": True}), {"token": "t"})],
        "exclude each other",
    ),
    "a proxy": (
        lambda bed: [config(bed.cluster(**{"proxy-url": bed.proxy}), {"token": "t"})],
        (None, None, bearer("t"), "default", True),
    ),
    "an address without a scheme is no safe one": (
        lambda bed: [config(bed.cluster(server=bed.server.url.removeprefix("https://")), {"token": "t"})],
        "Kubernetes doesn't answer",
    ),
    "a namespace": (
        lambda bed: [config(bed.cluster(), {"token": "t"}, {"namespace": "ml"})],
        (None, None, bearer("t"), "ml"),
    ),
    "a plug-in's token": (
        lambda bed: [config(bed.cluster(), {"exec": bed.plugin("status = {'token': 'from-plugin'}")})],
        (None, None, bearer("from-plugin")),
    ),
    "a plug-in's certificate": (
        lambda bed: [
            config(
                bed.cluster(),
                {
                    "exec": bed.plugin(
                        f"folder = {str(bed.folder / 'tls')!r}\n"
                        "status = {'clientCertificateData': open(folder + '/ann.crt').read(),"
                        " 'clientKeyData': open(folder + '/ann.key').read()}"
                    )
                },
            )
        ],
        (None, "ann", []),
    ),
    "a plug-in has its own variables, ours, and the cluster's": (
        lambda bed: [
            config(
                bed.cluster(),
                {
                    "exec": bed.plugin(
                        "told = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
                        "cluster = told['spec']['cluster']\n"
                        "assert not told['spec']['interactive'] and cluster['certificate-authority-data']\n"
                        "status = {'token': '-'.join([os.environ['OWN'], os.environ['INHERITED'], told['kind'],"
                        " cluster['server'].rpartition(':')[2]])}",
                        env=[{"name": "OWN", "value": "own"}],
                        provideClusterInfo=True,
                    )
                },
            )
        ],
        lambda bed: (None, None, bearer(f"own-inherited-ExecCredential-{bed.server.url.rpartition(':')[2]}")),
    ),
    "a plug-in beside the kubeconfig": (
        lambda bed: [
            None,
            None,
            config(
                bed.cluster(),
                {"exec": {**bed.plugin(""), "command": "../bin/login", "args": None}},
            ),
        ],
        (None, None, bearer("from-beside")),
    ),
    "a token goes before a plug-in": (
        lambda bed: [config(bed.cluster(), {"token": "t", "exec": bed.plugin("sys.exit(1)")})],
        (None, None, bearer("t")),
    ),
    "a plug-in that fails": (
        lambda bed: [config(bed.cluster(), {"exec": bed.plugin("sys.exit('Your session has expired')")})],
        "of the kubeconfig's user 'one' failed: exit code 1: Your session has expired. Log in again",
    ),
    "a plug-in that isn't there": (
        lambda bed: [
            config(
                bed.cluster(), {"exec": {**bed.plugin(""), "command": "kubelogin-x", "installHint": "Get it at acme."}}
            )
        ],
        "The login plug-in 'kubelogin-x' of the kubeconfig's user 'one' failed: No such file or directory. Get it at",
    ),
    "a plug-in that gives nothing": (
        lambda bed: [config(bed.cluster(), {"exec": bed.plugin("status = {}")})],
        "it gave neither a token nor a certificate with its key",
    ),
    "a plug-in that speaks otherwise": (
        lambda bed: [config(bed.cluster(), {"exec": bed.plugin("print('hello'); sys.exit()")})],
        "it wrote no credential",
    ),
    "a plug-in of another version": (
        lambda bed: [
            config(bed.cluster(), {"exec": bed.plugin("", apiVersion="client.authentication.k8s.io/v1alpha1")})
        ],
        "its apiVersion is 'client.authentication.k8s.io/v1alpha1'",
    ),
    "a plug-in that wants a terminal": (
        lambda bed: [config(bed.cluster(), {"exec": bed.plugin("", interactiveMode="Always")})],
        "it wants a terminal",
    ),
    "a token and a password": (
        lambda bed: [config(bed.cluster(), {"token": "t", "username": "ann", "password": "x"})],
        "both a token and a password",
    ),
    "a current context that isn't there": (
        lambda bed: [config(bed.cluster(), {"token": "t"}, current="two")],
        "There is no context of the kubeconfig named 'two'",
    ),
    "a user that isn't there": (lambda bed: [config(bed.cluster())], "names the user 'one', which isn't there"),
    "a cluster that isn't there": (lambda bed: [config(None, {})], "names the cluster 'one', which isn't there"),
    "a certificate that isn't there": (
        lambda bed: [config(bed.cluster(**{"certificate-authority": "tls/gone.crt"}), {"token": "t"})],
        "tls/gone.crt",
    ),
    "a certificate that is none": (
        lambda bed: [config({"server": bed.server.url, "certificate-authority-data": "%%"}, {"token": "t"})],
        "'certificate-authority-data' is no base64",
    ),
    "a name twice": (
        lambda bed: [{**config(bed.cluster(), {}), "users": [{"name": "one", "user": {}}] * 2}],
        "it has two entries for the user 'one'",
    ),
    "no YAML": (lambda bed: [config(bed.cluster(), {}), "a: ["], "/b can't be read: while parsing"),
    "no mapping": (lambda bed: ["hello"], "/a can't be read"),
    "another form": (lambda bed: ["clusters: {a: b}"], "/a can't be read: clusters should be a valid list"),
    "a number for a name": (lambda bed: [config(bed.cluster(), {"token": 7})], "/a can't be read"),
    "another kind": (lambda bed: ["kind: Pod\napiVersion: v1"], "/a can't be read: it is a Pod"),
    "a folder": (lambda bed: [bed.folder / "tls"], "/tls can't be read: Is a directory"),
    "nothing at all": (lambda bed: [""], "There is no way to a Kubernetes cluster"),
}


#: HTTPS_PROXY, NO_PROXY, an address, and whether it is asked by the proxy: as in Go's golang.org/x/net/http/httpproxy.
_PROXIES = [
    ("http://proxy:3128", "", "https://k8s.example:6443", True),
    ("proxy:3128", "", "https://k8s.example:6443", True),
    ("", "", "https://k8s.example:6443", False),
    ("http://proxy:3128", "", "http://k8s.example", False),
    ("http://proxy:3128", "", "https://localhost:6443", False),
    ("http://proxy:3128", "", "https://127.0.0.1:6443", False),
    ("http://proxy:3128", "", "https://[::1]:6443", False),
    ("http://proxy:3128", "10.0.0.0/8, 192.168.1.5", "https://10.1.2.3:6443", False),
    ("http://proxy:3128", "10.0.0.0/8, 192.168.1.5", "https://192.168.1.5:6443", False),
    ("http://proxy:3128", "10.0.0.0/8, 192.168.1.5", "https://192.168.1.6:6443", True),
    ("http://proxy:3128", "example", "https://k8s.example:6443", False),
    ("http://proxy:3128", "ample", "https://k8s.example:6443", True),
    ("http://proxy:3128", ".k8s.example", "https://k8s.example:6443", True),
    ("http://proxy:3128", "*.example", "https://k8s.example:6443", False),
    ("http://proxy:3128", "k8s.example:443", "https://k8s.example:6443", True),
    ("http://proxy:3128", "K8s.Example:6443", "https://k8s.example:6443", False),
    ("http://proxy:3128", "*", "https://k8s.example:6443", False),
    ("http://proxy:3128", "10.0.0.0/99", "https://10.1.2.3:6443", True),
]


@pytest.mark.parametrize(("proxy", "excepted", "url", "asked"), _PROXIES)
def test_a_proxy_of_the_environment(
    proxy: str, excepted: str, url: str, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_mlops.places.kubernetes.api.proxy import proxy_to

    for name, value in (("HTTPS_PROXY", proxy), ("NO_PROXY", excepted)):
        monkeypatch.delenv(name.lower(), raising=False)
        monkeypatch.setenv(name, value)
    assert proxy_to(url) == ("http://proxy:3128" if asked else None)


@pytest.fixture
def surroundings(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """What both find around them."""
    monkeypatch.setenv("HOME", str(bed.folder / "home"))
    monkeypatch.setenv("INHERITED", "inherited")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # not for this machine
    (bed.folder / "home").mkdir(exist_ok=True)
    (bed.folder / "home" / ".netrc").write_text("default login somebody password else\n")
    monkeypatch.chdir(bed.folder)
    (bed.folder / "token").write_text("from-file\n")
    login = bed.folder / "bin" / "login"
    login.parent.mkdir(exist_ok=True)
    credential = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1"}
    login.write_text(f"#!/bin/sh\necho '{json.dumps({**credential, 'status': {'token': 'from-beside'}})}'\n")
    login.chmod(0o700)


@pytest.mark.parametrize("row", _ROWS)
async def test_a_kubeconfig(row: str, bed: Bed, surroundings: None, monkeypatch: pytest.MonkeyPatch) -> None:
    files, expected = _ROWS[row]
    paths = []
    (bed.folder / "deep").mkdir(exist_ok=True)
    for name, content in zip(("a", "b", "deep/c"), files(bed), strict=False):
        path = content if isinstance(content, Path) else bed.folder / name
        path.is_file() and path.unlink()
        if isinstance(content, dict | str):
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        paths.append(path)
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, paths)))

    outcomes = {"ours": await ours(bed)} | ({"kubectl's": kubectls(bed)} if KUBECTL else {})

    if callable(expected):
        expected = expected(bed)
    for whose, outcome in outcomes.items():
        if isinstance(expected, str):
            assert not outcome.asked and outcome.error, whose
            assert whose != "ours" or expected in outcome.error, outcome.error
            continue
        name, client, headers, namespace, proxied = [*expected, *["default", False][len(expected) - 3 :]]
        assert not outcome.error, (whose, outcome.error)
        assert outcome.asked == [Asked(PATH, name, client, headers)], whose
        assert outcome.proxied == proxied, whose
        if whose == "ours":
            assert outcome.namespace == namespace
        elif namespace != "default":
            assert kubectls_namespace() == namespace
