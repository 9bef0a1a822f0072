"""Which names compiled code reads before it has surely set them.

The compiler knows best what is read and set, in which order and in which scope, and it does not mind how deeply code is
nested. So its instructions are followed here along every way that they may take.
"""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import NamedTuple

_READS = frozenset({"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS", "DELETE_NAME", "DELETE_GLOBAL"})
_STORES = frozenset({"STORE_NAME", "STORE_GLOBAL"})
_DELETES = frozenset({"DELETE_NAME", "DELETE_GLOBAL"})

#: After these the next instruction isn't reached. One that is missing here only makes more names be taken along.
_ENDS = frozenset({
    "RETURN_VALUE",
    "RETURN_CONST",
    "RAISE_VARARGS",
    "RERAISE",
    "JUMP_FORWARD",
    "JUMP_BACKWARD",
    "JUMP_BACKWARD_NO_INTERRUPT",
    "JUMP_ABSOLUTE",
})  # fmt: skip

#: Names that every class body sets and reads by itself.
_OF_CLASSES = frozenset({"__name__", "__module__", "__qualname__", "__classcell__", "__annotations__"})


@dataclass
class Flow:
    """What code does with the names around it."""

    reads: set[str] = field(default_factory=set)
    #: In their order.
    assigns: dict[str, None] = field(default_factory=dict)
    #: Names that functions and classes inside reach as globals only.
    only_global: set[str] = field(default_factory=set)


class _Way(NamedTuple):
    """From an instruction to one that may follow. `before`: without what the first one sets, since it raised."""

    target: int
    before: bool


def flow_of(code: CodeType, known: frozenset[str], suppresses: bool) -> Flow:
    """How the module `code` uses names, of which `known` are set before. `suppresses` is whether its `with` blocks may
    end exceptions, so that what comes after such a block may run without all of it."""
    found = Flow()
    steps = _steps(code)
    for step, is_set in _states(code, steps, known, suppresses):
        if step.opname in _STORES:
            found.assigns[step.argval] = None
        for name in _needs(step):
            if name not in is_set:
                found.reads.add(name)
        if isinstance(step.argval, CodeType):
            _look_inside(step.argval, found)
    declared = {step.argval for step in steps if step.opname == "STORE_GLOBAL"}
    found.only_global |= declared
    return found


@functools.lru_cache(maxsize=1000)
def _steps(code: CodeType) -> tuple[dis.Instruction, ...]:
    return tuple(dis.get_instructions(code))


def _look_inside(code: CodeType, found: Flow) -> None:
    for inner in codes_in(code):
        for step in _steps(inner):
            if step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                found.only_global.add(step.argval)
                if step.opname == "STORE_GLOBAL":
                    found.assigns[step.argval] = None
        found.only_global |= names_of_class(inner)


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """`code`, and that of the functions and classes in it."""
    todo = [code]
    while todo:
        one = todo.pop()
        yield one
        todo += [constant for constant in one.co_consts if isinstance(constant, CodeType)]


def _needs(step: dis.Instruction) -> set[str]:
    """The names from outside that a step needs: itself, or what it defines once that is called."""
    if step.opname in _READS:
        return {step.argval}
    if not isinstance(step.argval, CodeType):
        return set()
    found: set[str] = set()
    for code in codes_in(step.argval):
        if code.co_flags & inspect.CO_OPTIMIZED:
            found |= {inner.argval for inner in _steps(code) if inner.opname in _READS}
        found |= names_of_class(code)
    return found


def names_of_class(code: CodeType) -> set[str]:
    """The names that a class body takes from around it, functions in it aside; none for the code of a function."""
    if code.co_flags & inspect.CO_OPTIMIZED:
        return set()
    steps = _steps(code)
    reads = {
        step.argval
        for step, is_set in _states(code, steps, _OF_CLASSES, suppresses=False)
        if step.opname in _READS and step.argval not in is_set
    }
    return reads - _OF_CLASSES


def _states(
    code: CodeType, steps: Sequence[dis.Instruction], known: frozenset[str], suppresses: bool
) -> Iterator[tuple[dis.Instruction, frozenset[str]]]:
    """The steps that can be reached, each with the names that are surely set before it."""
    places = {step.offset: number for number, step in enumerate(steps)}
    ways = _ways(code, steps, places, suppresses)
    states: list[frozenset[str] | None] = [None] * len(steps)
    states[0] = known
    todo = [0]
    while todo:
        number = todo.pop()
        before = states[number]
        assert before is not None
        after = _after(steps[number], before)
        for way in ways[number]:
            old, new = states[way.target], before if way.before else after
            joined = new if old is None else old & new
            if joined != old:
                states[way.target] = joined
                todo.append(way.target)
    for step, state in zip(steps, states, strict=True):
        if state is not None:
            yield step, state


def _after(step: dis.Instruction, before: frozenset[str]) -> frozenset[str]:
    if step.opname in _STORES:
        return before | {step.argval}
    return before - {step.argval} if step.opname in _DELETES else before


def _ways(
    code: CodeType, steps: Sequence[dis.Instruction], places: dict[int, int], suppresses: bool
) -> list[list[_Way]]:
    ways: list[list[_Way]] = [[] for _ in steps]
    for number, step in enumerate(steps):
        if step.opname not in _ENDS and number + 1 < len(steps):
            ways[number].append(_Way(number + 1, before=False))
        jumps = step.opcode in dis.hasjrel or step.opcode in dis.hasjabs
        if jumps and (suppresses or step.opname not in ("SETUP_WITH", "SETUP_ASYNC_WITH")):
            ways[number].append(_Way(places[step.argval], before=False))
    for entry in getattr(dis.Bytecode(code), "exception_entries", ()):  # Python 3.10 has steps for them instead
        handler = places[entry.target]
        if not suppresses and _ends_a_with(steps, handler):
            continue
        for number, step in enumerate(steps):
            if entry.start <= step.offset < entry.end:
                ways[number].append(_Way(handler, before=True))
    return ways


def _ends_a_with(steps: Sequence[dis.Instruction], handler: int) -> bool:
    return any(step.opname == "WITH_EXCEPT_START" for step in steps[handler : handler + 2])
