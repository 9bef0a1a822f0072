"""Runs a cell: its statements, and its last expression."""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
from collections.abc import Sequence
from types import CodeType
from typing import Any

from .displays import looks
from .pickling import dumps, travels
from .sources import show


def run_cell(source: str, filename: str, space: dict[str, Any]) -> tuple[Any, bool]:
    """Run `source` in the namespace `space`. Returns the value of its last expression, and whether it has one."""
    show(filename, source)
    tree = ast.parse(source, filename)
    in_loop = _needs_loop(tree)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    codes = [compile(tree, filename, "exec", flags, dont_inherit=True)]
    if isinstance(last, ast.Expr):
        codes.append(compile(ast.Expression(last.value), filename, "eval", flags, dont_inherit=True))
    in_loop |= any(code.co_flags & inspect.CO_COROUTINE for code in codes)
    value = asyncio.run(_in_loop(codes, space)) if in_loop else [_evaluated(code, space) for code in codes][-1]
    return (value, True) if isinstance(last, ast.Expr) else (None, False)


def _evaluated(code: CodeType, space: dict[str, Any]) -> Any:
    return eval(code, space)  # noqa: S307 - running the user's code is what this is for


async def _in_loop(codes: Sequence[CodeType], space: dict[str, Any]) -> Any:
    for code in codes:
        value = _evaluated(code, space)
        if code.co_flags & inspect.CO_COROUTINE:
            value = await value
    await asyncio.sleep(0)  # what was only made may begin
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        names = ", ".join(sorted(getattr(task.get_coro(), "__qualname__", "a task") for task in left))
        print(f"Not awaited, so it ended with the cell: {names}.", file=sys.stderr)
    return value


#: What wants a loop that runs, as a notebook's does, though nothing is awaited.
_WANT_LOOP = frozenset({"create_task", "current_task", "ensure_future", "get_running_loop"})


def _needs_loop(tree: ast.Module) -> bool:
    """Whether a call outside of functions wants a loop that runs."""
    nodes: list[ast.AST] = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in _WANT_LOOP:
            return True
        if isinstance(called, ast.Name) and called.id in _WANT_LOOP:
            return True
        nodes.extend(ast.iter_child_nodes(node))
    return False


def pack_names(space: dict[str, Any], names: list[str]) -> tuple[bytes, dict[str, str]]:
    """The pickled values of those of `names` that exist; and those that can't be pickled: name → type."""
    values = {name: space[name] for name in names if name in space}
    try:
        return dumps(values), {}
    except Exception:  # noqa: BLE001 - whatever a user's object raises: find out which one it was
        refused = {name: _type(value) for name, value in values.items() if not travels(value)}
        kept = {name: value for name, value in values.items() if name not in refused}
        return dumps(kept), refused


def pack_value(value: Any) -> tuple[bytes | None, dict[str, Any]]:
    """The pickled value, or None and what it looks like."""
    try:
        return dumps(value), {}
    except Exception:  # noqa: BLE001 - whatever a user's object raises: it is shown instead
        return None, looks(value)


def _type(value: Any) -> str:
    kind = type(value)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
