"""The body of a map: a cell, made into a function of its item."""

from __future__ import annotations

import ast
from types import CodeType, FunctionType
from typing import Any

from ...core.errors import InvalidCell
from .capture import Names


def function_of(tree: ast.Module, filename: str, item: str, names: Names, variables: dict[str, Any]) -> FunctionType:
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
