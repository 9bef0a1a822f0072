"""The user's objects as bytes: big arrays and tables are taken out, and what can't travel is named.

Dask never sees these objects: it would walk through them, element by element, in search of futures.
"""

from __future__ import annotations

import dis
import functools
import inspect
import io
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import CodeType, FunctionType, MethodType
from typing import Any

from ...agent.code import NOTEBOOKS
from ...agent.pickling import Pickler, with_slots
from ...agent.streams import GENERATOR, is_generator
from ...core.errors import NotPicklable
from ...core.words import listed
from ..room import with_room
from .environment import module_of
from .modules import is_installed
from .texts import names_in_code

#: Bytes from which on a variable is put on the cluster once, instead of travelling with every task.
BIG = 10_000_000

#: Seconds of packing after which it is said.
PATIENT = 1.0

#: Told what takes long.
Say = Callable[[str], None]

#: Types of what there is most of, and which is of no package.
_PLAIN = frozenset({int, float, str, bytes, bool, type(None), list, tuple, dict, set, complex})

#: Packages whose arrays and tables know their size.
_SIZED = ("numpy", "pandas", "pyarrow", "scipy", "polars")


class SentPickler(Pickler):
    """Takes big arrays and tables out, wherever they are, and notes which packages the objects are of.

    Parameters
    ----------
    bigs : gets the big ones.
    generators : gets random generators, which are taken out, too; None leaves them where they are.
    """

    def __init__(self, target: io.BytesIO, bigs: list[Any], generators: list[Any] | None = None) -> None:
        super().__init__(target, protocol=5)
        self._bigs, self._generators = bigs, generators
        #: The modules that objects are of.
        self.modules: set[str] = set()
        #: What functions import when they are called, perhaps.
        self.lazy_imports: set[str] = set()
        #: The files that functions were defined in.
        self.files: set[str] = set()
        main = vars(sys.modules["__main__"])
        usual = ("__package__", "__name__", "__path__", "__file__")  # as of any function's namespace
        self.globals_ref[id(main)] = {**{name: main[name] for name in usual if name in main}, NOTEBOOKS: True}

    def reducer_override(self, obj: Any) -> Any:
        """As cloudpickle's, which takes along the globals that a function's own code loads: here also those that its
        texts mean, and those of classes inside of it."""
        made = _made_by_functools(obj)
        if made is not None:
            return made
        reduced = with_slots(obj, super().reducer_override(obj))
        if type(obj) is not FunctionType or not isinstance(reduced, tuple) or len(reduced) < 3:
            return reduced  # it is no function, or has a name there
        attributes, others = reduced[2]
        others["__globals__"] |= meant(obj.__globals__, names_in_code(obj.__code__))
        return (*reduced[:2], (attributes | _borrowed(obj), others), *reduced[3:])

    def persistent_id(self, obj: Any) -> int | str | tuple[str, int] | None:
        """What stands for an object that is taken out; None lets anything else be pickled as usual. Called for each
        object."""
        kind = type(obj)
        if kind in _PLAIN:
            return None
        if kind is CodeType:
            self.lazy_imports |= _imports(obj)
            self.files.add(obj.co_filename)
        if kind is FunctionType and not is_installed(obj.__code__.co_filename):  # it may travel as a name only
            self.lazy_imports |= _imports(obj.__code__)
        if kind is MethodType and obj.__name__ == "get_ipython":
            return "get_ipython"  # a runner has one that says that it is none
        if kind.__module__ == "IPython.core.autocall":
            return "exit"  # the notebook's `exit` and `quit` hold all of it
        self.modules.add(module_of(obj))
        if self._generators is not None and is_generator(obj):
            return GENERATOR, _number_in(self._generators, obj)
        package = kind.__module__.partition(".")[0]
        return _number_in(self._bigs, obj) if package in _SIZED and size_of(obj) >= BIG else None


def _made_by_functools(obj: Any) -> tuple[Any, ...] | None:
    """How what functools makes of functions is made again: a cache of the notebook's would be looked for by its name,
    which no worker has; the others hold what can't be pickled."""
    if type(obj) is _CACHED and obj.__module__ == "__main__":
        return _cached, (obj.__wrapped__, obj.cache_parameters())
    if type(obj) is FunctionType and _dispatches(obj):
        registry = dict(obj.registry)  # type: ignore[attr-defined]  # of such functions
        return _dispatching, (registry.pop(object), registry)
    if type(obj) is functools.cached_property:
        return functools.cached_property, (obj.func,), {"attrname": obj.attrname}
    return None


def _borrowed(function: FunctionType) -> dict[str, Any]:
    """The attributes that `functools.wraps` has copied to `function` from one that dispatches: they are that one's own,
    and don't travel without it."""
    try:
        wrapped = inspect.unwrap(function, stop=_dispatches)
    except ValueError:  # it wraps itself
        return {}
    own = vars(wrapped) if _dispatches(wrapped) else {}
    return {
        name: _AttributeOf(wrapped, name)
        for name, value in vars(function).items()
        if name != "__wrapped__" and value is own.get(name)
    }


def _dispatches(function: Any) -> bool:
    return getattr(function, "__code__", None) is _DISPATCH


class _AttributeOf:
    """Stands for an attribute of an object that travels itself."""

    def __init__(self, owner: Any, name: str) -> None:
        self._owner, self._name = owner, name

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._owner, self._name)


def _cached(function: Any, parameters: dict[str, Any]) -> Any:
    import functools

    return functools.lru_cache(**parameters)(function)


def _dispatching(function: Any, registry: dict[type, Any]) -> Any:
    import functools

    made = functools.singledispatch(function)
    for kind, own in registry.items():
        made.register(kind, own)
    return made


_CACHED = type(functools.lru_cache(_cached))
_DISPATCH = functools.singledispatch(_cached).__code__  # type: ignore[attr-defined]  # it is a function

for _travelling in (_cached, _dispatching):
    _travelling.__module__ = "__main__"  # so that it travels by value


def _number_in(found: list[Any], obj: Any) -> int:
    """Where `obj` is in the list, to which it is added when it isn't there."""
    for number, known in enumerate(found):
        if known is obj:
            return number
    found.append(obj)
    return len(found) - 1


def meant(space: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The variables of `space` that texts mean with `names`, as far as they can travel: a text is no proof that one of
    them is needed."""
    found = {name: space[name] for name in sorted(names) if name in space}
    return {name: value for name, value in found.items() if isinstance(value, FunctionType) or _can_travel(value)}


def _can_travel(value: Any) -> bool:
    try:
        SentPickler(io.BytesIO(), []).dump(value)
    except Exception:  # noqa: BLE001 - a user's object may raise anything
        return False
    return True


def size_of(value: Any) -> int:
    """Bytes of an array or table; 0 when it doesn't say."""
    if isinstance(value, type):
        return 0
    usage = getattr(value, "memory_usage", None)
    if callable(usage):
        sizes = usage()
        return int(getattr(sizes, "sum", lambda: sizes)())
    size = getattr(value, "nbytes", None)
    if size is None:  # a sparse matrix
        size = getattr(getattr(value, "data", None), "nbytes", 0)
    return size if isinstance(size, int) else 0


def no_words(text: str) -> None:
    """Nobody is told."""


@dataclass
class Packed:
    """The user's objects as they travel.

    `bigs` are the large objects, which were taken out of `data`. `modules` are those that the objects are of,
    `lazy_imports` the packages that functions among them may import when they are called, and `files` the files that
    these functions are from. `generators` are the random generators that were taken out.
    """

    data: bytes
    bigs: list[Any]
    modules: set[str]
    lazy_imports: set[str]
    files: set[str]
    generators: list[Any]

    @property
    def packages(self) -> set[str]:
        """The import names of the packages that the objects are of."""
        return {module.partition(".")[0] for module in self.modules}


def pack(value: Any, named: dict[str, Any], say: Say = no_words, generators: bool = False) -> Packed:
    """`value` as it travels. When this takes long, `say` is told. `generators` takes random generators out of it.

    Raises
    ------
    NotPicklable : names the one of `named` that can't travel, with its type.
    """
    words = threading.Timer(PATIENT, say, [f"Packing {_some(list(named))} for the workers …"])
    words.daemon = True
    words.start()
    try:
        return _packed(value, named, generators)
    except _TooDeep:
        return with_room(lambda: _packed(value, named, generators, deep=True))
    finally:
        words.cancel()


def pack_items(items: Any, first: int) -> bytes:
    """The items of a map from number `first` on, as they travel.

    Raises
    ------
    NotPicklable : names the one that can't travel, with its type.
    """
    try:
        return _plainly(items)
    except Exception as error:  # noqa: BLE001 - a user's object may raise anything: which one it was is said
        if not _is_depth(error):
            raise _culprit_item(items, first, error) from None
    try:
        return with_room(lambda: _plainly(items))
    except Exception as error:  # noqa: BLE001 - as above
        raise _culprit_item(items, first, error) from None


def _plainly(value: Any) -> bytes:
    with io.BytesIO() as target:
        Pickler(target, protocol=5).dump(value)
        return target.getvalue()


def _culprit_item(items: Any, first: int, error: Exception) -> NotPicklable:
    for number, item in enumerate(items, start=first):
        try:
            _plainly(item)
        except Exception as own:  # noqa: BLE001 - a user's object may raise anything: this is the one
            return NotPicklable(
                f"Item {number}, a {type_name(item)}, can't travel to a worker",
                _reason(own),
                "Map over what it is made of, like its path or name, and make it inside.",
            )
    return NotPicklable("The items can't travel to a worker", _reason(error))


def _packed(value: Any, named: dict[str, Any], generators: bool, deep: bool = False) -> Packed:
    bigs: list[Any] = []
    found: list[Any] = []
    target = io.BytesIO()
    pickler = SentPickler(target, bigs, found if generators else None)
    try:
        pickler.dump(value)
    except Exception as error:  # noqa: BLE001 - a user's object may raise anything: which one it was is said
        if _is_depth(error) and not deep:
            raise _TooDeep from None
        raise _culprit(named, error) from None
    return Packed(target.getvalue(), bigs, pickler.modules, pickler.lazy_imports, pickler.files, found)


class _TooDeep(Exception):
    """Objects within objects within objects: it takes more room than there is."""


def _is_depth(error: BaseException) -> bool:
    """Whether it was for want of room; cloudpickle says so in an error of its own."""
    return isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError)


def _some(names: list[str]) -> str:
    shown = [repr(name) for name in names[:3]]
    return listed([*shown, "others"] if len(names) > 3 else shown)


@functools.lru_cache(maxsize=1000)
def _imports(code: CodeType) -> frozenset[str]:
    """What a function imports when it is called; the code inside of it is looked at by itself."""
    found = {step.argval for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME"}
    return frozenset(name.partition(".")[0] for name in found if name)


def _culprit(named: dict[str, Any], error: Exception) -> NotPicklable:
    for name, value in named.items():
        try:
            SentPickler(io.BytesIO(), []).dump(value)
        except Exception as own:  # noqa: BLE001 - a user's object may raise anything: this is the one
            inside = _inside(value)
            what = f"The variable {name!r}, a {type_name(value)}, can't travel to a worker"
            if inside is not None:
                used = f"The variable {inside[0]!r}, a {type_name(inside[1])}, which {name!r} uses,"
                what = f"{used} can't travel to a worker"
            return NotPicklable(what, _reason(own), "Make it inside the cell, or leave it out.")
    return NotPicklable("This code can't travel to a worker", _reason(error))


def _inside(value: Any) -> tuple[str, Any] | None:
    """The global or closed-over variable of a function that is at fault."""
    if not isinstance(value, FunctionType):
        return None
    names = {name: value.__globals__[name] for name in value.__code__.co_names if name in value.__globals__}
    cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=False)
    names |= {name: cell.cell_contents for name, cell in cells}
    for name, used in names.items():
        try:
            SentPickler(io.BytesIO(), []).dump(used)
        except Exception:  # noqa: BLE001 - a user's object may raise anything: look further into this one
            return (_inside(used) or (name, used)) if used is not value else (name, used)
    return None


def type_name(value: Any) -> str:
    """The type of `value` as its user would write it."""
    kind = type(value)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


def _reason(error: Exception) -> str:
    if _is_depth(error):
        return "it is nested too deeply to be pickled"
    return str(error) or type(error).__name__
