"""A service's folder: the names of what is in it, and how that is read and written."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .. import home
from .logs import end_of
from .requests import REQUESTS, RequestLog

if TYPE_CHECKING:
    from ..core.alert import ServiceWatch
    from ..core.base import Time
    from ..core.evidence import Evidence
    from ..core.performance import Performance, Tally
    from ..core.service import CallerTokens, ServiceSpec, ServiceState
    from ..core.split import Split
    from ..core.window import Window
    from .traffic import TrafficFolder
    from .usage import UsageFolder

#: What is wanted, what is, which process it is, who may call, and the owner's own token.
WANTED, SERVED, ROUTER, CALLERS, TOKEN = "service.json", "served.json", "router.json", "callers.json", "token"

#: How what it is asked compares with its version's baseline, and the windows that are over.
WATCH, WINDOWS = "watch.json", "windows.jsonl"

#: How good its version is at what it is asked.
PERFORMANCE = "performance.json"

#: It is there, and empty, while what its router has to say of itself can't be written: most disks that are full have
#: room for that.
UNWRITTEN = "unwritten"

#: What is known of the version that is tried beside it; and who answers, where several routers have agreed upon that.
EVIDENCE, SPLIT = "evidence.json", "split.json"

#: Bytes of windows that are kept, about: of 30 features those of a month of hours. The older half goes when it is more.
MOST_WINDOWS = 4_000_000

#: Bytes of a log's end that are looked at for its last lines.
_TAIL = 100_000

#: Tells a file from the one that was there before.
Stamp = tuple[int, int]

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,46}[a-z0-9])?")


@dataclass(frozen=True)
class ServiceFolder:
    """The folder of one service."""

    path: Path

    @property
    def name(self) -> str:
        """The service's name."""
        return self.path.name

    @property
    def logs(self) -> Path:
        """Where its router and replicas write what they have to say."""
        return self.path / "logs"

    @property
    def usage(self) -> UsageFolder:
        """What its callers asked of it."""
        from .usage import UsageFolder

        return UsageFolder(self.path / "usage")

    @property
    def traffic(self) -> TrafficFolder:
        """How much it is asked, by time."""
        from .traffic import TrafficFolder

        return TrafficFolder(self.path / "traffic")

    def make(self) -> ServiceFolder:
        """The folder, made when it is missing; raises `StorageFull`, `Refused`."""
        home.private(self.path)
        home.private(self.logs)
        return self

    @property
    def router_file(self) -> Path:
        """Which process it is, as its place wrote it."""
        return self.path / ROUTER

    def spec(self) -> ServiceSpec:
        """What is wanted; raises FileNotFoundError, `Unreadable`."""
        from ..core.service import ServiceSpec

        return home.read(ServiceSpec, self.path / WANTED)

    def write_spec(self, spec: ServiceSpec) -> None:
        """Want something else; raises `StorageFull`, `Refused`."""
        home.write(self.path / WANTED, spec.model_dump_json(indent=1))

    def wanted_at(self) -> Stamp | None:
        """Changes whenever what is wanted does; None where nothing is any more."""
        return _stamp(self.path / WANTED)

    def state(self) -> ServiceState | None:
        """What its router wrote last; None before that. Raises `Unreadable`."""
        from ..core.service import ServiceState

        try:
            return home.read(ServiceState, self.path / SERVED)
        except FileNotFoundError:
            return None

    def write_state(self, state: ServiceState) -> None:
        """Write what it is; raises `StorageFull`, `Refused`, `Unavailable`, and marks what stands there as old then."""
        from ..core.errors import MlopsError

        mark = self.path / UNWRITTEN
        try:
            home.write(self.path / SERVED, state.model_dump_json(indent=1))
        except MlopsError:
            with contextlib.suppress(OSError):
                mark.touch(mode=0o600, exist_ok=False)
            raise
        with contextlib.suppress(OSError):
            mark.unlink(missing_ok=True)

    def state_is_of(self) -> Time | None:
        """Since when its state could not be written any more; None where it is of now."""
        try:
            return (self.path / UNWRITTEN).stat().st_mtime
        except OSError:
            return None

    def watch(self) -> ServiceWatch | None:
        """How what it is asked compares with the baseline; None before anything was counted. Raises `Unreadable`."""
        from ..core.alert import ServiceWatch

        try:
            return home.read(ServiceWatch, self.path / WATCH)
        except FileNotFoundError:
            return None

    def write_watch(self, watch: ServiceWatch) -> None:
        """Write that; raises `StorageFull`, `Refused`."""
        home.write(self.path / WATCH, watch.model_dump_json())

    def windows(self) -> list[Window]:
        """The windows that are over, of all versions, the first first; raises `Unreadable`."""
        from ..core.window import Window

        return home.read_lines(Window, self.path / WINDOWS)

    def add_window(self, window: Window) -> None:
        """Keep one that is over; raises `StorageFull`, `Refused`."""
        path = self.path / WINDOWS
        home.append(path, [window])
        with home.guarded(path):
            if path.stat().st_size <= MOST_WINDOWS:
                return
            lines = path.read_bytes().splitlines(keepends=True)
        home.write(path, b"".join(lines[len(lines) // 2 :]))

    @property
    def requests(self) -> RequestLog:
        """What is logged of its requests, with their labels."""
        return RequestLog(self.path / REQUESTS)

    def performance(self) -> Performance | None:
        """How good its version is; None before anything was logged. Raises `Unreadable`."""
        from ..core.performance import Performance

        try:
            return home.read(Performance, self.path / PERFORMANCE)
        except FileNotFoundError:
            return None

    def measure(self, spec: ServiceSpec, *, wait: bool = True) -> Performance | None:
        """Look how good the wanted version is, from what is logged, and keep that; None where somebody holds the files,
        and isn't waited for.

        Raises
        ------
        Unavailable, Unreadable, StorageFull, Refused
        """
        log = self.requests
        # Who looks last writes last: a router and who has just joined labels may do so at the same time.
        with log.held(wait=wait) if log.exists() else contextlib.nullcontext(True) as held:
            if not held:
                return None
            told = performance_from(spec, *log.tallies(spec.digest))
            home.write(self.path / PERFORMANCE, told.model_dump_json())
        return told

    def evidence(self) -> Evidence | None:
        """What is known of the version that is, or was, tried; None before one was. Raises `Unreadable`."""
        from ..core.evidence import Evidence

        try:
            return home.read(Evidence, self.path / EVIDENCE)
        except FileNotFoundError:
            return None

    def write_evidence(self, evidence: Evidence) -> None:
        """Write that; raises `StorageFull`, `Refused`."""
        home.write(self.path / EVIDENCE, evidence.model_dump_json())

    def split(self) -> Split | None:
        """Who answers, as it was agreed upon last; None before that. Raises `Unreadable`."""
        from ..core.split import Split

        try:
            return home.read(Split, self.path / SPLIT)
        except FileNotFoundError:
            return None

    def write_split(self, split: Split) -> None:
        """Write that; raises `StorageFull`, `Refused`."""
        home.write(self.path / SPLIT, split.model_dump_json())

    def callers(self) -> CallerTokens:
        """Who may call it; raises `Unreadable`: nobody may then."""
        from ..core.service import CallerTokens

        try:
            return home.read(CallerTokens, self.path / CALLERS)
        except FileNotFoundError:
            return CallerTokens()

    def callers_at(self) -> Stamp | None:
        """Changes whenever somebody is let in, or shut out."""
        return _stamp(self.path / CALLERS)

    def let_in(self, caller: str) -> str:
        """A new token for a caller, in place of an earlier one. It is kept nowhere. Raises `Conflict` when there are
        `MOST_CALLERS` others."""
        with self.locked():
            return self._new_token(caller)

    def _new_token(self, caller: str) -> str:
        """As `let_in`, for a holder of the lock."""
        token, known = with_caller(self.callers(), caller, self.name)
        home.write(self.path / CALLERS, known.model_dump_json(indent=1))
        return token

    def shut_out(self, caller: str) -> bool:
        """Let a caller's token open nothing any more; whether it had one."""
        from ..core.service import CallerTokens

        with self.locked():
            before = self.callers().callers
            left = [each for each in before if each.name != caller]
            home.write(self.path / CALLERS, CallerTokens(callers=left).model_dump_json(indent=1))
        return len(left) < len(before)

    def own_token(self, caller: str) -> str:
        """The token of who owns this folder, made when it is missing, or opens nothing any more. All that ask at the
        same time get the same one."""
        if (token := self._kept_token(caller)) is not None:
            return token
        with self.locked():
            if (token := self._kept_token(caller)) is None:
                token = self._new_token(caller)
                home.write(self.path / TOKEN, token)
            return token

    def _kept_token(self, caller: str) -> str | None:
        """The owner's token, where it still opens something."""
        try:
            token = (self.path / TOKEN).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        return token if caller_of(token, self.callers()) == caller else None

    @contextlib.contextmanager
    def locked(self, *, wait: bool = True) -> Iterator[None]:
        """Hold its files: one process at a time changes them, and one that dies lets go. As `home.locked`."""
        with home.locked(self.path, wait=wait):
            self.make()
            yield

    def open_log(self, name: str) -> BinaryIO:
        """The log of its router or of a replica, to be added to; raises `StorageFull`, `Refused`."""
        path = self.logs / f"{name}.log"
        with home.guarded(path):
            return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    def log(self, lines: int) -> list[str]:
        """The last lines of its router and of its replicas, each with who wrote it."""
        found = []
        for path in sorted(self.logs.glob("*.log")):
            with contextlib.suppress(OSError):
                text, _ = end_of(path, _TAIL)
                found += [f"{path.stem}: {line}" for line in text.splitlines()[-lines:]]
        return found


def performance_from(spec: ServiceSpec, tallies: Sequence[Tally], task: str, unsure: str) -> Performance:
    """How good the wanted version is, from what is logged.

    Parameters
    ----------
    task, unsure : as its replicas told them: of a version that is gone nobody else knows.
    """
    from ..core.errors import MlopsError
    from ..core.performance import metric_of, performance_of
    from .models import model_folder

    before = None
    with contextlib.suppress(FileNotFoundError, MlopsError):
        version = model_folder(spec.model).version(spec.version).record()
        if version.digest == spec.digest:
            task = version.task
            before = version.metrics.get((metric_of(task) or ("",))[0])
    told = performance_of(tallies, task, before, unsure, spec.version_name)
    told.version, told.digest = spec.version, spec.digest
    return told


def with_caller(known: CallerTokens, caller: str, service: str) -> tuple[str, CallerTokens]:
    """A new token for a caller of a service, in place of an earlier one, and who may call then. Raises `Conflict` when
    there are `MOST_CALLERS` others."""
    from ..core.errors import Conflict
    from ..core.service import MOST_CALLERS, CallerToken, CallerTokens

    token = secrets.token_urlsafe(32)
    others = [each for each in known.callers if each.name != caller]
    if len(others) >= MOST_CALLERS:
        raise Conflict(
            f"{caller!r} can't be let in to {service!r}",
            f"it has {MOST_CALLERS:,} callers already",
            "Take back a token that nobody uses any more: service.revoke('caller').",
        )
    new = CallerToken(name=caller, digest=digest_of_token(token), created=time.time())
    return token, CallerTokens(callers=[*others, new])


def digest_of_token(token: str) -> str:
    """By which a token is known again. It is random and long, so that a plain SHA-256 gives nothing away."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def caller_of(token: str, known: CallerTokens) -> str | None:
    """Whose token this is; None for nobody's. Takes as long for a wrong one as for a right one."""
    digest, found = digest_of_token(token), None
    for caller in known.callers:
        if hmac.compare_digest(caller.digest.encode(), digest.encode()):
            found = caller.name
    return found


def services_dir() -> Path:
    """The folder with a folder per service."""
    return home.private(home.home() / "services")


def service_folder(name: str) -> ServiceFolder:
    """The folder of a service, which may not be there yet.

    Raises
    ------
    InvalidInput : this is no name of a service, and so none of a folder.
    """
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        from ..core.errors import InvalidInput

        raise InvalidInput(
            f"A service can't be called {name!r:.200}",
            "its name may have up to 48 small letters, digits and dashes, and must start with a letter",
            "Choose one like 'churn' or 'churn-test'.",
        )
    return ServiceFolder(services_dir() / name)


def service_folders() -> list[ServiceFolder]:
    """All services' folders, by name."""
    return [ServiceFolder(path) for path in sorted(services_dir().iterdir()) if (path / WANTED).exists()]


def _stamp(path: Path) -> Stamp | None:
    """None where there is no such file. One that can't be seen now, as on a drive that is away, isn't gone."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino  # a file is replaced as a whole: the clock alone may be too coarse
