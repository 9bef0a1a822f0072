"""How modules may know each other. What import-linter's contracts in pyproject.toml can't say is said here."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports for types alone count: who needs a name to say what it takes depends on where that name is."""
    graph = grimp.build_graph("jupyter_mlops", cache_dir=None)
    order = TopologicalSorter({module: graph.find_modules_directly_imported_by(module) for module in graph.modules})
    try:
        order.prepare()
    except CycleError as error:
        pytest.fail("these modules import each other: " + " ← ".join(error.args[1]))
