"""Clusters are started through one door: what is enforced there can't be passed by."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import jupyter_mlops

PACKAGE = Path(jupyter_mlops.__file__).parent

#: The door, and what it makes specs with.
DOOR, SPEC = "client/clusters/start.py", "client/clusters/spec.py"

#: Where code may use places: what is below them makes specs of its own, to look at them.
ABOVE = ("client", "server", "notebook", "cli", "tracking")


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in PACKAGE.rglob("*.py"):
        where = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if where.startswith(ABOVE) and isinstance(node, ast.Call):
                yield where, node


def _makes_a_spec(call: ast.Call) -> bool:
    """`ClusterSpec(…)`, `ClusterSpec.model_validate(…)`, `read_input(ClusterSpec, …)`."""
    parts = [call.func, *call.args]
    names = [part.value if isinstance(part, ast.Attribute) else part for part in parts]
    return any(isinstance(name, ast.Name) and name.id == "ClusterSpec" for name in names)


def _starts_by_hand(call: ast.Call) -> bool:
    """`backend.start(…)`, `places.get(…).start(…)`, `(await placed(…))[0].start(…)`."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "start":
        return False
    return any(word in ast.unparse(call.func.value) for word in ("backend", "place"))


def test_only_the_door_starts_clusters() -> None:
    calls = list(_calls())
    assert {where for where, call in calls if _starts_by_hand(call)} == {DOOR}
    assert {where for where, call in calls if _makes_a_spec(call)} == {SPEC}
    users = {where for where, call in calls if isinstance(call.func, ast.Name) and call.func.id == "new_spec"}
    assert users == {DOOR}
