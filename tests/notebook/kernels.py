"""Real kernels, and what their cells show."""

from __future__ import annotations

import os
import queue
import signal
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

from ..runs.cluster import LONG

#: Packing says so when it takes long, as it does where a kernel is kept from the CPU.
NO_WORDS = f"from jupyter_mlops.client.send import pickling\npickling.PATIENT = {LONG}\ndel pickling"


@dataclass
class Shown:
    """What a cell showed: text with the time at which it came, what it displayed, its error."""

    texts: list[tuple[float, str]] = field(default_factory=list)
    mimes: list[str] = field(default_factory=list)
    displays: dict[str, dict[str, Any]] = field(default_factory=dict)
    result: str = ""
    error: str = ""
    traceback: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.texts)

    @property
    def lines(self) -> list[str]:
        """What a saved notebook keeps of each thing that was displayed."""
        return [data["text/plain"] for data in self.displays.values()]


class Kernel:
    """A kernel with the extension loaded and a cluster selected.

    Parameters
    ----------
    folder : where it runs.
    cluster : the cluster's name; None selects none.
    environment : variables that it has besides those of this process.
    """

    def __init__(self, folder: Path, cluster: str | None = "notes", **environment: str) -> None:
        # Files, since a port that is free may be another process's before the kernel has begun to listen there.
        self._sockets = tempfile.TemporaryDirectory(prefix="kernel-")
        self.manager = KernelManager(transport="ipc", ip=f"{self._sockets.name}/socket")
        self.manager.start_kernel(cwd=str(folder), env={**os.environ, **environment})
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        try:
            self.client.wait_for_ready(timeout=LONG)
        except RuntimeError:
            self.close()
            raise
        self.run("%load_ext jupyter_mlops\nimport jupyter_mlops as mlops")
        self.run(NO_WORDS)
        if cluster is not None:
            self.run(f"%mlcluster select {cluster}")

    def send(self, source: str) -> str:
        return self.client.execute(source)

    def follow(self, request: str, until_text: str | None = None) -> Shown:
        """What the cell shows until it is over, or until it has shown a text."""
        shown, deadline = Shown(), time.monotonic() + LONG
        while time.monotonic() < deadline:
            try:
                message: dict[str, Any] = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                shown.texts.append((time.time(), content["text"]))
                if until_text is not None and until_text in shown.text:
                    return shown
            elif kind in ("display_data", "update_display_data"):
                shown.mimes += content["data"]
                place = content.get("transient", {}).get("display_id", str(len(shown.displays)))
                shown.displays[place] = content["data"]
            elif kind == "execute_result":
                shown.result = content["data"]["text/plain"]
            elif kind == "error":
                shown.error, shown.traceback = f"{content['ename']}: {content['evalue']}", content["traceback"]
            elif kind == "status" and content["execution_state"] == "idle":
                return shown
        raise AssertionError(f"not over within {LONG} s; it showed {shown}")

    def run(self, source: str) -> Shown:
        return self.follow(self.send(source))

    def unasked(self, seconds: float) -> list[tuple[float, str]]:
        """The text that comes within so many seconds while no cell runs, under whichever cell."""
        texts, end = [], time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                message = self.client.get_iopub_msg(timeout=left)
            except queue.Empty:
                break
            if message["msg_type"] == "stream":
                texts.append((time.time(), message["content"]["text"]))
        return texts

    def kill(self) -> None:
        """As the machine would when it is out of memory."""
        os.kill(self.manager.provisioner.pid, signal.SIGKILL)  # type: ignore[union-attr]  # it runs

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self._sockets.cleanup()
