"""Sends modules that lie beside the notebook or in another project's folder: their present text travels with a run."""

from __future__ import annotations

import ast
import functools
import importlib.util
import site
import sys
import sysconfig
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ...agent.versions import home_of
from .syntax import parse

#: Characters of all modules together; more than that isn't what lies beside a notebook.
MOST = 20_000_000


class Module(NamedTuple):
    """The file of a module, its text, and whether it is a package."""

    path: str
    text: str
    package: bool


#: Names of folders in which packages are installed.
_INSTALLED = frozenset({"site-packages", "dist-packages"})

#: This package itself: what workers need of it is brought by the controller.
_OWN = __name__.partition(".")[0]

_texts: dict[str, tuple[float, int, str]] = {}
_last: dict[Path, tuple[frozenset[str] | None, list[str]]] = {}
_imports: dict[tuple[str, bool], tuple[str, list[str]]] = {}


def beside(root: Path, imports: Iterable[str]) -> dict[str, Module]:
    """The modules under `root` that are loaded or named in `imports`, with those that they import in turn."""
    root = root.resolve()
    if is_installed(root):
        return {}
    found: dict[str, Module] = {}
    todo, looked = [*imports, *_loaded(root)], set[str]()
    elsewhere = functools.cache(_folder_elsewhere)  # for this call: what is installed may change between two
    while todo:
        name = todo.pop()
        for part in _with_parents(name):
            if part in looked:
                continue
            looked.add(part)
            other = elsewhere(part.partition(".")[0])
            module = _find(root, part) or (_find(other, part) if other is not None else None)
            if module is not None:
                found[part] = module
                todo += _imported(part, module, lazy=True)
    if sum(len(module.text) for module in found.values()) > MOST:
        return {}
    return found


def imports_from(brought: Mapping[str, Module], start: Iterable[str], lazy: bool = False) -> set[str]:
    """The modules besides those in `brought` that are imported as soon as the modules `start` are.

    Parameters
    ----------
    start : names of modules, in `brought` or not.
    lazy : with those that are imported later, perhaps.
    """
    return _followed(brought, start, lazy) - brought.keys()


def reached(brought: Mapping[str, Module], start: Iterable[str]) -> list[str]:
    """The modules among `brought` that the modules `start` are or import, at once or later."""
    return sorted(_followed(brought, start, lazy=True) & brought.keys())


def _followed(brought: Mapping[str, Module], start: Iterable[str], lazy: bool) -> set[str]:
    """The modules that `start` are, and all that those in `brought` among them import."""
    todo, found = [*start], set[str]()
    while todo:
        for part in _with_parents(todo.pop()):
            if part not in found:
                found.add(part)
                if part in brought:
                    todo += _imported(part, brought[part], lazy)
    return found


def _with_parents(name: str) -> list[str]:
    """The packages that a module is in, and the module itself; none of them for what is no name."""
    parts = name.split(".")
    if not all(parts):
        return []
    return [".".join(parts[: length + 1]) for length in range(len(parts))]


def _loaded(root: Path) -> list[str]:
    """The loaded modules under `root`; looked for again only when others are loaded than the last time."""
    names = frozenset(sys.modules)
    if _last.get(root, (None, []))[0] != names:
        _last[root] = (names, _search(root))
    return _last[root][1]


def _search(root: Path) -> list[str]:
    start = f"{str(root).rstrip('/')}/"
    found = []
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if not path or not path.startswith(start) or name.partition(".")[0] in ("__main__", _OWN):
            continue
        if not is_installed(path):  # an environment often lies beside the notebook, too
            found.append(name)
    return found


def _find(root: Path, name: str) -> Module | None:
    top, base = name.partition(".")[0], root.joinpath(*name.split("."))
    if top == _OWN or (top in sys.stdlib_module_names and top not in _loaded(root)):
        return None  # a file that is named as a standard module isn't what the notebook has, unless it is
    for path, package in ((base / "__init__.py", True), (base.with_suffix(".py"), False)):
        text = _text(path)
        if text is not None and not is_installed(path):
            return Module(str(path), text, package)
    return Module(str(base / "__init__.py"), "", True) if _is_namespace(base, name) else None


def _is_namespace(base: Path, name: str) -> bool:
    """Whether a folder without `__init__.py` is all that the notebook means by a package's name."""
    return base.is_dir() and [Path(place).resolve() for place in _places_of(name)] == [base.resolve()]


def _places_of(name: str) -> list[str]:
    """The folders of a package that has no file of its own; none of any other."""
    try:
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if spec is None and "." not in name:
            spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return []
    return list(spec.submodule_search_locations or []) if spec is not None and not spec.origin else []


def _folder_elsewhere(top: str) -> Path | None:
    """A project's folder that lies elsewhere and has `top`: it was installed as editable, or `sys.path` leads there."""
    if top in sys.stdlib_module_names or top == _OWN:
        return None
    try:
        spec = getattr(sys.modules.get(top), "__spec__", None) or importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is not None and not spec.origin and len(places := _places_of(top)) == 1:
        folder = Path(places[0]).parent
        return None if _INSTALLED.intersection(folder.parts) or is_installed(folder) else folder
    path = Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None
    if path is None or path.suffix != ".py" or _INSTALLED.intersection(path.parts) or is_installed(path):
        return None
    folder = path.parent.parent if path.name == "__init__.py" else path.parent
    return None if home_of(top) == folder else folder


def lies_elsewhere(package: str) -> bool:
    """Whether pip has put a package into a folder besides the environment, to which `sys.path` leads."""
    home = home_of(package)
    return home is not None and not (_INSTALLED.intersection(home.parts) or is_installed(home))


def _text(path: Path) -> str | None:
    """The text of a module, in the encoding that it says; None where there is none that can be read: who imports it is
    told why."""
    try:
        stat = path.stat()
        known = _texts.get(str(path))
        if known is None or known[:2] != (stat.st_mtime, stat.st_size):
            known = (stat.st_mtime, stat.st_size, importlib.util.decode_source(path.read_bytes()))
            _texts[str(path)] = known
    except (OSError, SyntaxError, UnicodeError):
        return None
    return known[2]


def _imported(name: str, module: Module, lazy: bool) -> list[str]:
    known = _imports.get((name, lazy))
    if known is None or known[0] != module.text:
        package = name if module.package else name.rpartition(".")[0]
        known = _imports[name, lazy] = (module.text, imports_in(module.text, package, lazy))
    return known[1]


def imports_in(text: str, package: str, lazy: bool = True) -> list[str]:
    """The modules that a module's text imports, and names that may be modules; none where it can't be parsed.

    Parameters
    ----------
    package : that the module is in, or is itself; empty outside of one.
    lazy : with those that its functions import when they are called.
    """
    try:
        tree = parse(text)
    except SyntaxError:  # it will be said where it is imported
        return []
    found = []
    for node in _nodes(tree, lazy):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".") if node.level and package else []
            if node.level > len(base):  # beyond the top, which is said where it is imported
                continue
            base = base[: len(base) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found += [stem, *(f"{stem}.{alias.name}" for alias in node.names)]
    return [name for name in found if name]


def _nodes(tree: ast.AST, lazy: bool) -> Iterator[ast.AST]:
    """All nodes; unless `lazy`, without what functions do."""
    todo = deque([tree])
    while todo:
        node = todo.popleft()
        yield node
        if lazy or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            todo.extend(ast.iter_child_nodes(node))


def is_installed(path: Path | str) -> bool:
    """Whether it belongs to the environment, which the workers have too."""
    return any(str(path).startswith(f"{place}/") or str(path) == place for place in _places())


@functools.cache
def _places() -> set[str]:
    places = {sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"], sysconfig.get_paths()["platlib"]}
    return places | {site.getusersitepackages()}
