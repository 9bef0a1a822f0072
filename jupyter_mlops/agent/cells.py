"""Runs a cell: its statements, and its last expression."""

from __future__ import annotations

import ast
import asyncio
import inspect
from types import CodeType
from typing import Any

from .displays import looks
from .pickling import dumps, travels
from .sources import show


def run_cell(source: str, filename: str, space: dict[str, Any]) -> tuple[Any, bool]:
    """Run `source` in the namespace `space`. Returns the value of its last expression, and whether it has one."""
    show(filename, source)
    tree = ast.parse(source, filename)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    body = compile(tree, filename, "exec", flags, dont_inherit=True)
    if not isinstance(last, ast.Expr):
        _evaluated(body, space)
        return None, False
    expression = compile(ast.Expression(last.value), filename, "eval", flags, dont_inherit=True)
    if not (body.co_flags | expression.co_flags) & inspect.CO_COROUTINE:
        eval(body, space)  # noqa: S307 - running the user's code is what this is for
        return eval(expression, space), True  # noqa: S307 - as above

    async def both() -> Any:
        for code in (body, expression):
            value = eval(code, space)  # noqa: S307 - as above
            if code.co_flags & inspect.CO_COROUTINE:
                value = await value
        return value

    return asyncio.run(both()), True


def _evaluated(code: CodeType, space: dict[str, Any]) -> None:
    value = eval(code, space)  # noqa: S307 - as above
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(value)


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
