"""What an hour of a worker costs, and who says so."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .model import Model

HOUR = 3600.0
GB = 1e9

Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Price(Model):
    """Rates per resource-hour. A rate that nobody named is None: unknown, never free.

    `cpu_hour`, `gb_hour` and `gpu_hour` are money for one CPU, one GB (10⁹ bytes) of memory and one GPU for an hour.
    """

    cpu_hour: Rate | None = None
    gb_hour: Rate | None = None
    gpu_hour: Rate | None = None
    currency: Annotated[str, Field(min_length=1, max_length=8)] = "USD"
    source: str = "no price is set"
    date: str = ""

    def per_hour(self, cpus: float, memory: float, gpus: float = 0) -> float | None:
        """Money for one hour of `cpus` CPUs, `memory` bytes and `gpus` GPUs; None when a needed rate is unknown.

        The sum of resource times rate, as in the OpenCost specification (opencost.io/docs/specification). A rate is
        needed when its resource is used; of CPU and memory one suffices, for people who price by one of them.
        """
        if self.cpu_hour is None and self.gb_hour is None:
            return None
        if gpus and self.gpu_hour is None:
            return None
        return cpus * (self.cpu_hour or 0) + memory / GB * (self.gb_hour or 0) + gpus * (self.gpu_hour or 0)


class Usage(Model):
    """Resources held over time. Addable, so that totals per group, run or cluster are sums."""

    worker_hours: float = 0
    cpu_hours: float = 0
    gb_hours: float = 0
    gpu_hours: float = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            worker_hours=self.worker_hours + other.worker_hours,
            cpu_hours=self.cpu_hours + other.cpu_hours,
            gb_hours=self.gb_hours + other.gb_hours,
            gpu_hours=self.gpu_hours + other.gpu_hours,
        )


class Cost(Model):
    """Money so far and per hour, with what it rests on. `amount` None means that a rate is unknown."""

    amount: float | None = None
    per_hour: float | None = None
    currency: str = "USD"
    source: str = "no price is set"
    date: str = ""
    usage: Usage = Usage()


def usage_of(seconds: float, cpus: float, memory: float, gpus: float = 0) -> Usage:
    """What one worker of `cpus` CPUs, `memory` bytes and `gpus` GPUs uses in `seconds`.

    Raises
    ------
    ValueError : the interval is negative.
    """
    if seconds < 0:
        raise ValueError(f"an interval can't be negative, got {seconds} s")
    hours = seconds / HOUR
    return Usage(worker_hours=hours, cpu_hours=hours * cpus, gb_hours=hours * memory / GB, gpu_hours=hours * gpus)


def amount_of(usage: Usage, price: Price) -> float | None:
    """Money for `usage` at `price`; None when unknown."""
    return price.per_hour(usage.cpu_hours, usage.gb_hours * GB, usage.gpu_hours)
