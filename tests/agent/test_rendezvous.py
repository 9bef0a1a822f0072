"""Where ranks on several machines meet in PyTorch: at a socket that was bound before its number was told."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="PyTorch isn't installed: pip install 'jupyter-mlops[torch]'")

pytestmark = pytest.mark.slow

RANK = """
import sys
from jupyter_mlops.agent.rendezvous import Meeting

rank, port, listener = map(int, sys.argv[1:])
Meeting(rank, 2, "", "127.0.0.1", port, listener).install()

import torch
from torch import distributed

for _ in range(2):  # a second group after the first, as notebooks make
    distributed.init_process_group("gloo")
    total = torch.ones(1) * (rank + 1)
    distributed.all_reduce(total)
    print(int(total))
    distributed.destroy_process_group()
"""


def test_two_ranks_meet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ranks = []
        for rank in (1, 0):
            file = listener.fileno() if rank == 0 else -1
            command = [sys.executable, "-c", RANK, str(rank), str(port), str(file)]
            ranks.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pass_fds=[listener.fileno()]))
    for rank in ranks:
        assert rank.communicate(timeout=120)[0].split() == ["3", "3"]
        assert rank.returncode == 0
