"""What can go wrong, named by meaning.

Every error that a user may see is a `MlopsError` with three parts: what happened, why, and what to do. The server
maps the classes to HTTP statuses in one table; the kernel and the command line print the same sentences.

    MlopsError
    ├── InvalidInput            the request can't be right, whatever the state: fix the input
    │   ├── InvalidSpec         a profile, group or option with a wrong type or range
    │   ├── InvalidItems        the items of a map can't be iterated or split
    │   ├── InvalidCell         the cell doesn't compile
    │   ├── NotPicklable        a variable can't travel to a worker
    │   ├── AmbiguousName       a name that several clusters have
    │   └── OutOfRange          workers outside a group's minimum and maximum
    ├── NotFound
    │   ├── UnknownProfile  ├── UnknownCluster  ├── UnknownGroup
    │   ├── UnknownWorker   ├── UnknownRun      ├── UnknownOperation
    │   ├── UnknownModel    ├── UnknownVersion  ├── UnknownService
    │   └── UnknownPriceList
    ├── Conflict                right in itself, but not in this state
    │   ├── NameTaken
    │   ├── ClusterEnded
    │   ├── NotRepeatable       a run whose input was not kept
    │   ├── ModelChanged        a version that isn't what was saved
    │   ├── GatesFailed         a version that may not become the champion
    │   └── Unreadable          a stored file or an answer that isn't what it should be
    ├── VersionMismatch         kernel and cluster differ in a way that breaks runs
    ├── Refused                 the caller may not do this
    ├── Unavailable             try again later or elsewhere
    │   ├── ClusterUnreachable
    │   │   └── AnswerRefused   what answers in its place sends more than plain data
    │   ├── StartFailed
    │   ├── NotReady            what was waited for did not come in time; a TimeoutError, too
    │   └── StorageFull
    └── RunError                the user's own code
        ├── RunFailed           it raised; the cause is chained
        ├── ItemsFailed         some items of a map raised; all are listed
        ├── RunCancelled
        ├── RunTimeout
        ├── RunOverBudget
        └── RunLost             the cluster or kernel that held it is gone
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from .words import harmless

#: Characters of a part of an error, and of a name that is looked for.
MOST_SAID, _MOST_NAME = 20_000, 200


class MlopsError(Exception):
    """An error that may be shown to a user.

    Parameters
    ----------
    what : what happened, one sentence without a full stop.
    why : the cause, when known.
    todo : what the user can do about it.
    """

    def __init__(self, what: str, why: str = "", todo: str = "") -> None:
        self.what, self.why, self.todo = (harmless(text, MOST_SAID) for text in (what, why, todo))
        super().__init__(self.what, self.why, self.todo)

    @property
    def words(self) -> str:
        """What happened and why, without what to do."""
        return f"{self.what}: {self.why}" if self.why else self.what

    def __str__(self) -> str:
        words = self.words
        sentence = words if words.endswith((".", "!", "?")) else words + "."
        return f"{sentence} {self.todo}" if self.todo else sentence


class InvalidInput(MlopsError):
    """The request can't be right, whatever the state."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a field of what people send.

    `at` is its path ("groups.0.memory"), empty for the whole; `words` go on after its name ("is missing"); `given` is
    what was sent, as Python writes it, empty where the words have it.
    """

    at: str
    words: str
    given: str = ""


class InvalidSpec(InvalidInput):
    """A profile, group or option has a wrong type or range.

    Parameters
    ----------
    faults : the fields that are wrong, where they are known; `why` says the same as a sentence.
    """

    def __init__(self, what: str, why: str = "", todo: str = "", faults: Iterable[Fault] = ()) -> None:
        super().__init__(what, why, todo)
        self.faults = tuple(faults)


class InvalidItems(InvalidInput):
    """The items of a map can't be iterated or split."""


class InvalidCell(InvalidInput):
    """The cell doesn't compile."""


class NotPicklable(InvalidInput):
    """A variable can't travel to a worker."""


class AmbiguousName(InvalidInput):
    """A name that several clusters have: one of them has to be named exactly."""


class OutOfRange(InvalidInput):
    """A number of workers outside what the group allows."""


class NotFound(MlopsError):
    """Nothing has that name."""

    noun = "thing"

    @classmethod
    def named(cls, name: str, known: Iterable[str]) -> NotFound:
        """The error for `name`, with the nearest of the `known` names as a suggestion."""
        name = name if len(name) <= _MOST_NAME else f"{name[:_MOST_NAME]} …"
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        if near:
            todo = f"Did you mean {near[0]!r}?"
        elif known:
            todo = (
                f"There {'is' if len(known) == 1 else 'are'}: {', '.join(known[:8])}{' …' if len(known) > 8 else ''}."
            )
        else:
            todo = ""
        return cls(f"There is no {cls.noun} named {name!r}", todo=todo)


class UnknownProfile(NotFound):
    """No profile has that name."""

    noun = "profile"


class UnknownCluster(NotFound):
    """No cluster has that name."""

    noun = "cluster"


class UnknownGroup(NotFound):
    """The cluster has no group of that name."""

    noun = "group"


class UnknownWorker(NotFound):
    """The cluster has, and had, no worker of that name."""

    noun = "worker"


class UnknownRun(NotFound):
    """No run has that id."""

    noun = "run"


class UnknownOperation(NotFound):
    """No operation has that id."""

    noun = "operation"


class UnknownPriceList(NotFound):
    """No price list has that name."""

    noun = "price list"


class UnknownModel(NotFound):
    """No model has that name."""

    noun = "model"


class UnknownVersion(NotFound):
    """The model has no version of that number."""

    noun = "version"


class UnknownService(NotFound):
    """No service has that name."""

    noun = "service"


class Conflict(MlopsError):
    """Right in itself, but not in this state."""


class NameTaken(Conflict):
    """A live cluster, or a shipped profile, already has that name."""


class ClusterEnded(Conflict):
    """The cluster has stopped, or is stopping."""


class NotRepeatable(Conflict):
    """The run's input was not kept, so that it can't be run again from its record."""


class ModelChanged(Conflict):
    """A version of a model isn't what was saved: a file of it has changed, or it gives another answer."""


class GatesFailed(Conflict):
    """A version doesn't fulfil what its model's gates demand of a champion."""


class Unreadable(Conflict):
    """What was stored or sent can't be read: it is damaged, or of a version that changed what it means."""


class VersionMismatch(MlopsError):
    """The kernel and the cluster differ in a way that breaks runs."""


class Refused(MlopsError):
    """The caller may not do this."""


class Unavailable(MlopsError):
    """Not possible now; later, or elsewhere, it may be."""


class ClusterUnreachable(Unavailable):
    """The cluster's scheduler doesn't answer."""


class AnswerRefused(ClusterUnreachable):
    """What answers in a scheduler's place sends more than plain data: it could run code here, and isn't listened to."""


class StartFailed(Unavailable):
    """A cluster or worker could not be started."""


class NotReady(Unavailable, TimeoutError):
    """What was waited for did not come in time; it may still come."""


class StorageFull(Unavailable):
    """The disk that holds the state is full."""


class RunError(MlopsError):
    """The user's own code, or what became of it."""


class RunFailed(RunError):
    """The user's code raised; the cause is chained."""


class ItemsFailed(RunError):
    """Some items of a map raised."""


class RunCancelled(RunError):
    """The run was cancelled, by whom it says."""


class RunTimeout(RunError):
    """The run took longer than it was allowed."""


class RunOverBudget(RunError):
    """The run was stopped before it cost more than it was allowed."""


class RunLost(RunError):
    """The cluster, or the kernel that fed the run, is gone."""
