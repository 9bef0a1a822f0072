"""What a process holds for its user, and what a forked child gets of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FORKED = """
import os, sys
import jupyter_mlops as mlops
from jupyter_mlops.client.clusters.kernel import kernel, loop_thread

async def answer():
    return os.getpid()

heard = []
parent = kernel()
parent.selected = "flights"
parent.observe(heard.append)
assert loop_thread().call(answer()) == os.getpid()
assert parent.writer.submit(os.getpid).result(30) == os.getpid()
sessions = parent.sessions
child = os.fork()
if child == 0:
    mine = kernel()
    assert mine is not parent and mine.sessions is not sessions
    assert loop_thread().call(answer()) == os.getpid(), "its loop runs, in a thread of its own"
    assert mine.writer.submit(os.getpid).result(30) == os.getpid()
    assert mine.selected == "flights", "what its user chose holds on"
    mine.tell("a run")
    assert heard == ["a run"]
    mine.selected = "other"
    os._exit(0)
_, status = os.waitpid(child, 0)
assert kernel() is parent and parent.selected == "flights"
assert loop_thread().call(answer()) == os.getpid()
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_child_has_threads_of_its_own_and_its_parents_choices() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
