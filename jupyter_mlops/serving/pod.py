"""The program of a pod that is one replica of a service: `start.py service MOUNTED PARTS CALLERS PORT [TRIED BOARD]`.

It has a router of its own, with one process that answers, as a service on its machine has; what Kubernetes sends it is
all that it knows: the wish and the code (`MOUNTED`), the version in parts, and who may call. It asks Kubernetes for
nothing, and has no right to. That it is ready is that its version has given the stored example the stored answer.

While another version is tried, the pod has that, too (`TRIED`), and a right to one object, the `BOARD`: there all pods
agree upon who answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from ..core.base import Seconds, read_record
from ..core.board import POD
from ..core.cluster import Problem
from ..core.errors import MlopsError, Unreadable
from ..core.service import ServiceSpec
from ..core.waiting import end_tasks
from ..home.clusters import SPEC
from ..home.parcels import unpack
from ..home.services import CALLERS, ServiceFolder, service_folder
from .board import SplitBoard
from .joint import JointTrial
from .router import ServiceRouter

#: Seconds that it goes on to answer when it is to end: so long callers may still be sent here.
LINGER: Seconds = 5.0

#: Where Kubernetes reads why a container ended.
_LAST_WORDS = Path("/dev/termination-log")

#: Bytes that are told there: Kubernetes keeps 4,096.
_MOST = 4000

#: Seconds between two looks at what the replica wrote.
_LOOK: Seconds = 1.0

#: Requests may come from every pod that may connect here; whether they are answered is a matter of their tokens.
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - as told above


def settle(mounted: Path, parts: Path, callers: Path, port: int, tried: Path | None = None) -> ServiceFolder:
    """The folder of the service, and of its version, of what is mounted; and of the version that is `tried`.

    Raises
    ------
    Unreadable : what was sent is damaged.
    StorageFull, Refused
    """
    wanted = read_record(ServiceSpec, (mounted / SPEC).read_bytes(), "spec of the service")
    arrived = {wanted.version: parts}
    if tried is not None and wanted.candidate is not None:
        arrived[wanted.candidate.version] = tried
    for version, folder_of_parts in arrived.items():
        try:
            unpack((path.read_bytes() for path in sorted(folder_of_parts.glob("part-*"))), wanted.model, version)
        except ValueError as error:
            what = f"{wanted.model}@{version} didn't arrive whole"
            raise Unreadable(what, str(error), "Deploy it again.") from error
    folder = service_folder(wanted.name).make()
    link = folder.path / CALLERS
    link.unlink(missing_ok=True)
    link.symlink_to(callers)  # Kubernetes changes it there
    alone = {"candidate": None} if tried is None else {}
    folder.write_spec(wanted.model_copy(update={"port": port, "replicas": 1, **alone}))
    return folder


class LogFollower:
    """Writes what a service's replicas write to their logs to this process's standard error, too: it is the pod's log,
    and what Kubernetes shows."""

    def __init__(self, folder: ServiceFolder) -> None:
        self._folder = folder
        self._seen: dict[str, int] = {}

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK)

    def look(self) -> None:
        """Write what is new."""
        for path in sorted(self._folder.logs.glob("*.log")):
            with contextlib.suppress(OSError), path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                seen = self._seen.get(path.name, 0)
                file.seek(seen if seen <= size else 0)  # it was cut
                text = file.read()
                self._seen[path.name] = file.tell()
                for line in text.decode(errors="replace").splitlines():
                    sys.stderr.write(f"{path.stem}: {line}\n")
        sys.stderr.flush()


def last_words(problem: Problem) -> bytes:
    """A problem as JSON of `_MOST` bytes at most; of what is too long the end is left, where tracebacks have the cause.
    Cut anywhere else, nobody could read it."""
    while len(told := problem.model_dump_json().encode()) > _MOST:
        parts = {name: getattr(problem, name) for name in ("what", "why", "todo")}
        longest = max(parts, key=lambda name: len(parts[name]))
        problem = problem.model_copy(update={longest: parts[longest][len(parts[longest]) // 8 + 1 :]})
    return told


async def _serve(folder: ServiceFolder, board: str) -> Problem | None:
    """Serve until it is told to end; why it couldn't, if so. Raises `MlopsError` where it can't begin."""
    follower = LogFollower(folder)
    joint = JointTrial(folder, SplitBoard(board), os.environ.get(POD, "")) if board else None
    if joint is not None:
        await joint.begin()
    router = ServiceRouter(folder, _EVERYWHERE, LINGER, joint)
    follows = asyncio.create_task(follower.run())
    if joint is not None:
        joint.join(router)
    fine = await router.run()
    await end_tasks(follows)
    follower.look()
    state = folder.state()
    return None if fine or state is None else state.problem


def main(mounted: Path, parts: Path, callers: Path, port: int, tried: Path | None = None, board: str = "") -> None:
    """Serve; where that can't be, Kubernetes is told why, for who looks there."""
    root = str(Path(__file__).resolve().parents[2])  # its replica is a process that must find the package, too
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    try:
        problem = asyncio.run(_serve(settle(mounted, parts, callers, port, tried), board))
    except MlopsError as error:
        sys.stderr.write(f"{error}\n")
        problem = Problem.of(error)
    if problem is not None:
        with contextlib.suppress(OSError), _LAST_WORDS.open("r+b") as words:  # where that is there
            words.write(last_words(problem))
        sys.exit(1)


if __name__ == "__main__":
    _tried, _board = (Path(sys.argv[5]), sys.argv[6]) if len(sys.argv) > 6 else (None, "")
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), _tried, _board)
