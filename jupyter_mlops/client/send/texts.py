"""Names inside of texts: `df.query("a > @limit")`, `eval("a + b")`, `globals()["a"]`, and SQL's `FROM df`."""

from __future__ import annotations

import ast
import contextlib
import functools
import re
from collections.abc import Iterator
from types import CodeType

from .flow import codes_in, flow_of, names_of_class

_AT = re.compile(r"@([^\W\d]\w*)")
_TABLE = re.compile(r"\b(?:from|join)\s+([^\W\d]\w*)", re.IGNORECASE)

#: Functions whose texts are Python, and the modules whose functions of the same kind are called by attribute.
_PYTHON = frozenset({"compile", "eval", "exec"})
_MODULES = frozenset({"pd", "pandas", "ne", "numexpr"})

#: What gives all variables by their names.
_SPACES = frozenset({"globals", "locals", "vars"})

#: The module that the notebook's variables are in.
_MAIN = "__main__"

#: Methods whose texts may name variables with an @, or tables as SQL does.
_QUERIES = frozenset({"query", "eval"})
_SQL = frozenset({"sql", "query", "execute", "read_sql", "sqldf"})


def names_in_texts(tree: ast.Module) -> frozenset[str]:
    """The names that texts of the cell mention where they mean the notebook's variables; a table's columns may be among
    them. What is put together when the cell runs can't be known."""
    found: set[str] = set()
    called = {_last_name(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    texts = list(_texts(tree))
    names = {*texts, *(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))}
    for text in texts:
        if called & _QUERIES:
            found |= set(_AT.findall(text))
        if called & _SQL:
            found |= set(_TABLE.findall(text))
        if (called & _SPACES or _MAIN in names) and text.isidentifier():
            found.add(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found |= _names_of_call(node)
        elif isinstance(node, ast.Attribute) and _last_name(node.value) == _MAIN:
            found.add(node.attr)
    return frozenset(found)


@functools.lru_cache(maxsize=1000)
def names_in_code(code: CodeType) -> frozenset[str]:
    """The same for a function that was compiled before, where only its texts and the names around them are known; and
    the names that classes inside of it take from the notebook. Others may be among them."""
    found: set[str] = set()
    for inner in codes_in(code):
        found |= names_of_class(inner)
    names = {name for inner in codes_in(code) for name in inner.co_names}
    for text in (constant for inner in codes_in(code) for constant in inner.co_consts if isinstance(constant, str)):
        if names & _QUERIES:
            found |= set(_AT.findall(text))
        if names & _SQL:
            found |= set(_TABLE.findall(text))
        if names & _PYTHON:
            found |= _reads(text)
        if names & _SPACES and text.isidentifier():
            found.add(text)
    return frozenset(found)


def _names_of_call(call: ast.Call) -> set[str]:
    function = call.func
    first = list(_own_texts(call.args[0])) if call.args else []
    by_module = isinstance(function, ast.Attribute) and _last_name(function.value) in _MODULES
    if (isinstance(function, ast.Name) and function.id in _PYTHON) or by_module:
        return {name for text in first for name in _reads(text)}
    return set()


def _last_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _own_texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _reads(text: str) -> set[str]:
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        return flow_of(compile(text.strip(), "<text>", "exec", dont_inherit=True), frozenset(), suppresses=True).reads
    return set()
