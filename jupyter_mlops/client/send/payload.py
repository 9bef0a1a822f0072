"""What a run sends to the workers: plain data, with the user's objects inside as pickled bytes."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import pickle
import sys
import types
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle

from ...agent import settings
from ...agent.code import MODULES
from ...agent.mainmodule import is_own
from ...agent.streams import drawn
from ...core.errors import InvalidCell
from . import cells, modules
from .body import check_body, function_of
from .capture import Names, deleted, names_of, stars
from .environment import can_be_had
from .mutation import changed_in_place
from .pickling import BIG, Packed, Say, meant, no_words, pack
from .texts import names_in_texts

#: Bytes of a map's pickled function from which on it is put there, too: it would travel with each of many tasks.
INLINE = 200_000

#: This package, which workers have.
_OWN = __name__.partition(".")[0]


@dataclass
class RunPayload:
    """A run's code and variables, ready to travel.

    `head` is plain data for the agent. `bigs` are the large objects, which are put on the cluster first, as they are.
    """

    head: dict[str, Any]
    bigs: list[Any] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    code: str = ""
    #: Import names of the packages that the code needs.
    packages: set[str] = field(default_factory=set)
    #: Import names of packages that its functions may import when they are called.
    lazy_imports: set[str] = field(default_factory=set)
    #: Modules that the code names, and those that its objects are of.
    uses: set[str] = field(default_factory=set)
    #: Of the code, and of the plain values that go along.
    digest: str = ""


def ship_cell(
    source: str, tree: ast.Module, filename: str, space: dict[str, Any], out: list[str] | None, say: Say = no_words
) -> RunPayload:
    """A plain cell, with what it reads from `space`; `out` limits what comes back."""
    names = names_of(tree)
    variables = _taken(space, names.reads) | meant(space, names_in_texts(tree) - names.reads)
    unknown = [name for name in out or [] if name not in names.assigns and name not in variables]
    if unknown:
        assigned = ", ".join(names.assigns) or "nothing"
        raise InvalidCell(f"The cell doesn't assign {unknown[0]!r}", f"it assigns {assigned}", "Change --out.")
    inner = _submodules(tree, variables)
    packed = pack({**variables, MODULES: inner} if inner else variables, variables, say)
    back = out if out is not None else [name for name in names.assigns if not is_own(name)]
    for module in stars(tree) if out is None else ():
        say(f"What `from {module} import *` names stays on the worker: import it in the notebook, too.")
    payload = _payload("cell", source, filename, names, variables, packed)
    payload.head |= {
        "names": back,
        "only": out is not None,
        "code": source,
        "changes": changed_in_place(tree),
        "stars": stars(tree),
        "deletes": sorted(deleted(tree) & space.keys()),
    }
    return payload


def ship_body(
    source: str, tree: ast.Module, filename: str, space: dict[str, Any], item: str, say: Say = no_words
) -> RunPayload:
    """The body of a map, with what it reads from `space`: a function of `item`, whose value is its last expression."""
    check_body(tree)
    names = names_of(tree, known={item})
    in_texts = meant(space, names_in_texts(tree) - {item})
    variables = _taken(space, names.reads) | in_texts
    changes = changed_in_place(tree)  # `function_of` changes the tree
    packed = pack(function_of(tree, filename, item, names, space, in_texts), variables, say, generators=True)
    payload = _payload("map", source, filename, names, variables, packed)
    payload.head["changes"] = changes
    return payload


def _submodules(tree: ast.Module, variables: dict[str, Any]) -> list[types.ModuleType]:
    """The modules inside of those among `variables` that the code may mean: after `import urllib.request` its
    `urllib.request` is one, and brings its package along, but not the other way round. (For functions, cloudpickle does
    the same.)"""
    words = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    outer = tuple(f"{value.__name__}." for value in variables.values() if isinstance(value, types.ModuleType))
    found = []
    for name, module in list(sys.modules.items()):
        place = next((start for start in outer if name.startswith(start)), None)
        if place is not None and words.issuperset(name[len(place) :].split(".")) and module.__name__ == name:
            found.append(module)
    return found


def _taken(space: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: space[name] for name in sorted(names) if name in space}


def ship_function(function: Callable[..., Any], source: str, kind: str, say: Say = no_words) -> RunPayload:
    """A function for `mlops.map`, or one without arguments for `mlops.run`."""
    name = getattr(function, "__name__", type(function).__name__)
    packed = pack(function, {name: function}, say, generators=kind == "map")
    return _payload(kind, source, "", Names(frozenset(), (), frozenset(), frozenset()), {name: function}, packed)


def _payload(
    kind: str,
    source: str,
    filename: str,
    names: Names,
    variables: dict[str, Any],
    packed: Packed,
) -> RunPayload:
    body, bigs = packed.data, packed.bigs
    imports = {*names.imports, *packed.packages, *packed.lazy_imports} - {_OWN}
    brought = modules.beside(Path.cwd(), imports)
    head = {
        "kind": kind,
        "modules": {name: tuple(module) for name, module in brought.items()},
        "sources": cells.texts(packed.files) | ({filename: source} if filename else {}),
        "labels": cells.labels({filename, *packed.files}),
        "filename": filename,
        "body": body,
        "names": [],
        "only": False,
        "code": "",
        "changes": [],
        "settings": settings.taken(),
        "generators": cloudpickle.dumps([(each, drawn(each)) for each in packed.generators], protocol=5),
    }
    if len(body) > (INLINE if kind == "map" else BIG):
        head["body"] = None
        bigs = [*bigs, body]
    packages = packed.packages | {name.split(".")[0] for name in names.imports}
    known = {"", "__main__", _OWN, *sys.stdlib_module_names, *(name.split(".")[0] for name in brought)}
    needed = {name for name in packages - known if can_be_had(name)}
    # loaded here, or a package: other names that are imported from modules need not be modules
    inside = {name for name in modules.imports_from(brought, {*names.imports, *packed.modules}) if name in sys.modules}
    lazy = (packed.lazy_imports | _beside(packages) | {name.split(".")[0] for name in inside}) - known
    at_hand = needed | {name for name in lazy if can_be_had(name)}
    head["imports"] = sorted(at_hand | {name for name in names.imports | inside if name.split(".")[0] in at_hand})
    digest = digest_of([source, *sorted(head["sources"].values())], variables)
    uses = {*names.imports, *packed.modules, *packed.lazy_imports}
    return RunPayload(head, bigs, list(variables), source, needed, lazy, uses, digest)


def digest_of(texts: list[str], variables: dict[str, Any]) -> str:
    """Two runs have the same if their code is the same, and the cells that it was defined in, and the numbers and texts
    that it uses. Larger objects are left out: a table that was read again need not have the same bytes."""
    values = dict(variables)
    for function in (value for value in variables.values() if callable(value)):
        if isinstance(function, functools.partial):
            values |= {f"argument {index}": value for index, value in enumerate(function.args)} | function.keywords
            function = function.func
        if isinstance(function, types.FunctionType):
            used = inspect.getclosurevars(function)
            values |= {**used.globals, **used.nonlocals}
    plain = {name: value for name, value in sorted(values.items()) if isinstance(value, (int, float, str, type(None)))}
    return hashlib.sha256(repr((texts, plain)).encode()).hexdigest()[:16]


def _beside(packages: set[str]) -> set[str]:
    """Packages that tables use although neither code nor objects name them: pandas keeps text in pyarrow where that is
    installed."""
    return {"pyarrow"} if "pandas" in packages and "pyarrow" in sys.modules else set()


def names_dask(payload: RunPayload) -> bool:
    """Whether the code, or what goes along with it, names Dask: then it may be a client of its cluster."""
    texts = [head_bytes(payload.head), *(big for big in payload.bigs if isinstance(big, bytes))]
    return any(word in text for text in texts for word in (b"dask", b"distributed"))


def head_bytes(head: dict[str, Any]) -> bytes:
    """The head as it is sent."""
    return pickle.dumps(head, protocol=5)
