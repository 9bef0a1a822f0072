"""A process that is forked has none of its parent's threads, and talks to Kubernetes all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("kubernetes.aio")

from .api import storing_api

_PROGRAM = """
import asyncio, os
from jupyter_mlops import places

async def names():
    return [state.name for state in await places.get("kubernetes").clusters()]

backend = places.get("kubernetes")
assert backend is places.get("kubernetes")
print("parent", asyncio.run(names()), flush=True)
child = os.fork()
if not child:
    assert backend is not places.get("kubernetes")
    print("child", asyncio.run(asyncio.wait_for(names(), 150)), flush=True)
else:
    assert os.waitpid(child, 0)[1] == 0
    print("parent again", asyncio.run(names()), flush=True)
"""


def test_a_forked_process_has_connections_of_its_own(tmp_path: Path) -> None:
    with storing_api() as api:
        api.unknown.clear()
        api.put("daskclusters", {"metadata": {"name": "one"}, "spec": {"worker": {"replicas": 1}}})
        environment = {
            **os.environ,
            "KUBECONFIG": str(api.kubeconfig(tmp_path)),
            "JUPYTER_MLOPS_HOME": str(tmp_path / "home"),
        }
        command = [sys.executable, "-c", _PROGRAM]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["parent ['one']", "child ['one']", "parent again ['one']"]
