"""Which tests follow each other in one process, where pytest-xdist runs several. A plugin of `tests/conftest.py`."""

from __future__ import annotations

import pytest

#: What a test asks for that looks at a screen.
SCREENS = {"browser", "page", "lab"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what each test needs and put it into a group; the groups that take long come first.

    Tests that look at screens are one group: two JupyterLabs with their browsers are more than two CPUs have patience
    for. The others on a Kubernetes are another. Those that must have it to themselves come first there, and those that
    look at pods on a screen come last here, so that neither waits for the other. All others are grouped by file.
    """
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if SCREENS & fixtures:
            item.add_marker("screen")
        if "session_kube" in fixtures:
            item.add_marker("kubernetes")
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=_order)


def _group(item: pytest.Item) -> str:
    if item.get_closest_marker("screen"):
        return "screens"
    return "kubernetes" if item.get_closest_marker("kubernetes") else f"{item.path.parent.name}/{item.path.name}"


def _order(item: pytest.Item) -> int:
    screen, kubernetes = item.get_closest_marker("screen"), item.get_closest_marker("kubernetes")
    if kubernetes and not screen:
        return 0 if getattr(item.getparent(pytest.Module).obj, "ALONE", False) else 1
    if screen:
        return 3 if kubernetes else 2
    return 4 if item.get_closest_marker("slow") else 5
