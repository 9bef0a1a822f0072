"""Where a run's code is at this moment."""

from __future__ import annotations

from .base import Label, Record, Saying

#: What is said in the place of a stack that isn't to be had.
NONE = "no Python code of its own is under way: it waits or computes in C code, or has just ended"


#: The same of a process that waits for SIGCONT.
STOPPED = "its process is stopped (by SIGSTOP, or in a debugger), and does nothing"


class PythonStack(Record):
    """The Python stack of one process of a run: all of its threads, the innermost call first.

    `rank` is None where the run is no gang; `text` is empty where none is to be had, and `why` says why.
    """

    worker: Label = ""
    rank: int | None = None
    text: Saying = ""
    why: Saying = ""

    @property
    def where(self) -> str:
        """Whose it is, in words."""
        return self.worker if self.rank is None else f"rank {self.rank} on {self.worker}"


class PythonStacks(list[PythonStack]):
    """Stacks that show themselves as text."""

    def __repr__(self) -> str:
        return "\n\n".join(f"{each.where}: {each.why}" if each.why else f"{each.where}:\n{each.text}" for each in self)
