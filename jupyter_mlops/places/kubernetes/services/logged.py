"""What a service's pods have logged. What is in a pod goes with it, so whoever looks copies it to this machine, and
what is asked is answered from the copy.

A label goes to the pod that has its row, too, which may have to know how good a version is; and a key is forgotten in
all of them.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from pydantic_core import from_json

from ....core.base import Seconds, Time
from ....core.elsewhere import ServiceSeen
from ....core.errors import Unavailable
from ....core.label import JoinedLabels, add_unknown, added_up, told_apart
from ....core.log_questions import MOST_ASKED, ForgottenKey, LogCopy, LoggedIds, LoggedSince, SomeLabels
from ....core.performance import Performance
from ....core.service import ServiceSpec
from ....home.elsewhere import ElsewhereFolder
from ....home.request_copies import take
from ....home.request_files import LoggedPieces
from ....home.services import performance_from
from .asked import told_by

#: Seconds before the last change that was copied from which on it is looked again: rows come to a log some seconds
#: after they were answered.
_LATE: Seconds = 120.0

#: Seconds between two tidyings of a copy.
_TIDY: Seconds = 900.0

_T = TypeVar("_T")


class PodRequestLogs(Protocol):
    """Asks the logs of the pods that are ready, as `PodAsker` does."""

    @property
    def pods(self) -> list[str]:
        """Their names."""

    async def of_log(self, pod: str, question: str, body: bytes) -> bytes:
        """What the log of one answers; raises `Unavailable`."""

    async def of_all_logs(self, question: str, body: bytes) -> list[bytes]:
        """What all answer; raises `Unavailable` where one doesn't."""


class CopiedLog:
    """The logs of a service's pods, and their copy.

    Parameters
    ----------
    pods : how many it has, those that aren't ready, too.
    """

    def __init__(self, asker: PodRequestLogs, folder: ElsewhereFolder, spec: ServiceSpec, pods: int) -> None:
        self._asker, self._folder, self._spec, self._pods = asker, folder, spec, pods
        self._log = folder.requests

    async def copy(self, *, of_all: bool = False) -> None:
        """Copy what is new.

        Parameters
        ----------
        of_all : whether each pod that is ready has to tell, and one of them there has to be, if there are any.

        Raises
        ------
        Unavailable : none tells, or, with `of_all`, one doesn't.
        Unreadable, StorageFull, Refused : the copy can't be made.
        """
        if of_all and self._pods and not self._asker.pods:
            raise Unavailable("Nobody can say what is logged", "none of its pods is ready", "Try again when one is.")
        copied = (await asyncio.to_thread(self._folder.seen)).copied
        told = await asyncio.gather(
            *(self._copy(pod, copied.get(pod, 0.0)) for pod in self._asker.pods), return_exceptions=True
        )
        if unknown := [each for each in told if isinstance(each, BaseException) and not isinstance(each, Unavailable)]:
            raise unknown[0]
        silent = [each for each in told if isinstance(each, Unavailable)]
        if silent and (of_all or len(silent) == len(told)):
            raise silent[0]
        await asyncio.to_thread(self._tidy)

    async def _copy(self, pod: str, since: Time) -> None:
        """Copy what one has that is new."""
        asked = LoggedSince(since=max(0.0, since - _LATE))
        while True:
            told = await self._asker.of_log(pod, "copy", asked.model_dump_json().encode())
            copy, before = told_by(pod, LogCopy, told), (asked.since, asked.after)
            await asyncio.to_thread(take, self._log, copy)
            if copy.rows:
                asked = LoggedSince(since=copy.rows[-1].changed, after=copy.rows[-1].id)
                await asyncio.to_thread(self._note, pod, asked.since)
            if not (copy.more and (asked.since, asked.after) > before):
                return

    def _note(self, pod: str, until: Time) -> None:
        """Go on from there the next time. A moment of the future is of a clock that was set back since."""

        def change(seen: ServiceSeen) -> None:
            known = {**seen.copied, pod: min(until, time.time())}
            seen.copied = {name: at for name, at in known.items() if name in self._asker.pods}

        self._folder.see(change)

    def _tidy(self) -> None:
        now = time.time()
        if 0 <= now - self._folder.seen().tidied < _TIDY or not self._log.exists():
            return
        if self._log.tidy(now, self._spec.keep):
            self._folder.see(lambda seen: setattr(seen, "tidied", now))

    async def performance(self) -> Performance | None:
        """How good the wanted version is; None before anything was logged of it."""
        await self.copy()

        def measure() -> Performance | None:
            found = self._log.tallies(self._spec.digest)
            return performance_from(self._spec, *found) if found[0] else None

        return await asyncio.to_thread(measure)

    async def label(self, pairs: Iterable[tuple[str, object]]) -> JoinedLabels:
        """Join each label to its row, in the pod that has it, and in the copy. Raises as `copy` of all: what was joined
        before is there already when they are sent again."""
        joined = JoinedLabels()
        labels = told_apart(pairs, joined)
        told = await asyncio.gather(*(self._label(pod, labels) for pod in self._asker.pods))
        await self.copy(of_all=True)
        known = set[str]().union(*(ids for _, ids in told))
        rest = {id: label for id, label in labels.items() if id not in known}

        def label_gone() -> JoinedLabels:
            """Those of rows whose pods are gone."""
            its = self._log.known(rest)
            return self._log.label([(id, rest.pop(id)) for id in its], self._spec.log, time.time())

        joined = added_up([joined, *(each for each, _ in told), await asyncio.to_thread(label_gone)])
        add_unknown(rest, self._spec.log, joined)
        return joined

    async def _label(self, pod: str, labels: Mapping[str, object]) -> tuple[JoinedLabels, set[str]]:
        """What became of those labels whose rows a pod has, and their ids."""
        joined, known = [], set[str]()
        for some in _parts(list(labels)):
            told = await self._asker.of_log(pod, "known", LoggedIds(ids=list(some)).model_dump_json().encode())
            its = [id for id in told_by(pod, LoggedIds, told).ids if id in labels]
            if its:
                asked = SomeLabels(labels=[(id, labels[id]) for id in its]).model_dump_json().encode()
                told = await self._asker.of_log(pod, "labels", asked)
                joined.append(told_by(pod, JoinedLabels, told))
                known.update(its)
        return added_up(joined), known

    async def rows(self, since: Time) -> list[dict[str, Any]]:
        """The rows that were logged since, as `RequestLog.rows`. Raises as `copy` of all."""
        await self.copy(of_all=True)
        return await asyncio.to_thread(self._log.rows, since)

    async def logged(self, since: Time) -> LoggedPieces:
        """The same as `RequestLog.logged`."""
        await self.copy(of_all=True)
        return await asyncio.to_thread(self._log.logged, since)

    async def forget(self, key: str) -> int:
        """Remove what a key's requests left, in each pod and in the copy; how many rows that were. Raises `Unavailable`
        where a pod doesn't do so: it may have more of them."""
        if len(self._asker.pods) < self._pods:
            why = f"{self._pods - len(self._asker.pods)} of its pods can't be asked now, and may have more"
            raise Unavailable("The key isn't forgotten everywhere", why, "Forget it again when all are ready.")
        await self.copy(of_all=True)
        told = await self._asker.of_all_logs("forget", ForgottenKey(key=key).model_dump_json().encode())
        in_pods = sum(int(from_json(each).get("rows", 0)) for each in told)
        here = await asyncio.to_thread(lambda: self._log.forget(key, time.time()) if self._log.exists() else 0)
        return max(in_pods, here)


def _parts(ids: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """So many at a time as one question may have."""
    rest = iter(ids)
    while some := list(itertools.islice(rest, MOST_ASKED)):
        yield some
