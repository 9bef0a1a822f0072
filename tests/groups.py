"""Which tests follow each other in one process, where pytest-xdist runs several. A plugin of `tests/conftest.py`."""

from __future__ import annotations

import pytest

#: For tests that break a Kubernetes, which no other test may use meanwhile.
BREAKS = pytest.mark.xdist_group("breaks Kubernetes")
#: For tests that change what a Kubernetes has only once (nodes, kinds of objects), or say what all nodes have.
ONE_FOR_ALL = pytest.mark.xdist_group("nodes and kinds of Kubernetes")
#: For tests that look at screens: two JupyterLabs with their browsers are more than two CPUs have patience for.
ON_SCREEN = pytest.mark.xdist_group("screens")
#: What a test asks for that looks at a screen.
SCREENS = {"browser", "page", "lab"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what each test needs and put it into a group, and the groups into order.

    A group is the tests that look at screens, or the tests of a file, with those on a Kubernetes apart, unless a test
    names another.
    """
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if "session_kube" in fixtures:
            item.add_marker("kubernetes")
        if SCREENS & fixtures:
            item.add_marker("screen")
        if item.get_closest_marker("xdist_group"):
            continue
        if SCREENS & fixtures:
            item.add_marker(ON_SCREEN)
        else:
            place = " on Kubernetes" if item.get_closest_marker("kubernetes") else ""
            item.add_marker(pytest.mark.xdist_group(f"{item.path.parent.name}/{item.path.name}{place}"))
    items.sort(key=_order)


def _order(item: pytest.Item) -> int:
    """What breaks Kubernetes comes first, while the other processes are busy without one; then what takes long."""
    mark = item.get_closest_marker("xdist_group")
    if mark is not None and mark.args == BREAKS.args:
        return 0
    if item.get_closest_marker("screen"):
        return 1
    if item.get_closest_marker("kubernetes"):
        return 3
    return 2 if item.get_closest_marker("slow") else 4
