"""The peers: each in an environment of its own, which is made once, in `.venv/peers/` of the repository."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2] / ".venv" / "peers"

SERVERS = Path(__file__).parent / "servers"

#: What is installed for each; with the scikit-learn that is measured here.
PEERS = {
    "mlflow": ("mlflow==3.17.2",),
    "mlserver": ("mlserver==1.7.1", "mlserver-sklearn==1.7.1"),
    "bentoml": ("bentoml==1.4.40",),
    "litserve": ("litserve==0.2.19",),
    "onnx": ("onnxruntime==1.32.0", "skl2onnx==1.20.0"),
}

#: Seconds to install one, to start one, and to end.
_INSTALLING, _STARTING, _ENDING = 900, 180.0, 10.0


def environment(name: str) -> Path | None:
    """The environment of a peer; None, with a word, where it can't be installed here."""
    folder, wanted = ROOT / name, "\n".join([*PEERS[name], f"scikit-learn=={version('scikit-learn')}"])
    mark = folder / "installed.txt"
    if mark.exists() and mark.read_text() == wanted:
        return folder
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True, capture_output=True)
        install = [str(folder / "bin" / "pip"), "install", "-q", "--no-input", *wanted.split("\n")]
        subprocess.run(install, check=True, capture_output=True, text=True, timeout=_INSTALLING)
    except (OSError, subprocess.SubprocessError) as error:
        told = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        print(f"{name} isn't measured: it can't be installed here: {' '.join(told)}", flush=True)
        return None
    mark.write_text(wanted)
    return folder


@contextlib.contextmanager
def served(command: Sequence[str], folder: Path, ready: str, **variables: str) -> Iterator[psutil.Process]:
    """A server while it is up, with one thread for arithmetic, as each replica of ours has.

    Parameters
    ----------
    command : its program and arguments.
    folder : where it runs.
    ready : a URL that answers with 200 when it is ready.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = f"{Path(command[0]).parent}:{os.environ['PATH']}"
    plain = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONWARNINGS")}
    with tempfile.TemporaryFile() as log:
        given = {**plain, **threads, "PATH": path, **variables}
        process = psutil.Popen(list(command), cwd=folder, env=given, stdout=log, stderr=log, start_new_session=True)
        try:
            deadline = time.monotonic() + _STARTING
            while not answers(ready):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"{command[0]} doesn't start: {log.read()[-2000:].decode(errors='replace')}")
                time.sleep(0.02)
            yield process
        finally:
            end(process)


def end(process: psutil.Process) -> None:
    """End a server with all that it has started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        left = [process, *process.children(recursive=True)]
        for each in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.terminate()
        _, alive = psutil.wait_procs(left, _ENDING)
        for each in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(alive, _ENDING)


def answers(url: str) -> bool:
    """Whether a URL answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
