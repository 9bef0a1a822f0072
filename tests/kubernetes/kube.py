"""A real Kubernetes for the tests, and the image that its pods run."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest

from .machine import loud_network, quiet_network
from .reading import Reader

REPOSITORY = Path(__file__).resolve().parents[2]
#: A program that starts a Kubernetes of one node on this machine, where there is one beside the repository.
PROGRAM = REPOSITORY.parent / "shared" / "kube" / "kube"
#: Asks for that Kubernetes.
OWN = "JUPYTER_MLOPS_TEST_KUBE"
#: The developer's kubeconfig, if any. Read at once: no test but those of Kubernetes sees it.
GIVEN = os.environ.get("KUBECONFIG", "")
#: What the pods' image needs: what runs there, and what tests' tasks import.
PACKAGES = (
    "dask",
    "distributed",
    "pydantic",
    "kubernetes",
    "cryptography",
    "psutil",
    "numpy",
    "pandas",
    "pyarrow",  # pandas keeps text in it
    "bokeh",
    "threadpoolctl",
    "ipython",  # a notebook that is run by itself has no other kernel
    "jupyter_core",
)
#: Where the image's environment is made: not below /tmp, wherever the repository is, since pods bring their own /tmp.
WORKERS = Path("/var/tmp/jupyter-mlops-test")
#: Who uses a Kubernetes of our own, who starts or stops it, how it is reached, and whose turn it is.
USERS, CHANGING, READY = (WORKERS / name for name in ("users.lock", "changing.lock", "ready.json"))
TURNS, QUEUE, NODES = WORKERS / "turns.lock", WORKERS / "queue.lock", WORKERS / "nodes.lock"
#: Seconds that a busy machine may take.
PATIENCE = 150.0
#: Parts of Python's own library that no pod needs.
UNUSED = ("site-packages", "test", "idlelib", "ensurepip", "lib2to3", "tkinter", "turtledemo")


class Kube:
    """A Kubernetes. `own` is whether it is ours to break: its components can be killed and started."""

    def __init__(self, kubeconfig: str, image: str, own: bool) -> None:
        self.kubeconfig, self.image, self.own = kubeconfig, image, own

    @functools.cached_property
    def node(self) -> str:
        """The name of a real node."""
        return str(self.get("nodes", "", "fake!=true")[0]["metadata"]["labels"]["kubernetes.io/hostname"])

    @functools.cached_property
    def config(self) -> str:
        """The current context alone, with its certificates, as JSON."""
        return self.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json")

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True, kubeconfig: str = "") -> str:
        """What kubectl answers."""
        command = [str(PROGRAM), "kubectl"] if self.own else ["kubectl"]
        done = subprocess.run(
            [*command, "--kubeconfig", kubeconfig or self.kubeconfig, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout if done.returncode == 0 else done.stdout + done.stderr

    def get(self, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """Objects of a kind, or of several, separated by commas; of all namespaces where none is named."""
        if self._reader is not None:
            return self._reader.objects(kind, namespace, selector)
        where, which = ["-n", namespace] if namespace else ["-A"], ["-l", selector] if selector else []
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, *where, "-o", "json", *which))["items"]
        return found

    def log(self, pod: str, namespace: str) -> str:
        """What a pod has printed; empty before it runs."""
        if self._reader is None:
            return self.kubectl("logs", pod, "-n", namespace, check=False)
        with suppress(AssertionError):
            return self._reader.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log")
        return ""

    def close(self) -> None:
        """End what it keeps open."""
        if self._reader is not None:
            self._reader.close()

    @functools.cached_property
    def _reader(self) -> Reader | None:
        config = json.loads(self.config)
        return Reader(config) if Reader.takes(config) else None

    def apply(self, *objects: dict[str, Any]) -> None:
        """Make or change objects."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def login(self, user: str, namespace: str, folder: Path) -> Path:
        """A kubeconfig, in `folder`, of a service account of that name, which has no rights so far."""
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": user, "namespace": namespace}})
        token = self.kubectl("create", "token", user, "-n", namespace).strip()
        config = json.loads(self.config)
        config["users"] = [{"name": user, "user": {"token": token}}]
        config["contexts"][0]["context"] |= {"user": user, "namespace": namespace}
        path = folder / f"{user}.kubeconfig"
        path.write_text(json.dumps(config))
        return path

    def run(self, *arguments: str) -> None:
        """`kube kill apiserver` and such."""
        outliving = {name: value for name, value in os.environ.items() if name != "JUPYTER_MLOPS_TESTS"}
        subprocess.run([str(PROGRAM), *arguments], check=True, stdout=subprocess.DEVNULL, env=outliving)

    def repair(self, component: str) -> None:
        """Start a component that was killed. Where that kept others from the API, they look for it ever more rarely, up
        to minutes, long after it is back: they begin anew, so that this fault ends with its test."""
        self.run("start", component)
        if component in ("apiserver", "etcd"):
            self._until_ready()  # a controller manager that gets no answer for ten seconds ends, and nobody starts it
            self.restart("controller-manager", "scheduler", "kubelet", "proxy", "coredns")

    def _until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while (said := self.kubectl("get", "--raw", "/readyz", "--request-timeout=10s", check=False)) != "ok":
            assert time.monotonic() < deadline, f"the API isn't ready within {PATIENCE} s: {said}"
            time.sleep(0.3)

    def restart(self, *components: str) -> None:
        """Kill them, and start them again."""
        for verb in ("kill", "start"):
            for component in components:
                self.run(verb, component)

    @contextmanager
    def fake_nodes(self, count: int, *options: str) -> Iterator[None]:
        """Nodes that exist only in the API, and live for as long as they are wanted; pods placed on them run at once,
        without a container.

        Only one test has them at a time: they are found by what they are, and have the same names for all."""
        script = PROGRAM.with_name("fakenodes")
        if not script.exists():
            pytest.skip("nodes that exist only in the API come from a program beside the one that starts a Kubernetes")
        from .leases import beating

        environment = {**os.environ, "KUBECONFIG": self.kubeconfig}
        command = [sys.executable, str(script), "--nodes", str(count), *options]
        with _locked(NODES):
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
            try:
                assert process.stdout is not None and process.stdout.readline() == "ready\n"
                with beating(count):
                    yield
            finally:
                process.terminate()
                process.communicate(timeout=PATIENCE)


def reason_to_skip() -> str:
    """Why there is no Kubernetes here; empty when there is."""
    try:
        import kubernetes.aio  # noqa: F401 - only whether it is there
    except ImportError:
        return "the package kubernetes is not installed (pip install 'jupyter-mlops[kubernetes]')"
    if GIVEN and not os.environ.get("JUPYTER_MLOPS_TEST_IMAGE"):
        return "KUBECONFIG is set, but JUPYTER_MLOPS_TEST_IMAGE doesn't name an image with Dask for its pods"
    if GIVEN:
        return ""
    if not PROGRAM.exists():
        return "there is no Kubernetes: set KUBECONFIG (of a kind cluster, for one) and JUPYTER_MLOPS_TEST_IMAGE"
    if not os.environ.get(OWN):
        return f"starting a Kubernetes of our own takes minutes: set {OWN}=1 for it"
    if os.geteuid() != 0:
        return "starting a Kubernetes of our own needs root"
    return ""


@contextmanager
def opened() -> Iterator[Kube]:
    """The developer's Kubernetes, or one of our own. All test processes of this machine share the latter: the first one
    gets it ready, and the last one stops it, unless somebody had started it before and keeps it for many runs."""
    if GIVEN:
        with closing(Kube(GIVEN, os.environ["JUPYTER_MLOPS_TEST_IMAGE"], own=False)) as kube:
            yield kube
        return
    WORKERS.mkdir(exist_ok=True)
    with USERS.open("w") as users:
        with _locked(CHANGING):
            if _alone(users):
                _get_ready()
            fcntl.flock(users, fcntl.LOCK_SH)
            ready = json.loads(READY.read_text())
            image = ready.pop("image")
        try:
            with closing(Kube(ready["kubeconfig"], image, own=True)) as kube:
                yield kube
        finally:
            with _locked(CHANGING):
                if _alone(users):
                    _put_back(**ready)


@contextmanager
def turn(alone: bool) -> Iterator[None]:
    """Tests of one process that must have a Kubernetes of our own to themselves, because they break it or change what
    all of it can do, wait for those of the others, and the others for them: each in its turn, since the others' alone
    could follow each other without an end."""
    WORKERS.mkdir(exist_ok=True)
    with TURNS.open("w") as turns:
        with _locked(QUEUE):
            fcntl.flock(turns, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


@contextmanager
def _locked(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, how)
        yield


def _alone(users: IO[str]) -> bool:
    """Whether no other process uses it."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _get_ready() -> None:
    found = _is_up()
    # One that was there is no process of this run's, to be ended with it; `up` starts what has died of it, too.
    unmarked = {name: value for name, value in os.environ.items() if name != "JUPYTER_MLOPS_TESTS"}
    up = subprocess.run(
        [str(PROGRAM), "up"], check=True, stdout=subprocess.PIPE, text=True, env=unmarked if found else None
    )
    kube = Kube(up.stdout.strip(), "", own=True)
    if found:
        kube.restart("proxy")  # its settings were written anew, upon which it ends
    ready = {"kubeconfig": kube.kubeconfig, "found": found, "ipv6": quiet_network()}
    image = os.environ.get("JUPYTER_MLOPS_TEST_IMAGE") if found else None
    READY.write_text(json.dumps(ready | {"image": image or _image()}))


def _put_back(kubeconfig: str, found: bool, ipv6: str) -> None:
    loud_network(ipv6)
    if not found:
        kube = Kube(kubeconfig, "", own=True)
        kube.kubectl("delete", "pods", "--all", "--all-namespaces", "--grace-period=0", "--timeout=30s", check=False)
        subprocess.run([str(PROGRAM), "down"], check=True)


def _is_up() -> bool:
    status = subprocess.run([str(PROGRAM), "status"], check=False, capture_output=True, text=True).stdout
    return any(line.split() != ["apiserver", "down"] for line in status.splitlines() if line.startswith("apiserver"))


def _image(name: str = "mlops-worker:test") -> str:
    """An image with this Python and what pods need, without this package: its code is brought along."""
    environment = _environment()
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    parts = [part for part in library.iterdir() if part.name not in UNUSED and not part.name.startswith("config-")]
    shared = sorted((Path(sys.base_prefix) / "lib").glob("libpython3.*.so.1.0"))
    programs = {Path(sys.base_prefix) / "bin" / name for name in ("python3", f"python3.{sys.version_info[1]}")}
    compiled = _compiled([*parts, environment], environment.with_name(f"{environment.name}-pyc"))
    paths = [*sorted(programs), *shared, *sorted(parts), environment, compiled]
    options = [word for part in ("test", "tests", "pip") for word in ("--exclude", part)]
    options += ["--env", f"PYTHONPYCACHEPREFIX={compiled}"]
    subprocess.run([str(PROGRAM), "image", *options, name, *map(str, paths)], check=True, stdout=subprocess.DEVNULL)
    return f"docker.io/library/{name}"


def _compiled(sources: list[Path], folder: Path) -> Path:
    """What pip and Python's installer compiled, in a tree of its own: the image leaves out `__pycache__`, and pods that
    compile everything anew start seconds later than real ones do."""
    if not folder.exists():
        for source in sources:
            for cache in [source] if source.name == "__pycache__" else source.rglob("__pycache__"):
                if not set(UNUSED[1:]) & set(cache.parts):
                    target = folder / cache.parent.relative_to("/")
                    target.mkdir(parents=True, exist_ok=True)
                    for file in cache.glob(f"*.{sys.implementation.cache_tag}.pyc"):
                        shutil.copyfile(file, target / file.name)
    return folder


def _environment() -> Path:
    """A virtual environment of its own, made once for each list of versions, out of what this one has."""
    from importlib.metadata import version

    wanted = [f"{package}=={version(package)}" for package in PACKAGES]
    constraints = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--exclude-editable"], check=True, capture_output=True, text=True
    ).stdout
    digest = hashlib.sha256("\n".join([sys.version, constraints, *wanted]).encode()).hexdigest()[:12]
    root = WORKERS
    folder = root / f"kube-worker-{digest}"
    if (folder / "done").exists():
        return folder
    root.mkdir(exist_ok=True)
    (root / "constraints.txt").write_text(constraints)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", str(root / "constraints.txt"), *wanted], check=True, stderr=subprocess.DEVNULL)
    (folder / "done").write_text(str(time.time()))
    return folder
