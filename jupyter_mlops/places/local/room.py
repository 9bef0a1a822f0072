"""Whether a profile's workers have room on this machine."""

from __future__ import annotations

from ...core.errors import Fault
from ...core.profile import Profile
from ...core.words import count, size


def too_much(profile: Profile, memory: int) -> list[Fault]:
    """What no worker can have on a machine with so many bytes of `memory`."""
    faults = []
    for number, group in enumerate(profile.groups):
        if group.gpus:
            faults.append(Fault(f"groups.{number}.gpus", "must be 0: this machine's place has none to give out"))
        if group.memory > memory:
            words = f"is {size(group.memory)} a worker, and this machine has {size(memory)}"
            faults.append(Fault(f"groups.{number}.memory", words))
    return faults


def crowded(profile: Profile, cpus: int, memory: int) -> list[Fault]:
    """What can be had, but not by all at once: workers share the machine's `cpus`, and its bytes of `memory`."""
    faults = []
    for number, group in enumerate(profile.groups):
        if group.cpus > cpus:
            words = f"is {group.cpus:g} a worker, and this machine has {cpus}: its threads take turns"
            faults.append(Fault(f"groups.{number}.cpus", words))
    asked = [group.workers * group.memory for group in profile.groups]
    if sum(asked) > memory:
        workers = count(sum(group.workers for group in profile.groups), "worker")
        words = f"is {size(sum(asked))} for {workers} at the start, and this machine has {size(memory)}"
        faults.append(Fault(f"groups.{asked.index(max(asked))}.memory", words))
    return faults
