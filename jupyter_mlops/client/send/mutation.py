"""Which names a cell changes in place, as far as its own words say so."""

from __future__ import annotations

import ast
from collections.abc import Iterator

#: Methods of Python's containers, and of what learns, that change their object.
_METHODS = frozenset({
    "add", "append", "appendleft", "clear", "discard", "extend", "fill", "fit", "fit_transform", "insert",
    "intersection_update", "move_to_end", "partial_fit", "pop", "popitem", "remove", "reverse", "setdefault", "shuffle",
    "sort", "update",
})  # fmt: skip


def changed_in_place(tree: ast.Module) -> list[str]:
    """The names, in their order: `df["b"] = …`, `obj.x = …`, `del d[k]`, `acc.append(…)`, `df.sort(inplace=True)`.

    The method `update` of an object of the user's own may change nothing: it is a hint for where no comparison can be
    had.
    """
    return list(dict.fromkeys(name for node in ast.walk(tree) for name in _changed_by(node)))


def _changed_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
        yield from _root(node)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _changes_its_object(node, node.func):
        yield from _root(node.func)


def _changes_its_object(call: ast.Call, method: ast.Attribute) -> bool:
    inplace = (word.value for word in call.keywords if word.arg == "inplace")
    return method.attr in _METHODS or any(isinstance(value, ast.Constant) and value.value is True for value in inplace)


def _root(node: ast.expr) -> Iterator[str]:
    """The name that an expression like `a.b[0].c` starts with."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id
