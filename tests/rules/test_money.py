"""Money is written in one module: elsewhere, amounts would be rounded and signed in another way again."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import jupyter_mlops

PACKAGE = Path(jupyter_mlops.__file__).parent
SIDEBAR = PACKAGE.parent / "labextension" / "src"
HOME = PACKAGE / "core" / "words.py"

#: Names of what is an amount of money or the unit of one.
_MONEY = re.compile(r"(^|_)(amount|money|cost|price|budget|spent|per_hour|at_start|at_most|cpu_hour|currency)$")
_NUMBER = re.compile(r"[,.][0-9]*[fgeE%]|\.[0-9]+$")


#: The same in TypeScript: an amount that is rounded, or a currency or its sign in a text.
_IN_TYPESCRIPT = re.compile(
    r"^(?!.*\bkey ?=).*("  # what tells rows apart is read by nobody
    r"\b\w*(amount|money|cost|price|budget|spent|per_?hour|at_start|at_most)\.to(Fixed|Locale|Precision)"
    r"|`[^`]*[$€£¥]\$\{[^`]*`|`[^`]*\s\$\{[\w.]*currency\}[^`]*`)",
    re.IGNORECASE,
)


def test_money_is_written_by_the_words_only() -> None:
    paths = [path for path in PACKAGE.rglob("*.py") if path != HOME]
    found = [f"{path.relative_to(PACKAGE)}:{line}" for path in paths for line in written(path.read_text("utf-8"))]
    assert not found, f"use jupyter_mlops/core/words.py: {', '.join(found)}"


def test_the_sidebar_writes_money_in_its_words_only() -> None:
    if not SIDEBAR.is_dir():
        pytest.skip("there is no labextension beside the package")
    paths = [path for path in SIDEBAR.rglob("*.ts*") if path.parent.name != "words" and path.name != "schema.ts"]
    lines = [(path, line) for path in paths for line in path.read_text("utf-8").splitlines()]
    found = [f"{path.relative_to(SIDEBAR)}: {line.strip()}" for path, line in lines if _IN_TYPESCRIPT.search(line)]
    assert not found, f"use labextension/src/words/money.ts: {', '.join(found)}"


@pytest.mark.parametrize(
    ("line", "writes"),
    [
        ("amount.toFixed(2)", True),
        ("cost.per_hour.toLocaleString('en')", True),
        ("`$${amount}`", True),
        ("`${amount} ${cost.currency}`", True),
        ("value.memory_gb.toFixed(1)", False),
        ("money(trans, amount, currency)", False),
        ("const key = `${owner}`", False),
    ],
)
def test_the_rule_sees_how_the_sidebar_may_write_it(line: str, writes: bool) -> None:
    assert bool(_IN_TYPESCRIPT.search(line)) == writes


def test_the_rule_sees_how_money_may_be_written() -> None:
    assert list(written('f"{cost.amount:.2f} of it"')) == [1]
    assert list(written('f"{x} {cost.currency}"')) == [1]
    assert list(written('f"${x:.2f}"')) == [1]
    assert list(written("'%.2f' % cost.amount")) == [1]
    assert list(written('"{:.2f}".format(budget)')) == [1]
    assert not list(written('f"{seconds:.1f} s"; f"$HOME/{name}"'))


def written(source: str) -> Iterator[int]:
    """The lines on which an amount of money becomes text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr) and _writes_money(node):
            yield node.lineno
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and _is_text(node.left) and _names(node.right):
            yield node.lineno
        if isinstance(node, ast.Call) and _name(node.func) == "format" and any(map(_names, node.args)):
            yield node.lineno


def _writes_money(text: ast.JoinedStr) -> bool:
    for before, part in pairwise([None, *text.values]):
        if not isinstance(part, ast.FormattedValue):
            continue
        spec = ast.unparse(part.format_spec).strip("f'\"") if part.format_spec else ""
        name = _name(part.value)
        if name.endswith("currency") or (_NUMBER.search(spec) and _MONEY.search(name)):
            return True
        if isinstance(before, ast.Constant) and re.search(r"[$€£¥]$", str(before.value)) and _NUMBER.search(spec):
            return True
    return False


def _names(node: ast.AST) -> bool:
    return any(_MONEY.search(_name(part)) for part in ast.walk(node))


def _name(node: ast.AST) -> str:
    """The name that a value has: the last part of what is written."""
    if isinstance(node, ast.BoolOp):
        return _name(node.values[0])
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
