"""The steps of a notebook as a plain Python program."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Sequence

from ..core.errors import InvalidCell
from .cells import LEFT_OUT, SET_BY_COMMAND, CodeCell

#: How a program that was exported begins.
MADE = "# Made of the steps of "

#: What a program lacks for a map over a pattern of files.
_FILES = "import glob as _glob"

#: What a program lacks that displays something.
_DISPLAY = "display = print  # in a notebook it shows more"


def exported(name: str, cells: Sequence[CodeCell]) -> str:
    """The program.

    Parameters
    ----------
    name : of the notebook.
    cells : in their order.

    Raises
    ------
    InvalidCell : a cell awaits something at its top level, or sets a variable by a command of the notebook.
    """
    parts = [f"{MADE}{name}."]
    if any("display" in cell.reads for cell in cells):
        parts.append(_DISPLAY)
    for cell in cells:
        if text := _code(cell).strip("\n"):
            parts.append(f"# %% {cell.label}\n{text}" if cell.step else f"# %%\n{text}")
    return "\n\n".join(parts) + "\n"


def _code(cell: CodeCell) -> str:
    _check(cell)
    if cell.items:
        return _map(cell)
    lines = cell.body.splitlines()
    if cell.options is None:  # what is indented has to stay, for its block not to be empty
        sources = cell.source.splitlines()
        lines = [line for line, source in zip(lines, sources, strict=False) if line != LEFT_OUT or source == LEFT_OUT]
    return "\n".join(lines)


def _check(cell: CodeCell) -> None:
    by_command = (line for line in cell.source.splitlines() if cell.body != cell.source and SET_BY_COMMAND.match(line))
    if cell.options is None and (line := next(by_command, None)) is not None:
        why = f"{line.strip()!r} is a command of the notebook, which a program can't"
        raise InvalidCell(f"The {cell.label} can't be exported", why, "Write it in Python.")
    for node in _outside_functions(cell.tree):
        if isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            why = "it awaits something outside of functions, which only a notebook can"
            raise InvalidCell(f"The {cell.label} can't be exported", why, "Put it into asyncio.run(…).")


def _outside_functions(tree: ast.Module) -> list[ast.AST]:
    found, todo = list[ast.AST](), list[ast.AST](tree.body)
    while todo:
        node = todo.pop()
        found.append(node)
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            todo += ast.iter_child_nodes(node)
    return found


def _map(cell: CodeCell) -> str:
    """A function of the item, and a list of what it gives."""
    function = f"_{cell.step or f'cell_{cell.number}'}".replace("-", "_")
    assigned = {node.id for node in ast.walk(cell.tree) if isinstance(node, ast.Name) and _is_set(node)}
    given = "".join(f", {name}={name}" for name in sorted((assigned & cell.reads) - {cell.item}))
    body = _indented(_returning(cell)) or "    return None"
    target = f"{cell.out[0]} = " if cell.out else ""
    items, before = _items(cell)
    call = f"{target}[{function}({cell.item}) for {cell.item} in {items}]"
    return f"{before}def {function}({cell.item}{given}):\n{body}\n\n\n{call}"


def _is_set(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _items(cell: CodeCell) -> tuple[str, str]:
    """The items of a map as an expression, and what has to come before it."""
    text = cell.items.strip()
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:  # a pattern of files that nobody quoted
        return f"sorted(_glob.glob({text!r}, recursive=True))", f"{_FILES}\n\n\n"
    if isinstance(tree.body, ast.Constant) and isinstance(tree.body.value, str):
        return f"sorted(_glob.glob({text}, recursive=True))", f"{_FILES}\n\n\n"
    return text, ""


def _returning(cell: CodeCell) -> str:
    """The body, whose last expression is what it returns."""
    last = cell.tree.body[-1] if cell.tree.body else None
    if not isinstance(last, ast.Expr):
        return cell.body
    lines = cell.body.splitlines()
    at = last.lineno - 1
    start = len(lines[at].encode()[: last.col_offset].decode())
    lines[at] = f"{lines[at][:start]}return ({lines[at][start:]}"
    assert last.end_lineno is not None and last.end_col_offset is not None
    at = last.end_lineno - 1
    end = len(lines[at].encode()[: last.end_col_offset].decode()) + (len("return (") if at == last.lineno - 1 else 0)
    lines[at] = f"{lines[at][:end]}){lines[at][end:]}"
    return "\n".join(lines)


def _indented(text: str) -> str:
    """The lines, indented, but for those that begin within a text of several lines."""
    inside = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.end[0] > token.start[0] and token.type not in (tokenize.NEWLINE, tokenize.NL):
            inside |= set(range(token.start[0] + 1, token.end[0] + 1))
    lines = text.splitlines()
    return "\n".join(
        line if number in inside or not line.strip() else f"    {line}" for number, line in enumerate(lines, 1)
    )
