"""How each kind of run is executed in its runner: one class per kind."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from . import mainmodule
from .cells import pack_names, pack_value, run_cell
from .changes import Attributes, changed
from .code import Code, variables_of
from .displays import Screen, Tell
from .failures import RunStopped, record, short
from .items import ItemBatch
from .mainmodule import is_own
from .pickling import dumps, packed

#: Our own frames start with this file name.
OURS = "<jupyter-mlops"

#: Bytes of pickle up to which it is found out what a cell, and what items changed in place.
COMPARED, COMPARED_ITEMS = 64_000_000, 8_000_000

Outcome = dict[str, Any]


class Kind(ABC):
    """Executes the tasks of a run.

    Parameters
    ----------
    head : what the kernel says of the run.
    code : its code and variables.
    space : the namespace of `__main__`.
    tell : tells the seat of progress.
    """

    def __init__(self, head: dict[str, Any], code: Code, space: dict[str, Any], tell: Tell) -> None:
        self.head, self.code, self.space, self.tell = head, code, space, tell
        self.screen = Screen(tell)

    @abstractmethod
    def execute(self, part: dict[str, Any]) -> Outcome:
        """Execute a task; `part` is what it doesn't share with others. Returns what it gave, as plain data."""

    def _attempts(self, once: Callable[[], Outcome]) -> Outcome:
        """What `once` gives, tried as often as was asked for."""
        for left in range(self.head["retries"], -1, -1):
            try:
                return once()
            except RunStopped:
                raise
            except BaseException as error:  # noqa: BLE001 - the user's code may raise anything
                if not left or not isinstance(error, Exception):
                    return {"errors": [{**record(error, OURS), "index": 0, "item": ""}]}
        raise AssertionError("unreachable")


class Cell(Kind):
    """A plain cell: its statements, and its last expression."""

    #: The notebook's classes and functions that hold something else since the code ran.
    _held: list[str]

    def __init__(self, head: dict[str, Any], code: Code, space: dict[str, Any], tell: Tell) -> None:
        super().__init__(head, code, space, tell)
        self._own = set(space)
        #: What was given to it, once that is known.
        self._given: dict[str, Any] | None = None

    def execute(self, part: dict[str, Any]) -> Outcome:
        """As `Kind.execute`. What a cell has done before it raises is done, as in a notebook."""
        if part.get("rank"):
            return self._attempts(self._of_rank)
        outcome = self._attempts(self._once)
        if outcome.get("errors") and self._given is not None and not self.head["keep"]:
            with contextlib.suppress(Exception):  # no memory, say: its own error is what counts
                outcome |= self._names()
        return outcome

    def _of_rank(self) -> Outcome:
        """In a gang the notebook gets what rank 0 gives, and of the other ranks what it asks all for."""
        self._run()
        names, refused = pack_names(self.space, self.head.get("of_all", []))
        return {"names": names, "refused": refused, "value": None, "bundle": {}, "has_value": False, "held": self._held}

    def _run(self) -> tuple[Any, bool]:
        """The value of its last expression, and whether it has one."""
        for name in self.space.keys() - self._own:  # an earlier attempt's
            del self.space[name]
        variables, _ = self.code.load(self.space)
        self.space.update(variables)
        given = {name: value for name, value in self.space.items() if name not in self._own and not is_own(name)}
        self._given, attributes = given, Attributes(given, self.code.weight <= COMPARED)
        value, has_value = run_cell(self.head["code"], self.head["filename"], self.space)
        self.screen.show_figures()
        self._held = attributes.changed()
        return value, has_value

    def _once(self) -> Outcome:
        value, has_value = self._run()
        if self.head["keep"]:
            kept = {name: self.space[name] for name in self.head["names"] if name in self.space}
            left, held = self._left(), self._held
            return {"kept": dumps(kept), "names": list(kept), "has_value": False, "left": left, "held": held}
        packed, bundle = pack_value(value) if has_value else (None, {})
        told = self._names()
        if not self.head.get("only"):  # those that it set itself before it deleted them
            there = self.space.keys() | (self._given or {}).keys()
            told["deleted"] += [name for name in self.head.get("deletes", []) if name not in there]
        return {**told, "value": packed, "bundle": bundle, "has_value": has_value, "held": self._held}

    def _names(self) -> Outcome:
        """The names that come back, and what it changed in place and deleted."""
        back = list(self.head["names"])
        if self.head.get("only"):
            names, refused = pack_names(self.space, back)
            return {"names": names, "refused": refused, "changed": [], "deleted": [], "left": self._left()}
        made, deleted, touched = self._became()
        names, refused = pack_names(self.space, back + made + touched)
        return {"names": names, "refused": refused, "changed": touched, "deleted": deleted, "left": []}

    def _left(self) -> list[str]:
        """The notebook's names that are something else now, where they don't come back."""
        made, deleted, touched = self._became()
        return touched + [name for name in (*made, *deleted) if name in (self._given or {})]

    def _became(self) -> tuple[list[str], list[str], list[str]]:
        """The names that it made, or made something else, besides those that it says it assigns: by `exec`,
        `globals()["k"] = …`, and functions with a `global`; those that it deleted; and those that it changed in
        place."""
        given = self._given or {}
        deleted = [name for name in given if name not in self.space]  # before a comparison brings classes back
        made = [name for name, each in self.space.items() if given.get(name, self) is not each and self._is_made(name)]
        touched = [name for name in changed(self.code, given, self.space, COMPARED) if name not in self.head["names"]]
        return made, deleted, touched

    def _is_made(self, name: str) -> bool:
        """Whether a name that is something else than before may be the notebook's. What `import *` brings isn't; older
        kernels don't say whether there is one."""
        stars = self.head.get("stars", True)
        is_ours = name in self._own or name in self.head["names"] or is_own(name)
        return not is_ours and (not stars or name in (self._given or {}))


class Function(Kind):
    """A function without arguments."""

    def execute(self, part: dict[str, Any]) -> Outcome:
        """As `Kind.execute`."""
        return self._attempts(self._once)

    def _once(self) -> Outcome:
        function, _ = self.code.load()
        mainmodule.adopt_globals(function)
        given = variables_of(function)
        attributes = Attributes(given, self.code.weight <= COMPARED)
        value = Awaiting(function)()
        self.screen.show_figures()
        left = attributes.changed() + changed(self.code, given, variables_of(function), COMPARED)
        if self.head["keep"]:
            return {"kept": packed(value), "names": None, "left": left}
        return {"value": packed(value), "has_value": True, "left": left}


class Map(Kind):
    """A function over items, a batch at a time."""

    def __init__(self, head: dict[str, Any], code: Code, space: dict[str, Any], tell: Tell) -> None:
        super().__init__(head, code, space, tell)
        function, self._streams = code.load()
        self._loaded = function
        mainmodule.adopt_globals(function)
        #: What items may change in place; None once that was looked at.
        self._given: Mapping[str, Any] | None = variables_of(function)
        self._attributes = Attributes(self._given, code.weight <= COMPARED_ITEMS)
        self._function: Callable[[Any], Any] = Awaiting(function)

    def execute(self, part: dict[str, Any]) -> Outcome:
        """As `Kind.execute`."""
        try:
            items = _listed(pickle.loads(part["items"]))  # noqa: S301 - the user's own
        except Exception as error:  # noqa: BLE001 - a module that is missing here, a class that changed, …
            return self._unreadable(part, error)
        if part.get("careful"):
            return self._one_by_one(part, items)
        batch = self._batch(items, part["start"])
        batch.run(part.get("budget"), self.head["on_error"] == "raise", self._progress)
        if isinstance(self._function, Awaiting) and not self._function.waited:
            self._function = self._loaded  # the same, and faster
        self.screen.show_figures()
        return {"start": part["start"], "left": self._left(), **self._packed(batch)}

    def _left(self) -> list[str]:
        """What the first batch changed in place: for others, and for the notebook, it is lost."""
        given, self._given = self._given, None
        if given is None:
            return []
        left = self._attributes.changed()
        if not given:
            return left
        self._streams.begin(0)  # as they were loaded
        return left + changed(self.code, given, variables_of(self._loaded), COMPARED_ITEMS)

    def _unreadable(self, part: dict[str, Any], error: Exception) -> Outcome:
        """Items that can't be had here: each of them failed of that."""
        found, start, count = {**record(error, OURS), "item": "can't be read"}, part["start"], part["n"]
        errors = [{**found, "index": start + position} for position in range(count)]
        return {"start": start, "left": [], "n": count, "errors": errors, "values": dumps([None] * count)}

    def _one_by_one(self, part: dict[str, Any], items: Any) -> Outcome:
        """Each item by itself, from number `after` of the batch on: told of before and after, since one of them ended
        the process of an earlier attempt."""
        for position in range(part["after"], len(items)):
            self.tell("item", position=position, item=short(items[position]))
            batch = self._batch(items[position : position + 1], part["start"] + position)
            batch.run(None, False, lambda done, failed: None)
            self.screen.show_figures()
            self.tell("result", position=position, **self._packed(batch))
            if batch.errors and self.head["on_error"] == "raise":
                break
        return {}

    def _batch(self, items: Any, start: int) -> ItemBatch:
        streams = self._streams if self._streams else None
        return ItemBatch(self._function, items, start, self.head["retries"], OURS, streams)

    def _packed(self, batch: ItemBatch) -> Outcome:
        try:
            values = dumps(batch.results)
        except Exception:  # noqa: BLE001 - some result can't travel: it becomes its item's error
            batch.drop_unpicklable()
            values = dumps(batch.results)
        return {"n": len(batch.results), "errors": batch.errors, "values": values, "took": batch.took}

    def _progress(self, done: int, failed: int) -> None:
        self.tell("progress", done=done, failed=failed)


def _listed(items: Any) -> Any:
    """Items that know their number, and can be cut."""
    if isinstance(items, (list, range)) or (hasattr(items, "dtype") and not hasattr(items, "iloc")):
        return items
    return list(items)


class Awaiting:
    """Calls a function, and waits for what it gives, if that is a coroutine. All calls share a loop.

    An async function is called within the loop. Of any other it shows only then: a lambda, a partial, an object with an
    async `__call__`.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def waited(self) -> bool:
        """Whether it ever had to."""
        return self._loop is not None

    def __call__(self, *args: Any) -> Any:
        """What the function gives for `args`, waited for."""
        value = self._function(*args)
        if not isinstance(value, types.CoroutineType):
            return value
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop.run_until_complete(value)


KINDS: dict[str, type[Kind]] = {"cell": Cell, "function": Function, "map": Map}
