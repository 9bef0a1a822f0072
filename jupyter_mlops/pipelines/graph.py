"""Which cells the steps of a notebook need: the last one above that makes what they read, and so on."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..core.errors import Conflict, InvalidCell, InvalidInput, MlopsError, NotFound
from ..core.words import listed
from .cells import CodeCell

#: What a notebook has without a cell that makes it.
_OF_NOTEBOOKS = frozenset({"In", "Out", "_", "__", "___", "display", "exit", "get_ipython", "quit", "__name__"})


@dataclass(frozen=True)
class PlannedStep:
    """A step, with what it needs.

    `reads` are the names that it reads of other steps, each with that step's; `makes` those that it sets. `cells` are
    the numbers of the cells that it needs besides steps: imports, functions, settings. `problem` says why it can't run
    here.
    """

    name: str
    cell: CodeCell
    reads: dict[str, str]
    makes: tuple[str, ...]
    cells: frozenset[int]
    problem: MlopsError | None = None

    @property
    def needs(self) -> list[str]:
        """The steps that it needs, each once."""
        return list(dict.fromkeys(self.reads.values()))


@dataclass(frozen=True)
class Graph:
    """The steps of a notebook in its order, and its cells. `saving` are other cells, which save a model of what steps
    made; they have no names."""

    steps: tuple[PlannedStep, ...]
    cells: tuple[CodeCell, ...]
    saving: tuple[PlannedStep, ...] = ()

    def step(self, name: str) -> PlannedStep:
        """The step of that name.

        Raises
        ------
        NotFound : there is none.
        """
        for each in self.steps:
            if each.name == name:
                return each
        there = f"There are: {', '.join(each.name for each in self.steps)}." if self.steps else "It has no steps."
        raise NotFound(f"There is no step {name!r}", "", there)

    def upstream(self, name: str) -> set[str]:
        """A step with all that it needs."""
        found, todo = set[str](), [self.step(name)]
        while todo:
            each = todo.pop()
            if each.name not in found:
                found.add(each.name)
                todo += [self.step(need) for need in each.needs]
        return found

    def downstream(self, name: str) -> set[str]:
        """A step with all that need it."""
        self.step(name)
        return {each.name for each in self.steps if name in self.upstream(each.name)}

    def to_run(self, until: str | None = None) -> list[CodeCell]:
        """The cells to run, in their order: all steps and what saves models, or `until` and the steps that it needs;
        and what all these need.

        Raises
        ------
        NotFound : there is no such step, or none at all.
        Conflict : steps need each other in a circle.
        InvalidInput, InvalidCell : a step reads a name that no cell above it makes, or isn't Python.
        """
        if not self.steps:
            raise NotFound("This notebook has no steps", "", "Make a cell one: %%mlrun --step NAME")
        wanted = {each.name for each in self.steps} if until is None else self.upstream(until)
        numbers: set[int] = set()
        for each in (*self.steps, *(self.saving if until is None else ())):
            if not each.name or each.name in wanted:
                if each.problem is not None:
                    raise each.problem
                numbers |= {each.cell.number, *each.cells}
        return [cell for cell in self.cells if cell.number in numbers]

    def depth(self, name: str) -> int:
        """How many steps come before a step, one after the other."""
        return max((self.depth(need) + 1 for need in self.step(name).needs), default=0)


def graph_of(cells: Sequence[CodeCell]) -> Graph:
    """The steps among cells, with what they need.

    Raises
    ------
    Conflict : two steps have one name.
    """
    steps = [cell for cell in cells if cell.step]
    for number, cell in enumerate(steps):
        if other := next((each for each in steps[:number] if each.step == cell.step), None):
            why = f"cells {other.number} and {cell.number} of the notebook's code"
            raise Conflict(f"Two steps are called {cell.step!r}", why, "Give one of them another name.")
    others = [_planned(cells, cell) for cell in cells if cell.saves and not cell.step]
    saving = tuple(each for each in others if each.needs)
    return Graph(tuple(_planned(cells, cell) for cell in steps), tuple(cells), saving)


def _planned(cells: Sequence[CodeCell], step: CodeCell) -> PlannedStep:
    """A step with what it needs: its own names first, then those of the cells that make them."""
    reads: dict[str, str] = {}
    needed = {cell.number for cell in _above(cells, step) if cell.is_for_all and not cell.step}
    todo = [(step, name) for name in sorted(step.reads | step.may_read)]
    todo += [(cell, name) for cell in cells if cell.number in needed for name in sorted(cell.reads)]
    seen, problem = set(todo), _not_python(step)
    while todo:
        reader, name = todo.pop()
        found = _makers(cells, reader, step, name)
        if not found and reader is step and name in step.reads:
            problem = problem or _problem(cells, step, name)
        for maker in found:
            if maker.step:
                reads[name] = maker.step
            elif maker.number not in needed:
                needed.add(maker.number)
                new = {(maker, other) for other in maker.reads | maker.may_read} - seen
                seen |= new
                todo += sorted(new, key=lambda each: each[1])
    order = {cell.step: cell.number for cell in cells if cell.step}
    reads = dict(sorted(reads.items(), key=lambda each: (order[each[1]], each[0])))
    return PlannedStep(step.step, step, reads, step.values, frozenset(needed), problem)


def _makers(cells: Sequence[CodeCell], reader: CodeCell, step: CodeCell, name: str) -> list[CodeCell]:
    """The last cell that makes a name before `reader`; and before the step: functions read when they are called."""
    found = [_last(_above(cells, each), name) for each in ([reader] if reader is step else [reader, step])]
    return list(dict.fromkeys(cell for cell in found if cell is not None))


def _last(cells: Iterable[CodeCell], name: str) -> CodeCell | None:
    return next((cell for cell in reversed(list(cells)) if name in cell.makes), None)


def _above(cells: Sequence[CodeCell], cell: CodeCell) -> list[CodeCell]:
    return [each for each in cells if each.number < cell.number]


def _called(cell: CodeCell) -> str:
    return f"The step {cell.step!r}" if cell.step else f"Cell {cell.number}"


def _not_python(step: CodeCell) -> MlopsError | None:
    return InvalidCell(f"The step {step.step!r} isn't valid Python", step.fault, "") if step.fault else None


def _problem(cells: Sequence[CodeCell], step: CodeCell, name: str) -> MlopsError | None:
    """What is wrong with a name that no cell above a step makes; None where there may be one that can't be seen."""
    if hasattr(builtins, name) or name in _OF_NOTEBOOKS or any(cell.hides_names for cell in _above(cells, step)):
        return None
    below = next((cell for cell in cells if cell.number > step.number and name in cell.makes), None)
    if below is None:
        why, todo = "no cell of the notebook makes it", "Make it in a cell above, or look how it is spelled."
        return InvalidInput(f"{_called(step)} reads {name!r}, and it isn't there", why, todo)
    if below.step and step.step and step.makes & _all_reads(cells, below):
        names = listed(sorted(step.makes & _all_reads(cells, below)))
        return Conflict(
            f"The steps {step.step!r} and {below.step!r} need each other",
            f"{step.step} reads {name!r} of {below.step}, which reads {names} of {step.step}",
            "Let one of them read what a step above both of them makes.",
        )
    why = f"only {below.label} makes it, which is below"
    here = "the step" if step.step else step.label
    return InvalidInput(
        f"{_called(step)} reads {name!r} too early",
        why,
        f"Move that cell above {here}.",
    )


def _all_reads(cells: Sequence[CodeCell], cell: CodeCell) -> set[str]:
    """What a cell reads, and what the cells read that it needs."""
    found, todo = set[str](), [cell]
    looked = set[int]()
    while todo:
        each = todo.pop()
        if each.number in looked:
            continue
        looked.add(each.number)
        found |= each.reads
        todo += [maker for name in each.reads if (maker := _last(_above(cells, each), name)) is not None]
    return found
