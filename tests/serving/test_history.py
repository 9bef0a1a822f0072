"""What became of a service is kept, and told: how much it was asked, what changed, and what was done."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.core.callers import DAY, DAYS, day_of
from jupyter_mlops.core.traffic import TrafficMinute
from jupyter_mlops.home.services import service_folder
from jupyter_mlops.home.traffic import TrafficFolder
from jupyter_mlops.serving.minutes import MinuteCounts

from .conftest import Caller, until

ROWS = [[30.0, 1000.5]] * 2


def test_a_service_tells_what_it_was_asked_and_what_was_done_to_it(home: Path) -> None:
    service = mlops.deploy("churn", name="told", why="for a look")
    caller = Caller(service, service.token("web"))
    for _ in range(3):
        assert caller("POST", "/predict", ROWS).status == 200
    assert caller("POST", "/predict", [["old", 1000.5]]).status == 400
    service.stop()  # what the minute had so far is kept, too
    told = service.history(1)
    assert told.counted
    assert sum(each.requests for each in told.traffic) == 4
    assert sum(each.errors for each in told.traffic) == 0
    served = [each for each in told.traffic if each.slow is not None]
    assert served and all(0 < (each.middle or 0) <= (each.slow or 0) for each in served)
    assert [(each.verb, each.why) for each in told.deeds] == [("deployed", "for a look"), ("stopped", "")]
    with pytest.raises(mlops.errors.InvalidInput):
        service.history(1000)
    assert [path.suffix for path in service_folder("told").traffic.path.iterdir()] == [".jsonl"] * len(
        {day_of(each.at) for each in told.traffic}
    )


async def test_a_disk_that_refuses_is_told_once_and_minutes_wait_for_it(tmp_path: Path) -> None:
    said: list[str] = []
    place = tmp_path / "traffic"
    place.write_text("in the way")
    counts = MinuteCounts(TrafficFolder(place), said.append)
    for _ in range(2):
        counts.add(3, 0.01, answered=True, failed=False)
        await counts.close()
    assert len(said) == 1
    place.unlink()
    await counts.close()
    found = TrafficFolder(place).since(0, time.time())
    assert sum(each.requests for each in found) == 2
    assert {each.version for each in found} == {3}


def test_minutes_that_a_disk_refused_in_the_midst_are_not_there_twice(tmp_path: Path) -> None:
    """A limit on a process's files stands for the disk: what is written beyond it fails in the midst of a line."""
    code = """
import resource, sys
from pathlib import Path
from jupyter_mlops.core.traffic import TrafficMinute
from jupyter_mlops.home.traffic import TrafficFolder
folder = TrafficFolder(Path(sys.argv[1]))
minutes = [TrafficMinute(at=60.0 * number, requests=1) for number in range(1000)]
folder.add(minutes[:1])
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, -1))
for number in (1, 2):
    try:
        folder.add(minutes[1:])
    except Exception as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.count("File too large") == 1
    (path,) = tmp_path.iterdir()
    assert len(path.read_text().splitlines()) == 1000


async def test_a_minute_that_is_over_is_written_without_another_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_mlops.serving.minutes.MINUTE", 0.05)
    monkeypatch.setattr("jupyter_mlops.serving.minutes.EVERY", 0.01)
    folder, end = TrafficFolder(tmp_path / "traffic"), asyncio.Event()
    counts = MinuteCounts(folder, print)
    runs = asyncio.create_task(counts.run(end))
    counts.add(1, 0.01, answered=False, failed=True)
    await asyncio.to_thread(until, lambda: folder.since(0, time.time()))
    end.set()
    await runs
    (told,) = folder.since(0, time.time())
    assert (told.requests, told.errors, told.times) == (1, 1, [])


def test_days_that_are_old_go_and_others_stay(tmp_path: Path) -> None:
    folder, now = TrafficFolder(tmp_path), time.time()
    folder.add([TrafficMinute(at=now - days * DAY, requests=1) for days in range(DAYS + 2)])
    folder.tidy(now)
    kept = folder.since(0, now)
    assert len(kept) == DAYS == len(list(tmp_path.iterdir()))
    assert [each.at for each in kept] == sorted(each.at for each in kept)
    assert len(folder.since(now - DAY, now)) == 2
