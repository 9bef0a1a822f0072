"""How the ranks of a gang find each other in PyTorch and JAX, and part: `torch.distributed` as under `torchrun`.

PyTorch's own way, a port that is told in `MASTER_PORT`, is open to whoever reaches it, and may be taken by the time it
is used. So where all ranks are on one machine they meet in a file of the user's own; elsewhere rank 0 listens on a
socket that was bound before its number was told.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .imported import when_imported

#: The module that knows how processes meet, and its table of ways by the scheme of a URL, of which one is the default.
MODULE, WAYS, DEFAULT = "torch.distributed.rendezvous", "_rendezvous_handlers", "env"

#: Seconds between two looks for what the others give.
LOOK = 0.01


class Meeting:
    """Where the ranks of one attempt meet.

    Parameters
    ----------
    rank, world : of this process, and of how many.
    file : the store's, where all ranks share a disk; else empty.
    host, port : where rank 0 listens otherwise.
    listener : rank 0's socket, as an open file; -1 in other ranks.
    """

    def __init__(self, rank: int, world: int, file: str, host: str, port: int, listener: int) -> None:
        self._rank, self._world = rank, world
        self._file, self._host, self._port, self._listener = file, host, port, listener
        self._store: Any = None
        self._groups = 0

    def install(self) -> None:
        """Have PyTorch use it, now or as soon as it is imported."""
        when_imported("torch.distributed", _keep_groups)
        when_imported("jax.distributed", _tell_jax)
        when_imported(MODULE, lambda: getattr(sys.modules[MODULE], WAYS).update({DEFAULT: self._meet}))

    def share(self, value: Any) -> list[Any]:
        """What each rank gives here, plain data, in their order; all of them have to call it, once. What others send is
        never executed."""
        if self._world == 1:
            return [value]
        return self._share_in_files(value) if self._file else self._share_by_rank_0(value)

    def _share_in_files(self, value: Any) -> list[Any]:
        files = [Path(f"{self._file}-shared-{rank}") for rank in range(self._world)]
        new = files[self._rank].with_suffix(".new")
        new.write_text(json.dumps(value))
        new.rename(files[self._rank])
        while not all(file.exists() for file in files):  # the gang's own end ends this, too
            time.sleep(LOOK)
        return [json.loads(file.read_text()) for file in files]

    def _share_by_rank_0(self, value: Any) -> list[Any]:
        if self._rank:
            with socket.create_connection((self._host, self._port)) as connection, connection.makefile("rw") as lines:
                lines.write(json.dumps([self._rank, value]) + "\n")
                lines.flush()
                found: list[Any] = json.loads(lines.readline())
                return found
        given: dict[int, Any] = {0: value}
        with contextlib.ExitStack() as open_ones, socket.socket(fileno=os.dup(self._listener)) as listener:
            others = []
            while len(given) < self._world:
                connection = open_ones.enter_context(listener.accept()[0])
                lines = open_ones.enter_context(connection.makefile("rw"))
                rank, theirs = json.loads(lines.readline())
                given[rank] = theirs
                others.append(lines)
            shared = [given[rank] for rank in range(self._world)]
            for lines in others:
                lines.write(json.dumps(shared) + "\n")
        return shared

    def _meet(self, url: str, timeout: Any = None, **_: Any) -> Iterator[Any]:
        asked = parse_qs(urlsplit(url).query)  # what the code itself says goes first
        rank, world = int(asked.get("rank", [self._rank])[0]), int(asked.get("world_size", [self._world])[0])
        yield self._for_next_group(self._opened(timeout, world)), rank, world
        raise RuntimeError("A process group's members can't be changed: run the cell again")

    def _for_next_group(self, store: Any) -> Any:
        """A part of the store that no earlier group wrote to: PyTorch names each group of the whole world alike, and a
        rank that comes first would find the others' last addresses there."""
        from torch import distributed

        self._groups += 1
        return distributed.PrefixStore(f"group-{self._groups}", store)

    def _opened(self, timeout: Any, world: int) -> Any:
        """The store, one for all groups of this process: its socket, or file, is there once."""
        if self._store is None:
            from torch import distributed

            if self._file:
                self._store = distributed.FileStore(self._file, world)
            else:
                listener = {"master_listen_fd": self._listener} if self._listener >= 0 else {}
                limit = {"timeout": timeout} if timeout is not None else {}
                self._store = distributed.TCPStore(
                    self._host, self._port, world, self._listener >= 0, wait_for_workers=False, **limit, **listener
                )
        return self._store


def _tell_jax() -> None:
    """Have `jax.distributed.initialize()` know what it else knows of the launchers of clusters only."""
    module = sys.modules["jax.distributed"]
    initialize = module.initialize

    @functools.wraps(initialize)
    def told(
        coordinator_address: str | None = None,
        num_processes: int | None = None,
        process_id: int | None = None,
        *args: Any,
        **options: Any,
    ) -> None:
        """As JAX's."""
        initialize(
            coordinator_address or os.environ["JAX_COORDINATOR_ADDRESS"],
            int(os.environ["JAX_NUM_PROCESSES"]) if num_processes is None else num_processes,
            int(os.environ["JAX_PROCESS_ID"]) if process_id is None else process_id,
            *args,
            **options,
        )

    module.initialize = told  # type: ignore[attr-defined]  # it is a module


def _keep_groups() -> None:
    """Keep groups that the code has destroyed until the process ends.

    The last reference to a gloo group, often a model's when a function returns, waits for a thread of the group. That
    thread may wait for the interpreter lock to let go of its last message, and both would wait for ever.
    """
    from torch import distributed

    destroy = distributed.destroy_process_group
    kept: list[Any] = []

    def destroy_process_group(group: Any = None) -> None:
        """As PyTorch's."""
        known = getattr(distributed.distributed_c10d, "_world", None)
        kept.extend([group] if group is not None else getattr(known, "pg_map", ()))
        destroy(group)

    distributed.destroy_process_group = destroy_process_group
    distributed.distributed_c10d.destroy_process_group = destroy_process_group
