"""The body of a map: a cell, made into a function of its item."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection
from types import CodeType, FunctionType
from typing import Any

from ...core.errors import InvalidCell
from .capture import Names, blocks_of, own_nodes, too_deep

#: What no variable can be called: the function that copies, and the notebook's value of a name.
_COPY, _GIVEN = "@copy", "@{}"

#: Functions that see the variables around them: they mean those of the cell, as at a notebook's top level.
_SEE_ALL = frozenset({"exec", "eval", "globals", "locals", "vars"})


def function_of(
    tree: ast.Module, filename: str, item: str, names: Names, space: dict[str, Any], in_texts: Collection[str]
) -> FunctionType:
    """The cell as a function in the notebook's `space`, whose last expression is its value.

    A variable that it both reads and assigns starts with its outer value for each item: with a copy, where `+=` may
    change the value itself. Names are the function's own where that is as good as at the top level, since that is
    quicker; those that can only be reached as globals are set for each item.

    Parameters
    ----------
    in_texts : names that texts of the cell mean: they are reached as globals.

    Raises
    ------
    InvalidCell : Python can't compile it.
    """
    sees_all = bool(names.mentions & _SEE_ALL)
    bound = {*names.assigns, *_bound(tree)}
    as_globals = {*names.only_global, *in_texts, *((*bound, *names.reads, item) if sees_all else ())}
    as_globals &= {item, *bound, *(name for name in (*names.reads, *in_texts) if name in space)}
    own = [name for name in sorted(bound - as_globals - {item}) if name in names.reads and name in space]
    changed = _changed_by_operators(tree) & {*own, *as_globals}
    begin = _beginning(sorted(as_globals), own, item, space, changed)
    given = [_given(name) for name in sorted(as_globals) if name in space and name != item]
    given += [_COPY] if changed else []
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(_given(item) if item in as_globals else item)],
        kwonlyargs=[ast.arg(name) for name in [*own, *given]],
        kw_defaults=[_read(name if name == _COPY else name.removeprefix("@")) for name in [*own, *given]],
        defaults=[],
    )
    _declare_once(tree)
    if sees_all:
        _look_from_the_top(tree)
    first, rest = _split_futures(tree.body)
    statements = [*begin, *_with_value(rest)] or [ast.Pass()]
    parts: dict[str, Any] = {"name": "cell", "args": arguments, "body": statements, "decorator_list": []}
    if "type_params" in ast.FunctionDef._fields:
        parts["type_params"] = []
    kind = ast.AsyncFunctionDef if _awaits(tree) else ast.FunctionDef
    module = ast.Module([*first, _placed(kind(**parts))], [])
    made: dict[str, Any] = {_COPY: copy.copy}
    try:
        code: CodeType = compile(module, filename, "exec", dont_inherit=True)
    except (RecursionError, MemoryError):
        raise too_deep() from None
    exec(code, space, made)  # noqa: S102 - defines the function, runs nothing of it
    function = made["cell"]
    assert isinstance(function, FunctionType)
    function.__module__ = "__main__"
    function.__code__ = _at_the_top(function.__code__)
    return function


def _at_the_top(code: CodeType) -> CodeType:
    """The code, which tracebacks show as that of a cell: they would look for a function with the text of a `def`."""
    whole: dict[str, Any] = {"co_qualname": "<module>"} if hasattr(code, "co_qualname") else {}
    return code.replace(co_name="<module>", **whole)


def check_body(tree: ast.Module) -> None:
    """Raise `InvalidCell` when the cell has what can't be part of a map."""
    for node in own_nodes(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            raise InvalidCell(
                f"Line {node.lineno} can't be part of a map", "'import *' needs a module", "Name what you import."
            )
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            raise InvalidCell(
                f"Line {node.lineno} can't be part of a map",
                "'yield' has no meaning for an item",
                "The value of the last line is the item's result.",
            )


def _awaits(tree: ast.Module) -> bool:
    """Whether the cell itself waits for something: it becomes an async function then."""
    return any(
        isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)) or getattr(node, "is_async", False)
        for node in own_nodes(tree)
    )


def _beginning(
    as_globals: list[str], own: list[str], item: str, space: dict[str, Any], changed: set[str]
) -> list[ast.stmt]:
    """What comes before the cell's own statements."""
    begin: list[ast.stmt] = [ast.Global(as_globals)] if as_globals else []
    for name in as_globals:
        if name == item or name in space:
            begin.append(_assign(name, _given(name), copied=name in changed))
    begin += [_assign(name, name, copied=True) for name in own if name in changed]
    return [_placed(statement) for statement in begin]


def _assign(name: str, source: str, copied: bool) -> ast.stmt:
    value: ast.expr = _read(source)
    if copied:
        value = ast.Call(_read(_COPY), [value], [])
    return ast.Assign([ast.Name(name, ast.Store())], value)


def _read(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _given(name: str) -> str:
    return _GIVEN.format(name)


def _bound(tree: ast.Module) -> set[str]:
    """The names that are the function's own by Python's rules: also those set in an `if False:`, which the compiler
    leaves out."""
    found: set[str] = set()
    for node in own_nodes(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found.add(node.rest)
    return found


def _changed_by_operators(tree: ast.Module) -> set[str]:
    """The names that `+=` and its like may change in place."""
    found = (node.target for node in ast.walk(tree) if isinstance(node, ast.AugAssign))
    return {target.id for target in found if isinstance(target, ast.Name)}


def _split_futures(body: list[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """`from __future__ import …` stays before the function; the rest goes into it."""
    futures = [node for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    return list(futures), [node for node in body if node not in futures]


def _with_value(statements: list[ast.stmt]) -> list[ast.stmt]:
    """The statements, the last of which returns its value."""
    if statements and isinstance(last := statements[-1], ast.Expr):
        return [*statements[:-1], ast.copy_location(ast.Return(last.value), last)]
    return statements


def _declare_once(tree: ast.Module) -> None:
    """Take away the cell's own `global n`: the function begins with one for all."""
    for block in blocks_of(tree):
        block[:] = [ast.copy_location(ast.Pass(), node) if isinstance(node, ast.Global) else node for node in block]


def _look_from_the_top(tree: ast.Module) -> None:
    """Let `exec(text)` work on the names that the cell itself has, and `locals()` be these."""
    for node in own_nodes(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in ("locals", "vars") and not node.args:
            node.func.id = "globals"
        elif node.func.id in ("exec", "eval") and len(node.args) == 1 and not node.keywords:
            node.args.append(_placed(ast.Call(_read("globals"), [], [])))


def _placed(node: Any) -> Any:
    """`node`, with a place in the first line for all in it that has none; what the user wrote keeps its own."""
    todo = [node]
    while todo:
        each = todo.pop()
        if isinstance(each, (ast.stmt, ast.expr, ast.arg)):
            if hasattr(each, "lineno"):
                continue
            each.lineno = each.end_lineno = 1
            each.col_offset = each.end_col_offset = 0
        todo.extend(ast.iter_child_nodes(each))
    return node
