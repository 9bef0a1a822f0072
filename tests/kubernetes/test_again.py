"""What is told and kept when a cluster gets another scheduler: why, and the logs of workers that had died before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kubernetes.aio")

from jupyter_mlops.places.kubernetes.names import ObjectNames
from jupyter_mlops.places.kubernetes.pods.logs import PodLogs
from jupyter_mlops.places.kubernetes.records.logs import ADDED, LogsFile, in_text
from jupyter_mlops.places.kubernetes.why.again import again

Json = dict[str, Any]
LABELS = {"jupyter-mlops/part": "scheduler"}


def scheduler(name: str = "c-scheduler-2", last: Json | None = None, **metadata: str) -> Json:
    status = {"name": "scheduler", "state": {"running": {}}, "lastState": {"terminated": last} if last else {}}
    made = {"name": name, "labels": LABELS, "creationTimestamp": "2026-01-01T00:00:00Z", **metadata}
    return {"metadata": made, "spec": {}, "status": {"containerStatuses": [status]}}


def event(reason: str, message: str = "", pod: str = "c-scheduler-1") -> Json:
    return {"reason": reason, "message": message, "involvedObject": {"name": pod}, "metadata": {}}


def ended(code: int, reason: str = "Error") -> Json:
    return {
        "exitCode": code,
        "reason": reason,
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T01:00:00Z",
    }


KILLED = [
    event("Unhealthy", "Liveness probe failed: command timed out", "c-scheduler-2"),
    event("Killing", "Container scheduler failed liveness probe, will be restarted", "c-scheduler-2"),
]
GONE = [event("Killing", "Stopping container scheduler")]
LOST = [event("NodeNotReady", "Node is not ready"), event("TaintManagerEviction", "Marking for deletion Pod ml/c")]


@pytest.mark.parametrize(
    ("own", "others", "events", "words"),
    [
        (scheduler(last=ended(137, "OOMKilled")), [], [], "The scheduler ran out of memory"),
        (
            scheduler(last=ended(137)),
            [],
            KILLED,
            "The scheduler didn't answer its liveness probe, and Kubernetes killed",
        ),
        (scheduler(last=ended(137)), [], KILLED, "Liveness probe failed: command timed out"),
        (scheduler(last=ended(139)), [], GONE, "The scheduler's process was killed by SIGSEGV"),
        (scheduler(), [scheduler("c-scheduler-1", deletionTimestamp="x")], GONE, "The scheduler's pod was deleted"),
        (scheduler(), [], GONE, "The scheduler's pod was deleted"),
        (scheduler(), [], LOST, "The scheduler's node doesn't answer any more"),
        (scheduler(), [], [], "nothing tells why"),
    ],
)
def test_why_the_scheduler_started_again(own: Json, others: list[Json], events: list[Json], words: str) -> None:
    problem = again(own, others, events, ["bye"])
    assert problem.what == "The scheduler started again" and words in problem.why
    assert "worker" not in f"{problem.why} {problem.todo}".lower()


async def test_logs_of_dead_workers_outlive_the_scheduler(tmp_path: Path) -> None:
    class Api:
        def path(self, *_: str) -> str:
            return ""

        async def text(self, *_: object, **__: object) -> str:
            return "first\nlast words"

    ids, file = ObjectNames("c", "ml"), LogsFile(tmp_path, 3)
    await PodLogs(Api(), ids, file.read(), file.add).save("default-1")  # type: ignore[arg-type]  # a part of one
    later = LogsFile(tmp_path, 3)
    assert PodLogs(Api(), ids, later.read()).of_dead("default-1") == ["first", "last words"]  # type: ignore[arg-type]
    for number in range(ADDED):
        later.add(f"default-{number % 7}", [str(number)])
    kept = in_text((tmp_path / "logs.jsonl").read_text())
    assert list(kept.values()) == [[str(number)] for number in range(ADDED - 3, ADDED)]
