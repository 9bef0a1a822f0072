"""Runs on pods: cells of real kernels, runs that outlive their kernel and server, packages that the image lacks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.clusters.kernel import kernel as this_kernel
from jupyter_mlops.client.clusters.kernel import loop_thread
from jupyter_mlops.core import errors
from jupyter_mlops.core.profile import Profile
from jupyter_mlops.places import profiles
from jupyter_mlops.places.kubernetes import names

from ..notebook.kernels import Kernel
from ..runs.cluster import until
from ..runs.test_functions import workers_of
from .clusters import PATIENCE, Namespace, small
from .fixtures import free_namespace
from .kube import Kube
from .wheels import install, wheel

LONG = PATIENCE
NAME = "pods"


@pytest.fixture(scope="module")
def place(module_kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Namespace]:
    """A namespace that is the current one of this module's kubeconfig, and a profile for it."""
    namespace = Namespace(module_kube, free_namespace(module_kube))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", module_kube.kubeconfig)
        patch.setenv("KUBECONFIG", str(namespace.kubeconfig(tmp_path_factory.mktemp("kube"))))
        groups = [small(2, minimum=0, maximum=4)]
        options = {**namespace.options(), "namespace": ""}
        profile = Profile.model_validate(
            {
                "name": NAME,
                "place": "kubernetes",
                "groups": [each.model_dump() for each in groups],
                "options": options,
            }
        )
        profiles.save(profile)
        yield namespace
        profiles.delete(NAME)


@pytest.fixture(scope="module")
def pods(place: Namespace) -> Iterator[mlops.Cluster]:
    """Two workers."""
    made = mlops.start(NAME, name=NAME, wait=False)
    try:
        made.wait(2, LONG)
        yield made
    finally:
        made.stop()
        loop_thread().call(this_kernel().sessions.close(NAME))
        until(lambda: made.state().phase == "ended", LONG)


def test_cells_run_on_pods(pods: mlops.Cluster, tmp_path: Path) -> None:
    """Prints, values, errors, maps, modules beside the notebook, metrics, scaling, and the stop button."""
    (tmp_path / "beside.py").write_text("def scale(x):\n    return 10 * x\n")
    kernel = Kernel(tmp_path, NAME)
    try:
        shown = kernel.run("import beside\nx = 4")
        shown = kernel.run("%%mlrun\nimport socket\nprint('from', socket.gethostname())\ny = beside.scale(x)\ny + 2")
        assert shown.result == "42" and f"from {NAME}-default-" in shown.text, shown
        assert kernel.run("y").result == "40"
        shown = kernel.run("%%mlrun --workers 3\nmlops.log_metric('loss', 0.5)\n1 / 0")
        assert "ZeroDivisionError" in shown.error
        assert kernel.run("_mlrun.record.metrics").result == "{'loss': 0.5}"
        assert kernel.run("_mlrun.curves['loss'].values").result == "[0.5]", "copied from its cluster"
        shown = kernel.run("%%mlrun --map range(200) --out squares\nprint('item', item)\nitem ** 2")
        assert not shown.error and "item 199" in shown.text
        assert kernel.run("squares == [i ** 2 for i in range(200)]").result == "True"
        shown = kernel.run("%%mlrun --map range(3) --out parts\n6 // (item - 1)")
        assert "1 of 3 items raised" in shown.text and kernel.run("parts[0], parts[2]").result == "(-6, 6)"
        request = kernel.send("%%mlrun\nprint('begun')\nwhile True:\n    pass")
        kernel.follow(request, until_text="begun")
        kernel.manager.interrupt_kernel()
        assert "The kernel was interrupted" in kernel.follow(request).error
        until(lambda: pods.state().counts.busy == 0, LONG)
    finally:
        kernel.close()


def test_a_gang_runs_on_pods(pods: mlops.Cluster, place: Namespace) -> None:
    """Its ranks meet at a port of rank 0's pod, and all begin again when a pod goes."""

    def meet() -> tuple[str, list[bytes]]:
        import socket
        import time

        rank, heard = mlops.rank(), []
        if rank == 0:
            with socket.create_server(("", 29999)) as server:
                heard = [server.accept()[0].recv(1)]
        else:
            while True:
                try:
                    with socket.create_connection((os.environ["MASTER_ADDR"], 29999), 5) as end:
                        end.send(b"1")
                        break
                except OSError:
                    time.sleep(0.1)
        return os.environ["TORCHELASTIC_RESTART_COUNT"], heard

    pods.scale(2)
    run = mlops.train(meet, workers=2, cluster=pods)
    assert run.result(LONG) == ("0", [b"1"]) and list(run.results())[1] == ("0", [])

    def wait() -> str:
        import time

        print("attempt", os.environ["TORCHELASTIC_RESTART_COUNT"], flush=True)
        if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            time.sleep(1000)
        return os.environ["TORCHELASTIC_RESTART_COUNT"]

    run = mlops.train(wait, workers=2, cluster=pods)
    until(lambda: run.prints().count("attempt 0") == 2, LONG)
    until(lambda: _at_work(pods), LONG)
    pod = names.ObjectNames(NAME, place.name).pod(_at_work(pods)[0])
    place.kube.kubectl("delete", "pod", pod, "-n", place.name, "--wait=false", "--grace-period=1")
    assert run.result(LONG) == "1"


def test_a_detached_run_outlives_kernel_server_and_cluster(
    place: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prints and result are fetched by another kernel while the cluster lives; a small result later, by who sent it:
    elsewhere nobody can tell it from what others have put there.

    The cluster was started with the kernel's packages.
    """
    kernel, server = _kernel_with_tinypkg(tmp_path, None), _server(tmp_path)
    cluster = mlops.Cluster("mortal")
    try:
        shown = kernel.run(f"import tinypkg, time\n%mlcluster start {NAME} --name mortal --workers 2 --sync")
        assert not shown.error, (cluster.state(), cluster.logs())
        cell = "%%mlrun --detach --map range(40)\ntime.sleep(0.2)\nprint('item', item)\nitem * tinypkg.answer() // 21"
        shown = kernel.run(cell)
        assert "without this notebook" in shown.text, shown
        run = kernel.run("_mlrun.id").result.strip("'")
        kernel.run("%%mlrun --detach\nbytes(3_000_000)")
        large = kernel.run("_mlrun.id").result.strip("'")
        kernel.kill()
        assert server.poll() is None
        server.send_signal(signal.SIGKILL)
        server.wait()
        other = Kernel(tmp_path, None, JUPYTER_MLOPS_HOME=str(tmp_path / "another-machine"))
        try:
            code = f"run = mlops.get_run('{run}')\n"
            shown = other.run(code + "list(run.results()) == [i * 2 for i in range(40)]")
            assert shown.result == "True", shown
            printed = other.run("print(run.prints())").text.split("\n")
            assert sorted(printed[:40]) == sorted(f"item {i}" for i in range(40))
            until(lambda: mlops.get_run(large).state == "done", LONG)
        finally:
            other.close()
        cluster.stop()
        until(lambda: cluster.state().phase == "ended", LONG)
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "a-third-machine"))
            assert mlops.get_run(run).state == "done"
            with pytest.raises(errors.RunLost, match="the key of its seal isn't in this home"):
                mlops.get_run(run).result(LONG)
            with pytest.raises(
                errors.RunLost, match=r"was in the memory of 'mortal'.*only results up to 200 kB outlive"
            ):
                mlops.get_run(large).result(LONG)
        assert mlops.get_run(run).result(LONG) == [i * 2 for i in range(40)]
    finally:
        kernel.close()
        server.kill()
        server.wait()
        cluster.stop()
        loop_thread().call(this_kernel().sessions.close("mortal"))


def test_packages_that_the_image_lacks(pods: mlops.Cluster, tmp_path: Path) -> None:
    """One sentence; with --sync they are on the workers, with what they need in turn, and on those that join later."""
    kernel = _kernel_with_tinypkg(tmp_path, NAME)
    try:
        kernel.run("def inner(n):\n    import tinypkg\n    return n * tinypkg.answer()")
        shown = kernel.run("%%mlrun --map range(3) --out r\ninner(item)")
        assert "All 3 items" in shown.error and "This kernel has tinypkg: bring it" in shown.error, shown
        kernel.run("import tinypkg")
        shown = kernel.run("%%mlrun\ntinypkg.answer()")
        assert "VersionMismatch: tinypkg is not installed on the workers of 'pods'" in shown.error, shown
        assert "this kernel has tinypkg 1.2.0" in shown.error and "--sync" in shown.error
        shown = kernel.run("%%mlrun --sync\ntinypkg.answer()")
        assert shown.result == "42" and "Brought to the workers: " in shown.text and "tinydep 0.3" in shown.text, shown
        pods.scale(4)
        pods.wait(4, LONG)
        code = "client = mlops.cluster('pods').client()\nasked = client.run(lambda: __import__('tinypkg').answer())\n"
        assert kernel.run(code + "client.close()\nlist(asked.values())").result == "[42, 42, 42, 42]"
        shown = kernel.run("%%mlrun --map range(20) --out r\ninner(item)")
        assert not shown.error and "Brought" not in shown.text
    finally:
        kernel.close()
        pods.scale(2)


def test_packages_of_a_profile_that_can_not_be_installed(place: Namespace) -> None:
    """The image of these tests has no pip: the cluster says so instead of waiting."""
    profile = profiles.get(NAME)
    options = {**profile.options, "packages": ["nowhere==1.0"]}
    profiles.save(profile.model_copy(update={"name": "lacking", "options": options}))
    try:
        cluster = mlops.start("lacking", name="lacking", wait=False)
        try:
            until(lambda: "no pip" in str(cluster.state().problem), LONG)
        finally:
            cluster.stop()
    finally:
        profiles.delete("lacking")


def _at_work(cluster: mlops.Cluster) -> list[str]:
    """Workers that have a rank; one that scaling has let go may have its pod still."""
    return [worker.name for worker in workers_of(cluster) if worker.phase == "busy"]


def _kernel_with_tinypkg(folder: Path, cluster: str | None) -> Kernel:
    """A kernel that has a package which needs another."""
    installed = folder / "site-packages"
    installed.mkdir()
    install(installed, wheel(folder, "tinydep", "0.3", "VALUE = 6\n"))
    text = "import tinydep\ndef answer():\n    return 7 * tinydep.VALUE\n"
    install(installed, wheel(folder, "tinypkg", "1.2.0", text, "tinydep>=0.2"))
    path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
    return Kernel(folder, cluster, PYTHONPATH=path)


def _server(folder: Path) -> subprocess.Popen[Any]:
    """A Jupyter server that watches the cluster."""
    options = ["--no-browser", "--port=0", "--ServerApp.token=t", "--allow-root", "--ServerApp.jpserver_extensions={}"]
    command = [sys.executable, "-m", "jupyter_server", *options[:-1], f"--ServerApp.root_dir={folder}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
