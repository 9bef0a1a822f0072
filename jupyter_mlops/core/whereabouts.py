"""Where the ranks of a gang spent their time, as looks at their Python code tell, and what would make it less.

A rank is looked at about once a second. Only what such a look can tell is counted, and what nobody can tell, as of
collectives on GPUs, which go on behind the code's back, leads to no words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from .base import Record, first
from .sizing import LACK, Advice, Confidence, GroupUse
from .words import count, listed, percent

#: Looks at each rank before anything is said, and from which on that is sure enough.
ENOUGH, PLENTY = 60, 300

#: The part of the time from which on it is worth a word.
MUCH = 0.3

#: Ranks are alike that differ by no more than this part of the time.
ALIKE = 0.1

#: Ranks that are named, at most.
NAMED = 8


class RankWhereabouts(Record):
    """How often a rank was looked at, and how often it was then: `talking`, in a collective operation of PyTorch,
    where it sends, receives, or waits for the others; `loading`, waiting for the processes of its `DataLoader`;
    `reading`, making a batch itself, as a `DataLoader` without processes does. `blind` is how often nobody could say
    whether it was in a collective."""

    looks: int = 0
    talking: int = 0
    loading: int = 0
    reading: int = 0
    blind: int = 0


class GangWhereabouts(Record):
    """Where all ranks of a gang were, as parts of the time.

    `looks` is how often the rank was looked at that was looked at least. `talking` is the part of the one that was in
    collectives least, `talking_most` that of the one that was there most, `least` are those that were there about as
    little as the first one: what they were there for was no waiting for others. `loading` and `reading` are means.
    `blind`: whether nobody can say anything of collectives.
    """

    ranks: int = 0
    looks: int = 0
    talking: float = 0
    talking_most: float = 0
    least: Annotated[list[int], first(NAMED)] = []
    loading: float = 0
    reading: float = 0
    blind: bool = False


def together(ranks: Mapping[int, RankWhereabouts]) -> GangWhereabouts | None:
    """Where a gang was, from where each of its ranks was; None where one of them was never looked at."""
    if not ranks or not all(each.looks for each in ranks.values()):
        return None
    talking = {rank: each.talking / each.looks for rank, each in ranks.items()}
    least = min(talking.values())
    return GangWhereabouts(
        ranks=len(ranks),
        looks=min(each.looks for each in ranks.values()),
        talking=round(least, 3),
        talking_most=round(max(talking.values()), 3),
        least=sorted(rank for rank, share in talking.items() if share <= least + ALIKE)[:NAMED],
        loading=round(sum(each.loading / each.looks for each in ranks.values()) / len(ranks), 3),
        reading=round(sum(each.reading / each.looks for each in ranks.values()) / len(ranks), 3),
        blind=any(each.blind for each in ranks.values()),
    )


def advice_on(where: GangWhereabouts | None, use: GroupUse | None) -> list[Advice]:
    """What is to be said of a gang that is over, from where its ranks were and what they used of their workers. It
    names no other workers, so that no profile can follow it. Nothing where they were looked at too little, or where
    they computed for most of the time."""
    if where is None or use is None or where.looks < ENOUGH:
        return []
    texts = [text for text in (_data(where, use), _talk(where)) if text]
    return [
        Advice(
            kind="waits",
            group=use.group,
            cpus=use.cpus,
            memory=use.memory,
            confidence=_confidence(where),
            text=text,
            evidence=_evidence(where),
        )
        for text in texts
    ]


def _data(where: GangWhereabouts, use: GroupUse) -> str:
    """What their data did to them; empty where it was there in time."""
    has_room = use.busy <= use.cpus - 1 + LACK
    used = f"on workers that used {use.busy:.1f} of {count(use.cpus, 'CPU')} at most"
    if where.loading >= MUCH:
        said = f"Its ranks waited for the processes of their DataLoader for {percent(where.loading)} of the time"
        if has_room:
            return f"{said}, {used}: more of these processes (num_workers), or files that are nearer, may be faster"
        return f"{said}, and all CPUs were used: workers with more, or data that is prepared beforehand, may be faster"
    if where.reading >= MUCH:
        said = f"Its ranks made their batches themselves for {percent(where.reading)} of the time"
        if has_room:
            return f"{said}, {used}: processes that do so meanwhile (DataLoader(num_workers=…)) may be faster"
        return f"{said}, and all CPUs were used: data that is prepared beforehand may be faster"
    return ""


def _talk(where: GangWhereabouts) -> str:
    """What they had to do with each other; empty where that was little, or nobody can say."""
    if where.blind or where.ranks < 2:
        return ""
    if where.talking >= MUCH:
        return (
            f"Each of its ranks spent {percent(where.talking)} of the time or more in collectives, sending, receiving "
            "or waiting for the others: larger batches, gradients that are summed up over several of them (no_sync), "
            "or fewer ranks on workers with more CPUs may do the same for less"
        )
    if where.talking_most - where.talking < MUCH or len(where.least) > where.ranks / 2:
        return ""
    if where.loading + where.reading >= MUCH:  # what there is to say of it is said
        return ""
    nouns = "rank" if len(where.least) == 1 else "ranks"
    others = "the other one" if where.ranks == 2 else "others"
    return (
        f"For up to {percent(where.talking_most)} of the time {others} waited in collectives for {nouns} "
        f"{listed([str(rank) for rank in where.least])}: there is more to do there, or the machine is slower"
    )


def _confidence(where: GangWhereabouts) -> Confidence:
    return "high" if where.looks >= PLENTY else "fair"


def _evidence(where: GangWhereabouts) -> str:
    parts = [f"waiting for a DataLoader {percent(where.loading)}", f"making batches {percent(where.reading)}"]
    if where.blind:
        parts.append("in collectives: nobody can say, where they go on on GPUs")
    elif where.ranks > 1:
        parts.append(f"in collectives {percent(where.talking)} to {percent(where.talking_most)}")
    return (
        f"The Python code of each of {count(where.ranks, 'rank')} was looked at about once a second, {where.looks:,} "
        f"times at least: {listed(parts)}. Confidence: {_confidence(where)}"
    )
