"""The profiles that come with the local place."""

from __future__ import annotations

from ...core.profile import Group, Profile


def profiles_for(cpus: int, memory: int) -> list[Profile]:
    """Profiles for a machine of `cpus` CPUs and `memory` bytes.

    A worker gets one CPU; together the starting workers get at most 80 % of the memory.
    """
    cpus = max(1, cpus)
    share = max(256 * 1024**2, int(memory * 0.8 / cpus))
    half = max(1, cpus // 2)
    most = max(4, 2 * cpus)
    return [
        Profile(
            name="this-machine",
            title="This machine",
            description="One worker per CPU; stops 20 minutes after its last work.",
            groups=[Group(workers=cpus, maximum=most, memory=share)],
        ),
        Profile(
            name="gentle",
            title="This machine, gently",
            description="Half of the CPUs, so that the machine stays free for other work.",
            groups=[Group(workers=half, maximum=half, memory=share)],
        ),
        Profile(
            name="elastic",
            title="This machine, as needed",
            description="No workers at rest; as many as the work needs, up to the CPUs.",
            groups=[Group(workers=0, maximum=cpus, memory=share, adaptive=True)],
        ),
        Profile(
            name="big-memory",
            title="This machine, one big worker",
            description="A single worker with all of the CPUs and 80 % of the memory, for work that can't be split.",
            groups=[Group(workers=1, maximum=1, cpus=cpus, memory=share * cpus)],
        ),
    ]
