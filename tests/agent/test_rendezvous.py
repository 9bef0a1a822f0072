"""Where ranks meet in PyTorch: on one machine in a file, on several at a socket that was bound before its number was
told."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch isn't installed: pip install 'jupyter-mlops[torch]'")

pytestmark = pytest.mark.slow

RANK = """
import sys, time
from jupyter_mlops.agent.rendezvous import Meeting

rank, port, listener = map(int, sys.argv[1:4])
Meeting(rank, 2, sys.argv[4], "127.0.0.1", port, listener).install()

import torch
from torch import distributed

for _ in range(2):  # a second group after the first, as notebooks make
    distributed.init_process_group("gloo")
    total = torch.ones(1) * (rank + 1)
    distributed.all_reduce(total)
    print(int(total))
    distributed.destroy_process_group()
    time.sleep(rank)  # who comes first must not take the first group's addresses for the second's
"""


@pytest.mark.parametrize("shared", [True, False], ids=["file", "socket"])
def test_two_ranks_meet(shared: bool, tmp_path: Path) -> None:
    file = str(tmp_path / "store") if shared else ""
    with contextlib.ExitStack() as left, socket.create_server(("127.0.0.1", 0)) as listener:
        ranks = []
        for rank in (1, 0):
            descriptor = listener.fileno() if rank == 0 and not shared else -1
            command = [sys.executable, "-c", RANK, str(rank), str(listener.getsockname()[1]), str(descriptor), file]
            ranks.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=[listener.fileno()]))
            left.callback(ranks[-1].wait)
            left.callback(ranks[-1].kill)
        for process in ranks:
            assert process.communicate(timeout=300)[0].split() == ["3", "3"]
            assert process.returncode == 0
