"""What the ranks of an attempt tell each other before they begin: over a socket, or in files of one machine."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jupyter_mlops.agent.rendezvous import Meeting


@pytest.mark.parametrize("on_one_machine", [False, True])
def test_each_rank_hears_of_all_in_their_order(tmp_path: Path, on_one_machine: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(3) as threads:
        file = str(tmp_path / "store-1") if on_one_machine else ""
        port = listener.getsockname()[1]

        def share(rank: int) -> list[dict[str, int]]:
            own = listener.fileno() if rank == 0 else -1
            return Meeting(rank, 3, file, "127.0.0.1", port, own).share({"rank": rank})

        assert list(threads.map(share, (2, 1, 0))) == [[{"rank": 0}, {"rank": 1}, {"rank": 2}]] * 3
