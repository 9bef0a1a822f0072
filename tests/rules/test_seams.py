"""What is known in one place only: which places there are, and which kinds of runs."""

from __future__ import annotations

import ast

from .source import nodes

#: Files that know which kinds of runs there are. Others ask for what a kind can do.
KINDS = ("agent/", "cli/show.py", "client/", "controller/runs/", "core/run.py", "notebook/")

RUN_KINDS = {"cell", "function", "map"}


def compared(attribute: str) -> list[tuple[str, int, list[str]]]:
    """Where `….attribute` is compared with fixed texts: file, line, the texts."""
    found = []
    for path, node in nodes(ast.Compare):
        assert isinstance(node, ast.Compare)
        sides = [node.left, *node.comparators]
        if any(isinstance(side, ast.Attribute) and side.attr == attribute for side in sides):
            texts = [
                part.value
                for side in sides
                for part in ast.walk(side)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            if texts:
                found.append((path, node.lineno, texts))
    return found


#: The places that come with the package.
HOMES = ("places/local/", "places/kubernetes/")


def test_only_places_know_their_names() -> None:
    """Elsewhere a place is asked for what it can do, so that one from another package can do it, too."""
    asked = [f"{path}:{line}" for path, line, names in compared("place") if not path.startswith(HOMES)]
    assert not asked, f"a place is asked for its name, not for what it can do: {asked}"


def test_only_their_homes_know_kinds_of_runs() -> None:
    asked = [
        f"{path}:{line}"
        for path, line, names in compared("kind")
        if RUN_KINDS & set(names) and not path.startswith(KINDS)
    ]
    assert not asked, f"a run is asked for its kind: {asked}"
