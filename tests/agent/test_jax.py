"""JAX is told of the gang without JAX: what it would be called with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from jupyter_mlops.agent.rendezvous import Meeting
Meeting(1, 2, "", "127.0.0.1", 1, -1).install()
import jax.distributed
jax.distributed.initialize({given})
"""

FAKE = """
import json
def initialize(coordinator_address=None, num_processes=None, process_id=None, **options):
    print(json.dumps([coordinator_address, num_processes, process_id, options]))
"""


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ("", ["10.0.0.1:5", 2, 1, {}]),
        ("'other:9', 4, 0, local_device_ids=[0]", ["other:9", 4, 0, {"local_device_ids": [0]}]),
        ("process_id=0", ["10.0.0.1:5", 2, 0, {}]),
    ],
)
def test_it_is_told_what_it_was_not_given(tmp_path: Path, given: str, called: list[object]) -> None:
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("from . import distributed\n")
    (tmp_path / "jax" / "distributed.py").write_text(FAKE)
    told = {"JAX_COORDINATOR_ADDRESS": "10.0.0.1:5", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "1"}
    path = os.pathsep.join([str(tmp_path), *sys.path])
    seen = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(given=given)],
        env={**os.environ, **told, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(seen.stdout) == called
