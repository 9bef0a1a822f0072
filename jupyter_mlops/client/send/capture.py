"""Which names a cell reads, and which it assigns: what must travel with it, and what comes back."""

from __future__ import annotations

import ast
import copy
import re
import symtable
from collections.abc import Collection
from dataclasses import dataclass

from ...core.errors import InvalidCell

_SHELL = re.compile(r"^\s*(%{1,2}\w|!\S|\?\w)")


@dataclass(frozen=True)
class Names:
    """`reads` come from outside; `assigns` are set at the cell's top level; `imports` are the modules it imports."""

    reads: frozenset[str]
    assigns: tuple[str, ...]
    imports: frozenset[str]
    #: Every name that occurs, as a hint of what the cell is about.
    mentions: frozenset[str]


def parse_cell(source: str, filename: str) -> ast.Module:
    """The cell's syntax tree.

    Raises
    ------
    SyntaxError : at the cell's own line.
    InvalidCell : it has a magic or a shell command, which only work in the kernel.
    """
    try:
        return ast.parse(source, filename)
    except SyntaxError as error:
        line = error.text or ""
        if _SHELL.match(line):
            raise InvalidCell(
                f"Line {error.lineno} can't run on a worker",
                f"{line.strip()!r} is a command of the notebook, and the cell leaves the notebook",
                "Put it into a cell of its own.",
            ) from None
        raise


def names_of(tree: ast.Module, known: Collection[str] = ()) -> Names:
    """The names of a cell, where `known` are set before it starts (the item of a map).

    A name that is read only after the cell has surely set it isn't needed from outside.
    """
    reader = _Reader(set(known))
    reader.block(tree.body)
    assigns = [name for name in _assigned(tree) if name not in known]
    mentions = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    mentions |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    imports = frozenset(_imports(tree))
    return Names(
        frozenset(reader.reads), tuple(assigns), imports, frozenset(mentions | {i.split(".")[0] for i in imports})
    )


class _Reader:
    """Walks statements in their order and notes the reads of names that are not surely set by then."""

    def __init__(self, known: set[str]) -> None:
        self._set = known
        self.reads: set[str] = set()

    def block(self, body: list[ast.stmt]) -> None:
        """A sequence of statements."""
        for statement in body:
            self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        inner = [
            field for field in ("body", "orelse", "finalbody", "handlers", "cases") if getattr(statement, field, None)
        ]
        if not inner or isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._read(statement)
            self._set.update(_targets(statement))
        elif isinstance(statement, (ast.With, ast.AsyncWith)):
            self._header(statement)
            self.block(statement.body)
        else:
            self._header(statement)
            self._branches(statement)

    def _branches(self, statement: ast.stmt) -> None:
        """Branches that may not run: a name that a branch sets is known within that branch only, or after it when all
        branches set the name."""
        before = set(self._set)
        ends: list[set[str]] = []
        for block in _blocks(statement):
            self._set = before | (set(_targets_of_header(statement)))
            self.block(block)
            ends.append(self._set)
        complete = isinstance(statement, ast.If) and statement.orelse
        self._set = set.intersection(*ends) if complete else before
        if isinstance(statement, ast.Try) or type(statement).__name__ == "TryStar":
            self._set = before

    def _header(self, statement: ast.stmt) -> None:
        """The expressions of a compound statement that are evaluated before its blocks."""
        for name, value in ast.iter_fields(statement):
            if name in ("body", "orelse", "finalbody", "handlers", "cases"):
                continue
            for node in value if isinstance(value, list) else [value]:
                if isinstance(node, ast.AST):
                    self._read_node(node)
        for handler in getattr(statement, "handlers", []):
            if handler.type is not None:
                self._read_node(handler.type)
        for case in getattr(statement, "cases", []):
            self._read_pattern(case)
        if isinstance(statement, (ast.With, ast.AsyncWith)):
            self._set.update(_targets_of_header(statement))

    def _read_node(self, node: ast.AST) -> None:
        if isinstance(node, ast.withitem):
            self._read_node(node.context_expr)
            if node.optional_vars is not None:
                self._read_node(node.optional_vars)
        elif isinstance(node, ast.expr):
            self._read(ast.Expr(node))

    def _read_pattern(self, case: ast.match_case) -> None:
        if case.guard is not None:
            self._set.update(_bound_in_pattern(case.pattern))
            self._read(ast.Expr(case.guard))
        for node in ast.walk(case.pattern):
            if isinstance(node, ast.MatchClass):
                self._read(ast.Expr(node.cls))
            elif isinstance(node, ast.MatchValue):
                self._read(ast.Expr(node.value))

    def _read(self, statement: ast.stmt) -> None:
        for name in _free(statement):
            if name not in self._set:
                self.reads.add(name)


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    blocks = [getattr(statement, field, []) for field in ("body", "orelse", "finalbody")]
    blocks += [handler.body for handler in getattr(statement, "handlers", [])]
    blocks += [case.body for case in getattr(statement, "cases", [])]
    return [block for block in blocks if block]


def _free(statement: ast.stmt) -> set[str]:
    """Names that a simple statement, with the functions in it, reads from the top level."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, (ast.Yield, ast.YieldFrom)):
        return set()
    plain = _Plain().visit(copy.deepcopy(_loaded(statement)))
    text = ast.unparse(ast.fix_missing_locations(ast.Module([plain], [])))
    return _global_reads(symtable.symtable(text, "<names>", "exec"), top=True)


class _Plain(ast.NodeTransformer):
    """Spells out reads that a symbol table doesn't count as such."""

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        """`x += 1` reads x."""
        if not isinstance(node.target, ast.Name):
            return node
        left = ast.Name(node.target.id, ast.Load())
        return ast.Assign([node.target], ast.BinOp(left, node.op, node.value))

    def visit_Delete(self, node: ast.Delete) -> ast.stmt:
        """`del x` needs x."""
        return ast.Expr(ast.Tuple([_as_read(target) for target in node.targets], ast.Load()))


def _as_read(target: ast.expr) -> ast.expr:
    return ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target


def _loaded(statement: ast.stmt) -> ast.stmt:
    """A target alone, like the `x` of `for x in`, isn't a read; `ast.unparse` writes it as one."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, (ast.Name, ast.Tuple, ast.List, ast.Starred)):
        stores = [node for node in ast.walk(statement.value) if isinstance(node, ast.Name)]
        if stores and all(isinstance(node.ctx, ast.Store) for node in stores):
            return ast.Pass()
        if isinstance(statement.value, ast.Starred):
            return ast.Expr(statement.value.value)
    if isinstance(statement, ast.Return):
        return ast.Expr(statement.value) if statement.value is not None else ast.Pass()
    if isinstance(statement, (ast.Break, ast.Continue)):
        return ast.Pass()
    return statement


def _global_reads(table: symtable.SymbolTable, top: bool) -> set[str]:
    found = set()
    for symbol in table.get_symbols():
        outer = symbol.is_global() or top
        augmented = top and symbol.is_assigned() and symbol.is_referenced()
        if symbol.is_referenced() and (outer or augmented):
            found.add(symbol.get_name())
    for child in table.get_children():
        found |= _global_reads(child, top=False)
    return found


def _targets(statement: ast.stmt) -> set[str]:
    """Names that a statement surely sets."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name.split(".")[0]) for alias in statement.names}
    if isinstance(statement, ast.AnnAssign) and statement.value is None:
        return set()
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _targets_of_header(statement: ast.stmt) -> set[str]:
    """Names that a compound statement sets before its blocks run: loop variables, `as` names."""
    nodes: list[ast.AST] = []
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        nodes = [statement.target]
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        nodes = [item.optional_vars for item in statement.items if item.optional_vars is not None]
    names = {node.id for root in nodes for node in ast.walk(root) if isinstance(node, ast.Name)}
    names |= {handler.name for handler in getattr(statement, "handlers", []) if handler.name}
    for case in getattr(statement, "cases", []):
        names |= _bound_in_pattern(case.pattern)
    return names


def _bound_in_pattern(pattern: ast.pattern) -> set[str]:
    names = set()
    for node in ast.walk(pattern):
        if isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            names.add(node.name)
        if isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
    return names


def _assigned(tree: ast.Module) -> list[str]:
    """All names that the cell may set at its top level, in order."""
    table = symtable.symtable(ast.unparse(tree), "<names>", "exec")
    declared = {name for child in _tables(table) for name in _declared_global(child)}
    names = [symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()]
    names += sorted(declared - set(names))
    return names


def _tables(table: symtable.SymbolTable) -> list[symtable.SymbolTable]:
    found = []
    for child in table.get_children():
        found += [child, *_tables(child)]
    return found


def _declared_global(table: symtable.SymbolTable) -> set[str]:
    return {s.get_name() for s in table.get_symbols() if s.is_declared_global() and s.is_assigned()}


def _imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found
