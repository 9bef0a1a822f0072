"""What a service's pods have logged, put together: each has a log of its own, and a row is in one of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from pydantic_core import from_json

from ....core.base import Time, read_record
from ....core.errors import Unavailable
from ....core.label import JoinedLabels, add_unknown, added_up, told_apart
from ....core.log_questions import MOST_ASKED, ForgottenKey, LoggedIds, LoggedSince, LoggedTallies, SomeLabels
from ....core.performance import Performance, put_together
from ....core.service import ServiceSpec
from ....home.services import performance_from

_T = TypeVar("_T")


class PodRequestLogs(Protocol):
    """Asks the logs of the pods that are ready, as `PodAsker` does."""

    @property
    def pods(self) -> list[str]:
        """Their names."""

    async def of_log(self, pod: str, question: str, body: bytes) -> bytes:
        """What the log of one answers; raises `Unavailable`."""

    async def of_logs(self, question: str, body: bytes) -> list[bytes]:
        """What those answer that do; raises `Unavailable` where none does."""

    async def of_all_logs(self, question: str, body: bytes) -> list[bytes]:
        """What all answer; raises `Unavailable` where one doesn't."""


async def performance_of_pods(asker: PodRequestLogs, spec: ServiceSpec) -> Performance | None:
    """How good the wanted version is, by what its pods have logged; None before anything was. Raises `Unavailable`."""
    told = [read_record(LoggedTallies, each, "pod's log") for each in await asker.of_logs("tallies", b"")]
    its = [each for each in told if each.digest == spec.digest and each.tallies]
    if not its:
        return None
    tallies = put_together(each.tallies for each in its)
    return await asyncio.to_thread(performance_from, spec, tallies, its[0].task, its[0].unsure)


async def label_in_pods(asker: PodRequestLogs, pairs: Iterable[tuple[str, object]], share: float) -> JoinedLabels:
    """Join each label to its row, in the pod that has it. Raises `Unavailable`: what was joined before is
    there already when they are sent again."""
    _check_asked(asker)
    joined = JoinedLabels()
    labels = told_apart(pairs, joined)
    found = await asyncio.gather(*(_label(asker, pod, labels) for pod in asker.pods))
    joined = added_up([joined, *(each for each, _ in found)])
    add_unknown(labels.keys() - set().union(*(ids for _, ids in found)), share, joined)
    return joined


async def _label(asker: PodRequestLogs, pod: str, labels: Mapping[str, object]) -> tuple[JoinedLabels, set[str]]:
    """What became of those labels whose rows a pod has, and their ids."""
    joined, known = [], set[str]()
    for some in _parts(list(labels)):
        told = await asker.of_log(pod, "known", LoggedIds(ids=list(some)).model_dump_json().encode())
        its = [id for id in read_record(LoggedIds, told, "pod's log").ids if id in labels]
        if its:
            asked = SomeLabels(labels=[(id, labels[id]) for id in its]).model_dump_json().encode()
            joined.append(read_record(JoinedLabels, await asker.of_log(pod, "labels", asked), "pod's log"))
            known.update(its)
    return added_up(joined), known


def _parts(ids: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """So many at a time as one question may have."""
    rest = iter(ids)
    while some := list(itertools.islice(rest, MOST_ASKED)):
        yield some


async def rows_of_pods(asker: PodRequestLogs, since: Time) -> list[dict[str, Any]]:
    """The rows that were logged since, as `RequestLog.rows`; raises `Unavailable`."""
    _check_asked(asker)
    told = await asker.of_all_logs("rows", LoggedSince(since=since).model_dump_json().encode())
    rows = [row for each in told for row in from_json(each)]
    return sorted(rows, key=lambda row: (row["request.time"], row["request.id"]))


def _check_asked(asker: PodRequestLogs) -> None:
    """Raise `Unavailable` where there is no pod to be asked: nobody knows then what is logged."""
    if not asker.pods:
        raise Unavailable("Nobody can say what is logged", "none of its pods is ready", "Try again when one is.")


async def forget_in_pods(asker: PodRequestLogs, key: str, pods: int) -> int:
    """Remove what a key's requests left, in each of `pods`; how many rows that were. Raises `Unavailable` where one
    doesn't do so: it may have more of them."""
    if len(asker.pods) < pods:
        why = f"{pods - len(asker.pods)} of its pods can't be asked now, and may have more"
        raise Unavailable("The key isn't forgotten everywhere", why, "Forget it again when all are ready.")
    told = await asker.of_all_logs("forget", ForgottenKey(key=key).model_dump_json().encode())
    return sum(int(from_json(each).get("rows", 0)) for each in told)
