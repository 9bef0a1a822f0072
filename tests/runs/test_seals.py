"""Results that are kept: what others put in their place is not unpickled."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops import errors
from jupyter_mlops.client.clusters.kernel import loop_thread
from jupyter_mlops.client.runs.again import again
from jupyter_mlops.home.runs import run_folder

from ..evil import Touch
from .cluster import LONG, until


def detached(cluster: mlops.Cluster, value: int) -> Any:
    """A detached run that is over, and whose input is kept."""
    run = mlops.run(lambda: value, cluster=cluster, detach=True)
    run.wait(LONG)
    until(run_folder(run.id).payload.exists)
    return run


def test_a_kept_result_is_taken_with_its_seal_only(cluster: mlops.Cluster, tmp_path: Path) -> None:
    one, other = detached(cluster, 1), detached(cluster, 2)
    assert mlops.get_run(one.id).result(LONG) == 1
    (part,) = run_folder(one.id).parts()
    made, (strange,) = part.read_bytes(), run_folder(other.id).parts()
    marker = tmp_path / "marker"
    evil = pickle.dumps({"n": 1, "errors": [], "value": pickle.dumps(Touch(marker))})
    for forged in (evil, pickle.dumps(Touch(marker)), made[: len(made) - 3] + b"xyz", strange.read_bytes(), b""):
        part.write_bytes(forged)
        with pytest.raises(errors.RunLost, match="was not made by it"):
            mlops.get_run(one.id).result(LONG)
    assert not marker.exists()
    part.write_bytes(made)
    assert mlops.get_run(one.id).result(LONG) == 1


def test_what_is_read_to_run_it_again_is_plain_data(cluster: mlops.Cluster, tmp_path: Path) -> None:
    """The server reads it, for everybody who clicks."""
    run = detached(cluster, 3)
    folder, marker = run_folder(run.id), tmp_path / "marker"
    shutil.copyfile(folder.payload, tmp_path / "payload")
    folder.payload.write_bytes(pickle.dumps(Touch(marker)))
    with pytest.raises(errors.NotRepeatable, match="can't be read"):
        loop_thread().call(again(run.id))
    assert not marker.exists()
    shutil.copyfile(tmp_path / "payload", folder.payload)
    new = loop_thread().call(again(run.id)).run
    assert mlops.get_run(new.id).result(LONG) == 3
