"""Names that a stack trace or a search leads to one place."""

from __future__ import annotations

import ast
from collections import defaultdict

from .source import nodes

#: Classes that have the name of another one, and why.
ALLOWED = {
    "Worker": "Dask's class, made ours for all places and once more for pods, each under the name that Dask gives it",
    "Bring": "a plugin for workers and one for schedulers, which travel to Dask under one name",
}

#: Those that are still to be renamed.
REMAINING = {"Entry", "Keeper", "Names", "Order", "Record"}


def test_each_class_has_a_name_of_its_own() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path, node in nodes(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        found[node.name].append(f"{path}:{node.lineno}")
    twice = {name: places for name, places in found.items() if len(places) > 1}
    new = {name: places for name, places in twice.items() if name not in ALLOWED and name not in REMAINING}
    assert not new, f"these names are given to several classes: {new}"
