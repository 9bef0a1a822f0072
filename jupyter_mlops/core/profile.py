"""Profiles: named ways to make a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from .base import Bytes, Input, Label, Name, Period, Saying, Time, in_records, otherwise
from .errors import OutOfRange, UnknownGroup
from .price import Price
from .words import count, size

#: The name of a place. Which places there are is known to `places`, not here: other packages may add some.
Place = Name

#: The most workers that one group may have.
MOST_WORKERS = 5000

#: Bytes of memory that a worker takes before it has any work. Who asks for less has forgotten a unit.
LEAST_MEMORY = 100 * 10**6

_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


def _enough(memory: int, info: ValidationInfo) -> int:
    if memory < LEAST_MEMORY and not in_records(info):
        raise ValueError(f"is less than a worker takes by itself, which is {size(LEAST_MEMORY)}")
    return memory


def _names_variables(environment: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    """Names that every place takes, Kubernetes too."""
    for name, value in environment.items():
        if not (_VARIABLE.fullmatch(name) or in_records(info)):
            raise ValueError(f"can't have {name!r} as a name: it may have letters, digits and _ - . and no spaces")
        if "\0" in value:
            raise ValueError(f"can't have a zero byte, as {name} has")
    return environment


#: Environment variables, by name.
Environment = Annotated[dict[str, str], AfterValidator(_names_variables)]


class WorkerShape(Input):
    """What one worker has: `cpus` CPUs, `memory` bytes, `gpus` GPUs."""

    cpus: Annotated[float, Field(gt=0, le=1024)]
    memory: Bytes
    gpus: Annotated[int, Field(ge=0, le=64)] = 0


class Group(Input):
    """Workers of one shape.

    `cpus` is CPUs a worker (its threads, rounded, at least one), `memory` its limit in bytes, `gpus` whole GPUs.
    Of a `spot` group the first `base` workers are on demand all the same. `workers` is how many to start with;
    `minimum` and `maximum` bound scaling by hand and adaptive scaling.
    """

    name: Name = "default"
    cpus: Annotated[float, Field(gt=0, le=1024)] = 1
    memory: Annotated[Bytes, AfterValidator(_enough), Field(examples=[2 * 1024**3])] = 2 * 1024**3
    gpus: Annotated[int, Field(ge=0, le=64)] = 0
    spot: bool = False
    base: Annotated[int, Field(ge=0, le=MOST_WORKERS)] = 0
    workers: Annotated[int, Field(ge=0, le=MOST_WORKERS)] = 2
    minimum: Annotated[int, Field(ge=0, le=MOST_WORKERS, validate_default=True)] = 0
    maximum: Annotated[int, Field(ge=0, le=MOST_WORKERS, validate_default=True)] = 8
    adaptive: bool = False
    #: What only the profile's place knows; the place says what there may be, and checks it.
    options: dict[str, Any] = {}
    #: What its workers had before they were sized by the advice of a run: what was saved by that is told from it.
    before: WorkerShape | None = None

    @property
    def threads(self) -> int:
        """Dask threads of one worker."""
        return max(1, round(self.cpus))

    @field_validator("minimum")
    @classmethod
    def _is_at_most_the_start(cls, minimum: int, info: ValidationInfo) -> int:
        if minimum > (workers := info.data.get("workers", minimum)):
            raise ValueError(f"must be at most the {count(workers, 'worker')} to start with")
        return minimum

    @field_validator("maximum")
    @classmethod
    def _is_at_least_the_start(cls, maximum: int, info: ValidationInfo) -> int:
        if maximum < (workers := info.data.get("workers", maximum)):
            raise ValueError(f"must be at least the {count(workers, 'worker')} to start with")
        return maximum

    def check(self, workers: int) -> int:
        """`workers`, if the group allows it.

        Raises
        ------
        OutOfRange : below the minimum or above the maximum.
        """
        if not self.minimum <= workers <= self.maximum:
            raise OutOfRange(
                f"Group {self.name!r} can't have {workers} workers",
                f"its profile allows {self.minimum} to {self.maximum}",
                "Ask for a number in between, or use a profile with another range.",
            )
        return workers


class Limits(Input):
    """When a cluster ends by itself. None switches a limit off.

    `idle_timeout`: seconds without work. `lifetime`: seconds since the start. `budget`: money, in the price's currency.
    `unknown_price`: what a budget makes of workers whose price nobody knows: `assume` holds what they use against it,
    at a reference price and a quarter more; `refuse` ends the cluster; `ignore` takes no notice of them.
    `restarts`: how many dead workers of a group are replaced within ten minutes before the group waits for a person.
    """

    idle_timeout: Period | None = 20 * 60
    lifetime: Period | None = 24 * 3600
    budget: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    unknown_price: Annotated[Literal["assume", "refuse", "ignore"], otherwise("assume")] = "assume"
    restarts: Annotated[int, Field(ge=0, le=1000)] = 10


class Promised(Input):
    """What the advice that a profile was saved from promised, so that what came of it can be told.

    `run` is the name of the runs that are compared, those of `owner`; empty where the advice was of all runs of a
    cluster. `profile` is what they ran on before, and `since` when this one took its place, in seconds since the epoch.
    `saving` is the part of the money that its workers cost less (0.62); None where nobody could tell.
    """

    run: Label = ""
    owner: Label = ""
    profile: Label
    saving: Annotated[float, Field(allow_inf_nan=False)] | None = None
    since: Time


class Profile(Input):
    """A named way to make a cluster: place, worker groups, environment, limits, price."""

    name: Name
    title: Label = ""
    description: Saying = ""
    place: Place = "local"
    groups: Annotated[list[Group], Field(min_length=1, max_length=16)]
    environment: Environment = {}
    limits: Limits = Limits()
    price: Price | None = None
    #: What only the place knows; the place says what there may be, and checks it.
    options: dict[str, Any] = {}
    #: Of one that was saved from advice.
    promise: Promised | None = None
    source: Annotated[Literal["shipped", "admin", "user"], otherwise("user")] = "shipped"

    @model_validator(mode="before")
    @classmethod
    def _read_old_options(cls, data: Any) -> Any:
        return _with_options(data) if isinstance(data, Mapping) else data

    @model_validator(mode="after")
    def _unique_groups(self) -> Profile:
        names = [group.name for group in self.groups]
        if len(set(names)) < len(names):
            raise ValueError(f"groups must have different names, got {', '.join(names)}")
        return self

    def group(self, name: str | None = None) -> Group:
        """The group of that name, or the first.

        Raises
        ------
        UnknownGroup : there is none; a near name is suggested.
        """
        for group in self.groups:
            if name is None or group.name == name:
                return group
        assert name is not None
        raise UnknownGroup.named(name, [group.name for group in self.groups])


def _with_options(data: Mapping[str, Any]) -> dict[str, Any]:
    """A profile as 0.1.0 wrote it, in users' files and in the specs of clusters, with `options`.

    It had fields of its own for the options of the place Kubernetes, also in profiles of other places, which ignored
    them.
    """
    here = data.get("place") == "kubernetes"
    read = {name: value for name, value in data.items() if name != "kubernetes"}
    if here and "kubernetes" in data:
        read["options"] = {**data["kubernetes"], **data.get("options", {})}
    if isinstance(data.get("groups"), list):
        read["groups"] = [_group_with_options(group, here) for group in data["groups"]]
    return read


def _group_with_options(group: Any, here: bool) -> Any:
    if not isinstance(group, Mapping) or "pod" not in group:
        return group
    read = {name: value for name, value in group.items() if name != "pod"}
    if here and group["pod"]:
        read["options"] = {"pod": group["pod"], **group.get("options", {})}
    return read
