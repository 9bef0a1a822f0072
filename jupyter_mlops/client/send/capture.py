"""Which names a cell reads, and which it assigns: what must travel with it, and what comes back."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ...core.errors import InvalidCell
from .flow import Flow, flow_of
from .syntax import parse

_COMMAND = r"(?:%{1,2}\w|!\S|\?\w)"
_SHELL = re.compile(rf"\s*(?:{_COMMAND}|[\w.,\[\]\s]+=\s*{_COMMAND}|[^#'\"]*\w\?{{1,2}}\s*$)")

#: Magics that take a whole cell as it is, that of %%mlrun, too.
_AROUND = re.compile(r"\s*%{1,2}(capture|time)\b")

#: Names that occur where a `with` block ends an exception of its own, so that what comes after it runs all the same.
_SUPPRESSORS = frozenset({"suppress", "raises", "assertRaises", "ignoring", "ignored"})


@dataclass(frozen=True)
class Names:
    """`reads` come from outside; `assigns` are set at the cell's top level; `imports` are the modules it imports."""

    reads: frozenset[str]
    assigns: tuple[str, ...]
    imports: frozenset[str]
    #: Every name that occurs, as a hint of what the cell is about.
    mentions: frozenset[str]
    #: Names that functions and classes of the cell reach as globals only: `global n`, and `k` in `class C: k = k`.
    only_global: frozenset[str] = frozenset()


def parse_cell(source: str, filename: str) -> ast.Module:
    """The cell's syntax tree.

    Raises
    ------
    SyntaxError : at the cell's own line.
    InvalidCell : it has a magic or a shell command, which only work in the kernel; or it is nested too deeply.
    """
    try:
        return parse(source, filename)
    except SyntaxError as error:
        line = error.text or ""
        if _SHELL.match(line):
            around = _AROUND.match(line)
            raise InvalidCell(
                f"Line {error.lineno} can't run on a worker",
                f"{line.strip()!r} is a command of the notebook, and the cell leaves the notebook",
                f"Put %%{around[1]} above %%mlrun." if around else "Put it into a cell of its own.",
            ) from None
        raise
    except (RecursionError, MemoryError):
        raise too_deep() from None


def too_deep() -> InvalidCell:
    """Python itself can't compile the cell."""
    return InvalidCell(
        "The cell can't be compiled", "its code is nested too deeply for Python", "Split its longest expression."
    )


def names_of(tree: ast.Module, known: Collection[str] = ()) -> Names:
    """The names of a cell, where `known` are set before it starts (the item of a map).

    A name that is read only after the cell has surely set it isn't needed from outside. Python's own compiler says what
    is read and set where. (Text is not looked at here: `texts.py` does.)
    """
    mentions = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    mentions |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    flow = _compiled(tree, frozenset(known), bool(mentions & _SUPPRESSORS))
    imports = frozenset(_imports(tree))
    return Names(
        frozenset(flow.reads),
        tuple(name for name in flow.assigns if name not in known),
        imports,
        frozenset(mentions | {name.split(".")[0] for name in imports}),
        frozenset(flow.only_global),
    )


def _compiled(tree: ast.Module, known: frozenset[str], suppresses: bool) -> Flow:
    """The flow of the cell's code. A map's body may `return`, which as a module it could not: it is compiled as raising
    instead, which ends it just as well."""
    returns = [(block, index) for block in blocks_of(tree) for index, node in enumerate(block) if _returns(node)]
    kept = [block[index] for block, index in returns]
    for block, index in returns:
        node = block[index]
        assert isinstance(node, ast.Return)
        block[index] = ast.copy_location(ast.Raise(node.value, None), node)
    try:
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(tree, "<names>", "exec", flags, dont_inherit=True)
    except (RecursionError, MemoryError):
        raise too_deep() from None
    finally:
        for (block, index), node in zip(returns, kept, strict=True):
            block[index] = node
    return flow_of(code, known, suppresses)


def _returns(node: ast.stmt) -> bool:
    return isinstance(node, ast.Return)


def blocks_of(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """The lists of statements of the cell that are not inside a function or class of its own."""
    for node in own_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                yield block


def own_nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """The cell and its nodes that are not inside a function or class of its own; a function or class itself is one."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.GeneratorExp)):
            todo.extend(ast.iter_child_nodes(node))


def stars(tree: ast.Module) -> list[str]:
    """The modules that the cell imports all names of."""
    return [
        node.module or "." * node.level
        for node in own_nodes(tree)
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    ]


def deleted(tree: ast.Module) -> set[str]:
    """The names that the cell deletes, perhaps."""
    targets = [target for node in own_nodes(tree) if isinstance(node, ast.Delete) for target in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found
