"""The command line says at once what keeps a cluster on Kubernetes from coming, whatever was asked of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.cli.main import main
from jupyter_mlops.core.profile import Profile
from jupyter_mlops.places import profiles

from ..runs.cluster import until
from .clusters import PATIENCE, Namespace, small

NO_IMAGE = "docker.io/library/no-such-image:1"


@pytest.fixture
def home(namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with two profiles: one whose image can't be pulled, and a good one, in a namespace with limits."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(namespace.kubeconfig(tmp_path)))
    options = namespace.options()
    groups = [small(1), small(0, "many", cpus=3), small(0, "big", memory="3 GiB")]
    profiles.save(Profile(name="good", place="kubernetes", groups=groups, options=options))
    profiles.save(Profile(name="bad", place="kubernetes", groups=groups, options={**options, "image": NO_IMAGE}))
    limits = {"limits": [{"type": "Container", "max": {"cpu": "2", "memory": "2Gi"}}]}
    for kind, name, spec in (("LimitRange", "small", limits), ("ResourceQuota", "few", {"hard": {"pods": "4"}})):
        metadata = {"name": name, "namespace": namespace.name}
        namespace.kube.apply({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec})
    return tmp_path


def test_what_is_in_the_way_is_said(home: Path, namespace: Namespace, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str) -> str:
        capsys.readouterr()
        main(arguments)
        written = capsys.readouterr()
        return written.out + written.err

    pulled = rf"The image '{NO_IMAGE}' can't be pulled"
    with _start("bad", "-n", "never") as lines:
        until(lambda: re.search(f"^! {pulled}", "".join(lines), re.M), PATIENCE)
    until(lambda: re.search(rf"^never +starting !.*\n\n! never: {pulled}", said("list"), re.M), PATIENCE)
    assert re.search(f"^! {pulled}", said("logs", "never"), re.M)
    assert "never has ended" in said("stop", "never")

    try:
        assert "good-1 is running with 1 worker" in said("start", "good", "-n", "good-1")
        # each command waits for some seconds for what is in the way; one that is slower is said by the next
        many, big = "The pod asks for more CPU than its limit", "The namespace's limit range refuses the pod's size"
        until(lambda: f"! many: {many}" in said("scale", "good-1", "1", "-g", "many"), PATIENCE)
        until(lambda: f"! big: {big}" in said("scale", "good-1", "1", "-g", "big"), PATIENCE)
        # its record tells a little later than its controller that it is no longer starting
        until(lambda: "! good-1: big: The namespace's limit range refuses" in said("list"), PATIENCE)
        assert "quota" not in said("scale", "good-1", "2"), "what is refused to some keeps no others waiting"
        until(lambda: re.search(r"^good-1 +running ! +kubernetes +\S+ +2/", said("list"), re.M), PATIENCE)
        quota = "! default: The namespace's quota 'few' is used up"
        until(lambda: quota in said("scale", "good-1", "5"), PATIENCE)
    finally:
        said("stop", "good-1", "--force")


class _start:  # a context
    """`jupyter mlops start …` in a process of its own, interrupted at the end: the lines that it writes."""

    def __init__(self, *arguments: str) -> None:
        # in the background of a shell, where tests may run, an interrupt is ignored, and so it is by all children
        main = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        main += "from jupyter_mlops.cli.main import main; sys.exit(main())"
        command = [sys.executable, "-X", "faulthandler", "-c", main, "start", *arguments]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
        self._lines: list[str] = []
        assert self._process.stderr is not None
        read: Callable[[Any], None] = self._lines.extend
        self._reader = threading.Thread(target=read, args=(self._process.stderr,))

    def __enter__(self) -> list[str]:
        self._reader.start()
        return self._lines

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)  # its last lines tell what each of its threads is at
        self._reader.join()
        assert self._process.wait() != -signal.SIGABRT, "".join(self._lines)
        assert self._process.stderr is not None
        self._process.stderr.close()
