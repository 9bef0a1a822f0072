"""What a command waits for, on standard error while it waits."""

from __future__ import annotations

import shutil
import sys
import time

from ..client.clusters.problems import problem_sentence, problems_of
from ..client.words import waits_for
from ..controller.link import Link
from ..core.base import Seconds
from ..core.cluster import ClusterState
from ..core.words import span
from .harmless import HarmlessStream

#: Seconds between two lines where they can't be written over each other: in a file, or in another program's log.
_EVERY: Seconds = 30.0

#: Seconds in which a place refuses what it won't give.
_REFUSES: Seconds = 5.0


class WaitingLine:
    """One line that is written anew in a terminal, and is gone when the wait is over."""

    def __init__(self, name: str) -> None:
        self._name, self._began = name, time.monotonic()
        self._live = sys.stderr.isatty()
        self._told = self._began

    def __enter__(self) -> WaitingLine:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def tell(self, state: ClusterState) -> None:
        """This is how far it is."""
        now = time.monotonic()
        text = f"{self._name}: {waits_for(state)} ({span(now - self._began)})"
        if self._live:
            self._rewrite(text[: shutil.get_terminal_size().columns - 1])
        elif now - self._told >= _EVERY:
            self._told = now
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def note(self, sentence: str) -> None:
        """This is in the way."""
        self._clear()
        note(sentence)

    def _clear(self) -> None:
        if self._live:
            self._rewrite("")
            sys.stderr.flush()

    def _rewrite(self, text: str) -> None:
        assert isinstance(sys.stderr, HarmlessStream)  # as for all commands
        sys.stderr.rewrite_line(text)


async def note_refusals(link: Link, group: str | None) -> ClusterState:
    """Say what keeps a cluster from having the workers that it was just asked to have, if that is known in a few
    seconds; its newest state.

    `group`: that was asked to have them (None: the first one). What is wrong with others is said, too, but is no reason
    not to wait for what will be wrong with this one.
    """
    deadline = time.monotonic() + _REFUSES
    view = await link.view(workers=False)
    while not _is_settled(view.state, group) and (left := deadline - time.monotonic()) > 0:
        view = await link.watch(view.seq, left, workers=False)
    for name, problem in problems_of(view.state):
        note(problem_sentence(name, problem))
    return view.state


def note(sentence: str) -> None:
    """Something is wrong, and the command goes on."""
    sys.stderr.write(f"! {sentence}\n")
    sys.stderr.flush()


def _is_settled(state: ClusterState, group: str | None) -> bool:
    """Whether a group has the workers that it should have, or something is wrong with it."""
    asked = next(each for each in state.groups if group in (None, each.name))
    return asked.problem is not None or asked.counts.idle + asked.counts.busy == asked.wanted
