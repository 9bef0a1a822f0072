"""What a run sends to the workers: plain data, with the user's objects inside as pickled bytes.

Dask never sees the user's objects: it would walk through them, element by element, in search of futures.
"""

from __future__ import annotations

import ast
import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import cloudpickle

from ..core.errors import InvalidCell, NotPicklable
from . import modules
from .capture import Names, names_of

#: Bytes from which on a variable is put on the cluster once, instead of travelling with every task.
BIG = 10_000_000

#: Bytes of a map's pickled function from which on it is put there, too: it would travel with each of many tasks.
INLINE = 200_000

#: Packages whose arrays and tables know their size.
_SIZED = ("numpy", "pandas", "pyarrow", "scipy", "polars")

#: What makes a cell give its thread back while it waits: it hands work to the cluster itself.
_DELEGATES = {"get_client", "worker_client", "dask", "joblib", "compute", "persist", "Client"}


@dataclass
class Shipment:
    """A run's code and variables, ready to travel.

    `head` is plain data for the agent; `bigs` are what is put on the cluster first, as they are.
    """

    head: dict[str, Any]
    bigs: list[Any] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    code: str = ""
    #: Import names of the packages that the code needs.
    packages: set[str] = field(default_factory=set)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """Takes big arrays and tables out, wherever they are."""

    def __init__(self, target: io.BytesIO, bigs: list[Any]) -> None:
        super().__init__(target, protocol=5)
        self._bigs = bigs

    def persistent_id(self, obj: Any) -> int | None:
        """The number of a big one; None lets anything else be pickled as usual."""
        if type(obj).__module__.partition(".")[0] not in _SIZED or size_of(obj) < BIG:
            return None
        for number, known in enumerate(self._bigs):
            if known is obj:
                return number
        self._bigs.append(obj)
        return len(self._bigs) - 1


def size_of(value: Any) -> int:
    """Bytes of an array or table; 0 when it doesn't say."""
    if isinstance(value, type):
        return 0
    usage = getattr(value, "memory_usage", None)
    if callable(usage):
        sizes = usage()
        return int(getattr(sizes, "sum", lambda: sizes)())
    size = getattr(value, "nbytes", 0) or getattr(getattr(value, "data", None), "nbytes", 0)
    return size if isinstance(size, int) else 0


def pack(value: Any, named: dict[str, Any]) -> tuple[bytes, list[Any]]:
    """`value` pickled, and the big parts that were taken out.

    Raises
    ------
    NotPicklable : names the one of `named` that can't travel, with its type.
    """
    bigs: list[Any] = []
    target = io.BytesIO()
    try:
        _Pickler(target, bigs).dump(value)
    except Exception as error:  # noqa: BLE001 - whatever a user's object raises
        raise _culprit(named, error) from None
    return target.getvalue(), bigs


def _culprit(named: dict[str, Any], error: Exception) -> NotPicklable:
    for name, value in named.items():
        try:
            _Pickler(io.BytesIO(), []).dump(value)
        except Exception as own:  # noqa: BLE001 - as above
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
            _Pickler(io.BytesIO(), []).dump(used)
        except Exception:  # noqa: BLE001 - as above
            return (_inside(used) or (name, used)) if used is not value else (name, used)
    return None


def type_name(value: Any) -> str:
    """The type of `value` as its user would write it."""
    kind = type(value)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def ship_cell(source: str, tree: ast.Module, filename: str, space: dict[str, Any], out: list[str] | None) -> Shipment:
    """A plain cell, with what it reads from `space`; `out` limits what comes back."""
    names = names_of(tree)
    variables = {name: space[name] for name in sorted(names.reads) if name in space}
    unknown = [name for name in out or [] if name not in names.assigns]
    if unknown:
        assigned = ", ".join(names.assigns) or "nothing"
        raise InvalidCell(f"The cell doesn't assign {unknown[0]!r}", f"it assigns {assigned}", "Change --out.")
    body, bigs = pack(variables, variables)
    back = out if out is not None else [name for name in names.assigns if not name.startswith("_")]
    shipment = _shipment("cell", source, filename, names, variables, body, bigs)
    shipment.head |= {"names": back, "code": source, "secede": bool(names.mentions & _DELEGATES)}
    return shipment


def ship_body(source: str, tree: ast.Module, filename: str, space: dict[str, Any], item: str) -> Shipment:
    """The body of a map, with what it reads from `space`: a function of `item`, whose value is its last expression."""
    names = names_of(tree, known={item})
    variables = {name: space[name] for name in sorted(names.reads) if name in space}
    body, bigs = pack(_function(tree, filename, item, names, variables), variables)
    return _shipment("map", source, filename, names, variables, body, bigs)


def ship_function(function: Callable[..., Any], source: str, kind: str) -> Shipment:
    """A function for `mlops.map`, or one without arguments for `mlops.run`."""
    name = getattr(function, "__name__", type(function).__name__)
    body, bigs = pack(function, {name: function})
    names = Names(frozenset(), (), frozenset(), frozenset(getattr(getattr(function, "__code__", None), "co_names", ())))
    shipment = _shipment(kind, source, "", names, {name: function}, body, bigs)
    shipment.head["secede"] = kind == "function" and bool(names.mentions & _DELEGATES)
    shipment.head["sources"] = _source_of(function)
    return shipment


def _source_of(function: Any) -> dict[str, str]:
    """The text of the cell that defined a function, so that a worker's traceback shows its lines."""
    import linecache

    filename = getattr(getattr(function, "__code__", None), "co_filename", "")
    return {filename: "".join(linecache.getlines(filename))} if filename and not Path(filename).exists() else {}


def _shipment(
    kind: str,
    source: str,
    filename: str,
    names: Names,
    variables: dict[str, Any],
    body: bytes,
    bigs: list[Any],
) -> Shipment:
    brought = {name: tuple(module) for name, module in modules.beside(Path.cwd(), names.imports).items()}
    head = {
        "kind": kind,
        "modules": brought,
        "sources": {filename: source} if filename else {},
        "filename": filename,
        "body": body,
        "secede": False,
        "names": [],
        "code": "",
    }
    if len(body) > (INLINE if kind == "map" else BIG):
        head["body"] = None
        bigs = [*bigs, body]
    packages = {_package(value) for value in variables.values()} | {name.split(".")[0] for name in names.imports}
    packages -= {"", "builtins", "__main__", *(name.split(".")[0] for name in brought)}
    return Shipment(head, bigs, list(variables), source, packages)


def _package(value: Any) -> str:
    module = getattr(value, "__name__", "") if type(value).__name__ == "module" else None
    if module is None:
        owner = value if isinstance(value, (type, FunctionType)) else type(value)
        module = str(getattr(owner, "__module__", "") or "")
    return module.split(".")[0]


def _function(tree: ast.Module, filename: str, item: str, names: Names, variables: dict[str, Any]) -> FunctionType:
    """The cell as a function. A variable that it both reads and assigns starts with its outer value for each item."""
    _check_body(tree)
    statements = [*tree.body] or [ast.Pass()]
    last = statements[-1]
    if isinstance(last, ast.Expr):
        statements[-1] = ast.copy_location(ast.Return(last.value), last)
    own = [name for name in names.assigns if name in variables and not _declares(tree, name)]
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(item)],
        kwonlyargs=[ast.arg(name) for name in own],
        kw_defaults=[ast.Name(name, ast.Load()) for name in own],
        defaults=[],
    )
    parts: dict[str, Any] = {"name": "cell", "args": arguments, "body": statements, "decorator_list": []}
    if "type_params" in ast.FunctionDef._fields:
        parts["type_params"] = []
    module = ast.fix_missing_locations(ast.Module([ast.FunctionDef(**parts)], []))
    space: dict[str, Any] = {"__name__": "__main__", **variables}
    code: CodeType = compile(module, filename, "exec", dont_inherit=True)
    exec(code, space)  # noqa: S102 - defines the function, runs nothing of it
    function = space["cell"]
    assert isinstance(function, FunctionType)
    return function


def _declares(tree: ast.Module, name: str) -> bool:
    return any(isinstance(node, ast.Global) and name in node.names for node in tree.body)


def _check_body(tree: ast.Module) -> None:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            raise InvalidCell(
                f"Line {node.lineno} can't be part of a map", "'import *' needs a module", "Name what you import."
            )
    for node in _own_nodes(tree):
        if isinstance(node, (ast.Yield, ast.YieldFrom, ast.Await)):
            word = "await" if isinstance(node, ast.Await) else "yield"
            raise InvalidCell(
                f"Line {node.lineno} can't be part of a map",
                f"'{word}' has no meaning for an item",
                "The value of the last line is the item's result.",
            )


def _own_nodes(tree: ast.AST) -> list[Any]:
    """The nodes of the cell that are not inside a function or class of its own."""
    found = []
    for node in ast.iter_child_nodes(tree):
        found.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.GeneratorExp)):
            found += _own_nodes(node)
    return found


def head_bytes(head: dict[str, Any]) -> bytes:
    """The head as it is sent."""
    return pickle.dumps(head, protocol=5)
