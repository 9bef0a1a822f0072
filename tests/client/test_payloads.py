"""What is kept of a run's input, so that it can be run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.client.runs.record import PayloadFile, read_payload
from jupyter_mlops.core.errors import NotRepeatable
from jupyter_mlops.home.runs import run_folder

#: Less than a file's buffer takes, so that the last word is the first to find no room; and more.
SIZES = (10, 100_000)


@pytest.mark.parametrize("size", SIZES)
def test_what_found_no_room_on_the_disk_leaves_no_half_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int
) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    folder = run_folder("0123456789ab").make()
    folder.new_payload.symlink_to("/dev/full")
    file = PayloadFile(folder.run, {"body": b""}, [])
    file.add(0, 1, bytes(size))
    assert not file.finish().result(60)
    assert not folder.new_payload.is_symlink() and not folder.payload.exists()
    with pytest.raises(NotRepeatable, match="No space left on device"):
        list(read_payload(folder.run))
