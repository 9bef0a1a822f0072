"""How a run is to be done."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from ...core.base import Time
from ...core.errors import InvalidSpec
from ...core.ladder import AIMS, Aim
from ...core.run import RESTARTS

OnError = Literal["raise", "collect"]

#: The options of a map that tries sizes, which one that is detached doesn't.
OF_SIZES = ("pilot", "by", "money")

#: What the size of a map that tries some may be chosen for; `ask` leaves it to a person.
PILOTS = (*AIMS, "ask")


@dataclass(frozen=True)
class Options:
    """The options of a run; the same for a cell, a map and a function.

    Parameters
    ----------
    name : shown in lists; made from the code when not given.
    cluster : its name; the one selected, or the only one, or a new one of the default profile.
    workers : `N`, or `(minimum, maximum)` for scaling with the work, before the run starts.
    group : workers that may run it.
    timeout : seconds after which it is stopped.
    budget : money that it may cost, in the currency of its cluster's price; it is stopped before it costs more.
    retries : how often code that raised is tried again, per item.
    detach : whether it goes on without this kernel.
    quiet : shows no progress, prints and notes.
    keep : leaves the results on the cluster.
    on_error : of a map: stop at the first item that raises, or go on and collect the errors.
    sync : whether packages that the workers lack are brought to them.
    gang : workers on which the code runs at the same time, as one program of several processes; None for one process.
    at_least : workers with which a gang begins and goes on when it can't have all; all are needed when not given.
    per_worker : processes (ranks) of a gang on each worker; one for each of its GPUs, or one, when not given.
    restarts : how often a gang may begin again because a rank failed; only after a new checkpoint.
    checkpoint : a folder that all workers see, or a URL, for a gang's checkpoints; the run's own folder where workers
        see that, else the one that the profile's environment names.
    fresh : whether a gang begins anew where an earlier run of the same code has left a checkpoint.
    hang : seconds without a step of any rank after which a gang is taken to hang, and begins again; 0: never. When not
        given: a minute, or more where steps take long, and only of ranks that tell each step with `mlops.progress`.
    resume : the run whose newest checkpoint a gang goes on from; the last one of the same code, if that hadn't ended.
    pilot : of a map: whether its first items are done on several numbers of workers, and what the number is chosen for
        that it goes on with: `"cheapest"`, `"balanced"` (also `True`) or `"fastest"`; `"ask"` leaves it to a person.
    by : of a map that tries sizes: until when it is to be done: `"18:00"`, `"2026-11-28 18:00"`, or `"2h"` from now.
    money : of a map that tries sizes: what it may cost, in the currency of its cluster's price.
    """

    name: str | None = None
    cluster: str | None = None
    workers: int | tuple[int, int] | None = None
    group: str | None = None
    timeout: float | None = None
    budget: float | None = None
    retries: int = 0
    detach: bool = False
    quiet: bool = False
    keep: bool = False
    on_error: OnError = "collect"
    sync: bool = False
    gang: int | None = None
    at_least: int | None = None
    per_worker: int | None = None
    restarts: int = RESTARTS
    checkpoint: str | None = None
    fresh: bool = False
    hang: float | None = None
    resume: str | None = None
    pilot: str | bool | None = None
    by: str | None = None
    money: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.retries, int) or isinstance(self.retries, bool) or self.retries < 0:
            raise InvalidSpec(f"retries can't be {self.retries!r}", "it is how often to try again", "Use 0 or more.")
        if self.timeout is not None and (not isinstance(self.timeout, (int, float)) or not self.timeout > 0):
            raise InvalidSpec(f"timeout can't be {self.timeout!r}", "it is in seconds", "Use a number above 0.")
        check_money("budget", self.budget)
        if self.on_error not in ("raise", "collect"):
            raise InvalidSpec(f"on_error can't be {self.on_error!r}", "", "Use 'raise' or 'collect'.")
        if self.keep and self.detach:
            raise InvalidSpec(
                "keep and detach can't be combined",
                "what is kept on the cluster belongs to this kernel",
                "A detached run's result is written to disk; fetch it with mlops.get_run(ID).result().",
            )
        check_workers(self.workers)
        self._check_gang()
        self._check_pilot()

    def _check_gang(self) -> None:
        workers, ranks = "it is a number of workers", "it is a number of ranks"
        numbers = (
            ("gang", self.gang, workers),
            ("gang", self.at_least, workers),
            ("per_worker", self.per_worker, ranks),
        )
        for name, value, what in numbers:
            if value is not None and (type(value) is not int or value < 1):
                raise InvalidSpec(f"{name} can't be {value!r}", what, "Use 1 or more.")
        if self.at_least is not None and self.at_least > (self.gang or 0):
            raise InvalidSpec(
                f"A gang can't have {self.at_least} to {self.gang} workers",
                "the first number is the smaller one",
                f"Write {self.gang}:{self.at_least}.",
            )
        if self.gang is None and self.per_worker is not None:
            raise InvalidSpec("per_worker needs a gang", "it is how many of its ranks a worker has", "Add gang=N.")
        if type(self.restarts) is not int or self.restarts < 0:
            raise InvalidSpec(f"restarts can't be {self.restarts!r}", "it is how often", "Use 0 or more.")
        if self.hang is not None and not (type(self.hang) in (int, float) and 0 <= self.hang < float("inf")):
            raise InvalidSpec(f"hang can't be {self.hang!r}", "it is in seconds", "Use more than 0, or 0 for never.")
        others = {
            "hang": self.hang is not None,
            "restarts": self.restarts != RESTARTS,
            "checkpoint": self.checkpoint is not None,
            "fresh": self.fresh,
            "resume": self.resume is not None,
        }
        if self.gang is None and any(others.values()):
            name = next(name for name, used in others.items() if used)
            raise InvalidSpec(f"{name} needs a gang", "its ranks begin again together", "Add gang=1, or leave it out.")
        if self.fresh and self.resume is not None:
            raise InvalidSpec("fresh and resume can't be combined", "one of them begins anew", "Leave one of them out.")
        for other, used in (("keep", self.keep), ("retries", self.retries)):
            if self.gang is not None and used:
                raise InvalidSpec(f"A gang can't have {other}", "its ranks are not tasks of their own", "Leave it out.")

    def _check_pilot(self) -> None:
        if self.pilot not in (None, False, True, *PILOTS):
            names = ", ".join(map(repr, PILOTS))
            raise InvalidSpec(f"pilot can't be {self.pilot!r}", "", f"Use True, or one of {names}.")
        if self.by is not None:
            parse_by(self.by, time.time())
        check_money("money", self.money)
        if self.tries_sizes and self.detach:
            raise InvalidSpec(
                "pilot and detach can't be combined",
                "whoever tries sizes has to watch the run while it does",
                "Leave one of them out; mlops.map returns at once, too.",
            )
        if self.tries_sizes and self.gang is not None:
            raise InvalidSpec("A gang can't try sizes", "only a map can: its items are alike", "Leave pilot out.")

    @property
    def tries_sizes(self) -> bool:
        """Whether it climbs a ladder."""
        return bool(self.pilot) or self.by is not None or self.money is not None

    def recorded(self) -> dict[str, Any]:
        """Those that were set, for the run's record."""
        default = Options()
        shown = {name: value for name, value in vars(self).items() if value != getattr(default, name)}
        shown["on_error"] = self.on_error
        return shown


def check_money(name: str, money: Any) -> None:
    """Raise `InvalidSpec` for what is no sum that a run may cost; None is any."""
    if money is not None and not (type(money) in (int, float) and 0 < money < float("inf")):
        raise InvalidSpec(f"{name} can't be {money!r}", "it is what the run may cost", "Use a number above 0.")


def check_workers(workers: Any) -> int | tuple[int, int] | None:
    """A number of workers or a range of them, if it is one.

    Raises
    ------
    InvalidSpec : it isn't.
    """
    fault = InvalidSpec(f"workers can't be {workers!r}", "", "Use a number like 4, or a range like 2:8.")
    if workers is None or (isinstance(workers, int) and not isinstance(workers, bool) and workers >= 0):
        return workers
    if not isinstance(workers, tuple) or len(workers) != 2 or not all(type(end) is int for end in workers):
        raise fault
    low, high = workers
    if not 0 <= low <= high:
        raise fault
    return low, high


def parse_workers(text: str) -> int | tuple[int, int]:
    """`"4"` or `"2:8"`.

    Raises
    ------
    InvalidSpec : it is neither.
    """
    low, colon, high = text.partition(":")
    if not low.strip().isdigit() or (colon and not high.strip().isdigit()):
        raise InvalidSpec(f"workers can't be {text!r}", "", "Use a number like 4, or a range like 2:8.")
    parsed = check_workers((int(low), int(high)) if colon else int(low))
    assert parsed is not None
    return parsed


def of_gang(workers: Any) -> dict[str, Any]:
    """The options of a gang on so many workers, or on so many at least and at most. `Options` checks the numbers."""
    if isinstance(workers, (tuple, list)) and len(workers) == 2:
        least, most = workers
        return {"gang": most, "at_least": least}
    return {"gang": workers}


def parse_seconds(text: str, name: str = "timeout") -> float:
    """`"90"`, `"90s"`, `"2 min"` or `"1h30m"` as seconds; an error calls it `name`.

    Raises
    ------
    InvalidSpec : it is none of them.
    """
    from ...core.base import parse_period

    with contextlib.suppress(ValueError):
        return float(text)  # of a timeout everybody expects seconds
    try:
        return float(parse_period(text))  # type: ignore[arg-type]  # it is text
    except ValueError:
        raise InvalidSpec(f"{name} can't be {text!r}", "", "Write it like 90, 90s, 2min or 1h30m.") from None


@dataclass(frozen=True)
class Wish:
    """What a number of workers is to be chosen for. `aim` None leaves it to a person. `by` is a moment in seconds since
    the epoch, `money` a sum, in the currency of the cluster's price."""

    aim: Aim | None = "balanced"
    by: Time | None = None
    money: float | None = None


def wish_of(recorded: Mapping[str, Any], now: Time) -> Wish | None:
    """The wish in a run's recorded options; None where it tries no sizes."""
    pilot, by, money = recorded.get("pilot"), recorded.get("by"), recorded.get("money")
    if not pilot and by is None and money is None:
        return None
    until = None if by is None else parse_by(by, now)
    if pilot == "ask":
        return Wish(None, until, money)
    named = next((aim for aim in AIMS if aim == pilot), None)
    return Wish(named or ("by" if by is not None else "for" if money is not None else "balanced"), until, money)


def parse_by(text: Any, now: Time) -> Time:
    """The next `"18:00"` after `now`, the moment `"2026-11-28 18:00"`, or that in `"2h"`; of the clock here.

    Raises
    ------
    InvalidSpec : it is none of them, or past.
    """
    fault = InvalidSpec(f"by can't be {text!r}", "", "Write it like 18:00, 2026-11-28 18:00 or 2h.")
    if not isinstance(text, str):
        raise fault
    here = datetime.fromtimestamp(now).astimezone()
    for form in ("%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"):
        with contextlib.suppress(ValueError):
            given = datetime.strptime(text.strip(), form)
            if form != "%H:%M":
                until = given.astimezone()
                if until <= here:
                    raise InvalidSpec(f"by can't be {text!r}", "that is past", "Name a moment that is to come.")
                return until.timestamp()
            until = here.replace(hour=given.hour, minute=given.minute, second=0, microsecond=0)
            return (until if until > here else until + timedelta(days=1)).timestamp()
    if text.strip().replace(".", "", 1).isdigit():
        raise fault  # hours of a day, or seconds?
    try:
        return now + parse_seconds(text, "by")
    except InvalidSpec:
        raise fault from None
