"""A service on a disk that is full: it answers, says what it can't keep, and keeps it once there is room."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import StorageFull
from jupyter_mlops.home.owner import me

from ..runs.cluster import is_gone
from .conftest import Caller, load, numbers, until
from .test_usage import counted


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 16 MB as the home folder."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(tmp_path)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def fill(disk: Path) -> Path:
    path = disk / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return path


def ready(service: mlops.Service) -> int:
    """Replicas that answer, as the service itself says."""
    told = Caller(service)("GET", "/metrics").told
    line = next(line for line in told.splitlines() if line.startswith("mlops_replicas_ready{"))
    return int(float(line.split()[-1]))


def test_a_full_disk_ends_no_service_and_what_it_could_not_keep_it_keeps_later(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def talks(X: Any) -> Any:
        print("asked", flush=True)  # into its log, which is on that disk, too
        return np.where(X[:, 0] > 50, "stayed", "left")

    mlops.save_model(talks, "churn", valid=numbers(1))
    service = mlops.deploy("churn@1", replicas=2, log=1.0, log_rows=100_000, window="1 s")
    try:
        with load(service) as heard:
            until(lambda: counted(service, me())[0] > 20 and len(service.requests()) > 20)
            filler = fill(small_disk)
            until(lambda: service.state.unkept is not None)
            assert service.state.phase == "ready" and service.state.problem is None
            assert "full" in service.state.unkept.why and "can't be written" in repr(service)
            assert main(["services"]) == 0 and "! churn: What churn is can't be written" in capsys.readouterr().out
            with pytest.raises(StorageFull, match="Free some space"):
                mlops.deploy("churn@1", replicas=1)
            victim = service.state.replicas[0].pid
            assert victim is not None
            os.kill(victim, signal.SIGKILL)
            until(lambda: is_gone(victim))
            until(lambda: ready(service) == 2)
            seen = heard.total()
            until(lambda: heard.total() > seen + 50)
            filler.unlink()
            until(lambda: service.state.unkept is None)
        assert set(heard) == {(200, "1")}, heard
        until(lambda: counted(service, me())[0] == heard.total())
        until(lambda: len(service.requests()) > 100)
        assert victim not in [each.pid for each in service.state.replicas], "what it says is of now"
        fill(small_disk)
    finally:
        service.stop()
    assert service.state.phase in ("stopped", "dead")
